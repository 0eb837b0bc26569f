"""The float32 solver of large matrices: certified, equal to Newton's, and what it leaves to it."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks.speed.sweep.scaling import Generator
from classify.logistic import LogisticTagger, objective_and_gap
from classify.losses.logistic import LogisticLoss
from classify.solvers import l2, l2_coordinates, lbfgs_l2, newton_l2, weak_l2
from classify.solvers.solution import Solution

BIASES = ["penalized", "unpenalized", "none"]
SHAPES = {"more rows": (120, 30), "more columns": (60, 150)}


@pytest.fixture(params=SHAPES)
def problem(request):
    """Features with a mean, common and rare labels, and unknown cells."""
    n, d = SHAPES[request.param]
    rng = np.random.default_rng(5)
    X = np.maximum(rng.normal(size=(n, d)) + 0.3, 0).astype(np.float32)
    scores = X[:, :8] @ rng.normal(size=(8, 5)) + rng.normal(size=(n, 5))
    Y = (scores > np.quantile(scores, [0.5, 0.6, 0.7, 0.85, 0.93], axis=0).diagonal()).astype(int)
    Y[rng.random(Y.shape) < 0.1] = -1
    return X, Y


def loss_of(Y):
    return LogisticLoss(np.where(Y == 1, 1.0, -1.0), (Y >= 0).astype(float))


@pytest.fixture
def small_is_large(monkeypatch):
    monkeypatch.setattr(l2, "_LARGE", 1)


@pytest.mark.parametrize("bias", BIASES)
def test_gaps_are_certified_and_weights_are_newtons(problem, bias):
    X, Y = problem
    loss, Cs, tol = loss_of(Y), [0.05, 1.0], 1e-4
    path = lbfgs_l2.solve_path(X, loss, Cs, bias=bias, tol=tol)
    exact = newton_l2.solve_path(X, loss, Cs, bias=bias, tol=1e-12)
    for C, one, best in zip(Cs, path, exact, strict=True):
        assert (one.gap <= tol * one.objective).all()
        above = one.objective - best.objective
        assert (above <= one.gap).all() and (above >= -1e-9 * best.objective).all()
        # The objective is strongly convex, so the gap bounds the distance of the weights.
        distance = ((one.coef - best.coef) ** 2).sum(axis=1)
        assert (distance <= 2 * one.gap + 1e-9).all()
        again = objective_and_gap(X, Y, one.coef, one.intercept, penalty="l2", C=C, bias=bias)
        np.testing.assert_allclose(one.objective, again[0], rtol=1e-10)
        np.testing.assert_allclose(one.gap, again[1], rtol=1e-6)
    assert (path[1].n_iter > path[0].n_iter).all()


def test_little_penalty_is_left_to_newtons_method_for_few_labels():
    """With less patience a third of these labels were given up while on their way."""
    X, Y = Generator(96, 30).rows(600)
    (one,) = lbfgs_l2.solve_path(X, loss_of(Y), [100.0], bias="penalized", tol=1e-3)
    assert (one.gap <= 1e-3 * one.objective).mean() > 0.9


def test_another_library_finds_the_same(problem, small_is_large):
    X, Y = problem
    tagger = LogisticTagger("l2", C=0.5, bias="unpenalized", tol=2e-5).fit(X, Y)
    for label in range(Y.shape[1]):
        known = Y[:, label] >= 0
        other = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000)
        other.fit(X[known].astype(float), Y[known, label])
        np.testing.assert_allclose(tagger.coef_[label], other.coef_[0], atol=0.02)


@pytest.mark.parametrize("bias", BIASES)
def test_both_forms_of_weights_agree(bias):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(20, 20)) + 0.5).astype(np.float32)
    rows, columns = l2_coordinates.Rows(X, bias), l2_coordinates.Columns(X, bias)
    R, levels = rng.normal(size=(20, 3)).astype(np.float32), np.array([-2, 0, 1])
    forms = []
    for one in (rows, columns):
        pull = one.transpose_times(R)
        V = one.solve(pull, levels)
        scores = one.times(V)
        forms.append((one.square(pull), scores, one.pair(V, scores, pull), *one.weights(V)))
        coef, intercept = one.weights(V)
        np.testing.assert_allclose(X @ coef.T + intercept, scores, rtol=1e-3, atol=1e-4)
    for first, second in zip(*forms, strict=True):
        np.testing.assert_allclose(first, second, rtol=2e-3, atol=2e-4)


def test_a_step_solves_the_quadratic_of_its_level():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 12)).astype(np.float32)
    columns = l2_coordinates.Columns(X, "none")
    G = rng.normal(size=(12, 4)).astype(np.float32)
    levels = np.array([1, -1, 1, 0])
    V = columns.solve(G, levels)
    for label, level in enumerate(levels):
        hessian = np.eye(12) + 4.0**level * X.T @ X
        np.testing.assert_allclose(hessian @ V[:, label], G[:, label], atol=1e-3)


def test_labels_in_parts_change_nothing(problem, monkeypatch):
    X, Y = problem
    whole = lbfgs_l2.solve_path(X, loss_of(Y), [1.0], bias="penalized", tol=1e-4)
    monkeypatch.setattr(lbfgs_l2, "_TOGETHER", 2 * len(X))
    parts = lbfgs_l2.solve_path(X, loss_of(Y), [1.0], bias="penalized", tol=1e-4)
    np.testing.assert_allclose(whole[0].objective, parts[0].objective, rtol=1e-4)


@pytest.fixture
def kinds(monkeypatch):
    """The precision of each descent, and whether it goes on from another."""
    minimize, kinds = lbfgs_l2._minimize, []

    def noted(coordinates, loss, C, start, tol):
        kinds.append((start.dtype, bool(start.any())))
        return minimize(coordinates, loss, C, start, tol)

    monkeypatch.setattr(lbfgs_l2, "_minimize", noted)
    return kinds


@pytest.mark.parametrize("bias", BIASES)
def test_what_float32_misses_float64_goes_on_from(problem, bias, kinds):
    X, Y = problem
    X = X + np.float32(10)  # scores are small differences of large sums
    (one,) = lbfgs_l2.solve_path(X, loss_of(Y), [1.0], bias=bias, tol=1e-11)
    (best,) = newton_l2.solve_path(X, loss_of(Y), [1.0], bias=bias, tol=1e-11)
    weak = X.shape[0] < X.shape[1] and bias != "unpenalized"  # for which another comes first
    assert kinds == [(np.float32, weak), (np.float64, True)]
    assert (one.gap <= 1e-11 * one.objective).all()
    np.testing.assert_allclose(one.objective, best.objective, rtol=1e-10)


def test_features_that_are_too_large_for_float32_are_for_float64_alone(problem, kinds):
    X, Y = problem
    X = X * np.float32(500)
    (one,) = lbfgs_l2.solve_path(X, loss_of(Y), [1.0], bias="penalized", tol=1e-4)
    assert kinds == ([(np.float64, False)] if len(X) > X.shape[1] else [])
    assert (one.gap <= 1e-4 * one.objective).all()


def test_what_they_miss_newton_finishes(problem, small_is_large, monkeypatch):
    X, Y = problem
    monkeypatch.setattr(lbfgs_l2, "_MAX_STEPS", 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tagger = LogisticTagger("l2", C=10.0, tol=1e-4).fit(X, Y)
    assert (tagger.dual_gap_ <= 1e-4 * tagger.objective_).all()


@pytest.mark.parametrize("case", ["huge", "constant", "zero", "one label"])
@pytest.mark.parametrize("shape", list(SHAPES.values()))
def test_awkward_features_are_solved_too(case, shape, small_is_large):
    rng = np.random.default_rng(3)
    X = rng.normal(size=shape).astype(np.float32)
    X *= {"huge": 1e4, "zero": 0.0}.get(case, 1.0)
    if case == "constant":
        X[:, ::2] = 1
    Y = (rng.random((shape[0], 1 if case == "one label" else 3)) < 0.3).astype(int)
    for bias in BIASES:
        tagger = LogisticTagger("l2", C=1.0, bias=bias, tol=1e-4).fit(X, Y)
        assert (tagger.dual_gap_ <= 1e-4 * tagger.objective_).all()


@pytest.mark.parametrize(
    ("shape", "Cs", "tol", "quick"),
    [
        ((60, 50), [1.0], 1e-4, True),
        ((60, 49), [1.0], 1e-4, False),
        ((60, 50), [1.0] * 4, 1e-4, False),
        ((60, 50), [1.0], 1e-8, False),
    ],
)
def test_who_solves_what(shape, Cs, tol, quick, monkeypatch):
    monkeypatch.setattr(l2, "_LARGE", 50)
    asked = []

    def solver(name):
        def solve(X, loss, Cs, **options):
            asked.append(name)
            return [Solution.zeros(1, X.shape[1]) for _ in Cs]

        return solve

    monkeypatch.setattr(lbfgs_l2, "solve_path", solver("float32"))
    monkeypatch.setattr(newton_l2, "solve_path", solver("newton"))
    l2.solve_path(np.zeros(shape), None, Cs, bias="none", tol=tol)
    assert asked == ["float32" if quick else "newton"]


def test_a_matrix_that_float32_sees_as_indefinite_is_shifted_until_it_is_not():
    gram = np.diag([1.0, -1e-3, 1.0]).astype(np.float32)
    factors = l2_coordinates.Factors(gram, np.zeros(3, dtype=np.float32))
    V = factors.solve(np.ones((3, 1), dtype=np.float32), np.array([0]))
    assert np.isfinite(V).all() and (V > 0).all()


# Weak penalties on more columns than rows


@pytest.fixture(scope="module")
def weak():
    """Labels that are 1 to 60 of 150 rows, in features with a large mean, and unknown cells."""
    rng = np.random.default_rng(2)
    X = (40 * np.maximum(rng.normal(size=(150, 400)) + 0.5, 0)).astype(np.float32)
    Y = np.zeros((150, 4), dtype=int)
    for label, count in enumerate((1, 5, 20, 60)):
        Y[rng.choice(150, count, replace=False), label] = 1
    Y[::9, 2] = -1
    return X, Y


@pytest.mark.parametrize("C", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("bias", ["penalized", "none"])
def test_a_weak_penalty_takes_few_newton_steps(weak, bias, C):
    X, Y = weak
    rows = l2_coordinates.Rows(X, bias)
    weights, steps = weak_l2.minimize(rows, loss_of(Y), C, np.zeros((150, 4)), 1e-4)
    coef, intercept = rows.weights(weights)
    objective, gap = objective_and_gap(X, Y, coef, intercept, penalty="l2", C=C, bias=bias)
    assert (gap <= 1e-4 * objective).all() and steps.max() <= 12
    (best,) = newton_l2.solve_path(X, loss_of(Y), [C], bias=bias, tol=1e-10)
    np.testing.assert_allclose(objective, best.objective, rtol=1e-4)
    np.testing.assert_allclose(coef, best.coef, atol=0.02 * np.abs(best.coef).max())
    assert best.n_iter.max() > steps.max()  # from 0


def test_it_goes_on_from_a_better_start(weak):
    X, Y = weak
    rows = l2_coordinates.Rows(X, "penalized")
    weights, _ = weak_l2.minimize(rows, loss_of(Y), 1.0, np.zeros((150, 4)), 1e-4)
    _, steps = weak_l2.minimize(rows, loss_of(Y), 1.0, weights, 1e-4)
    assert (steps == 0).all()


def test_rows_of_one_place_with_contrary_labels_are_left_to_others(weak, kinds, small_is_large):
    X, Y = np.tile(weak[0][:75], (2, 1)), weak[1]
    rows = l2_coordinates.Rows(X, "penalized")
    start = np.zeros((150, 4))
    weights, steps = weak_l2.minimize(rows, loss_of(Y), 10.0, start, 1e-4)
    left = steps == 0
    assert left[3] and not weights[:, left].any()
    tagger = LogisticTagger("l2", C=10.0, tol=1e-4).fit(X, Y)
    assert (tagger.dual_gap_ <= 1e-4 * tagger.objective_).all()
    assert kinds[-1][0] == np.float64


@pytest.mark.parametrize(
    ("bias", "scale", "asked"),
    [("penalized", 1, 1), ("none", 1, 1), ("unpenalized", 1, 0), ("penalized", 1e-3, 0)],
)
def test_it_is_asked_where_the_penalty_is_weak(weak, bias, scale, asked, monkeypatch):
    real, seen = weak_l2.minimize, []

    def noted(*given):
        seen.append(given)
        return real(*given)

    monkeypatch.setattr(weak_l2, "minimize", noted)
    (one,) = lbfgs_l2.solve_path(
        weak[0] * np.float32(scale), loss_of(weak[1]), [1.0], bias=bias, tol=1e-3
    )
    assert len(seen) == asked and (one.gap <= 1e-3 * one.objective).all()


def test_the_preconditioner_is_the_inverse_of_what_it_stands_for():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    rest, root = rng.random(30).astype(np.float32), rng.random((30, 3)).astype(np.float32)
    space = weak_l2._Space(np.eye(30, dtype=np.float32), vectors, rest)
    near = weak_l2._Preconditioner.of(space, root).take(np.array([True, False, True]))
    R = rng.normal(size=(30, 2)).astype(np.float32)
    for label, s, r in zip((0, 1), root.T[[0, 2]], R.T, strict=True):
        matrix = np.eye(30) + s[:, None] * (vectors @ vectors.T + np.diag(rest)) * s
        np.testing.assert_allclose(matrix @ near.times(R)[:, label], r, atol=1e-4)
