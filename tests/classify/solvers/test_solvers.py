"""Each solver by its optimality conditions; agreement with other libraries; paths; precision."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from classify.logistic import LogisticTagger, objective_and_gap
from classify.losses.logistic import logistic_derivative
from classify.solvers import l1_label, newton_l1, newton_l2, products, quadratic
from classify.solvers.roots import increasing_root
from classify.solvers.threads import share_labels

PENALTIES = ["l1", "l2"]
BIASES = ["penalized", "unpenalized", "none"]


def violation(X, Y, tagger, sample_weight=1.0):
    """Distance from the optimality conditions, of the worst weight of all labels.

    Relative to the sum of the magnitudes that cancel at the optimum, which is what float64 can do.
    """
    X, worst = np.asarray(X, dtype=np.float64), 0.0
    ones = np.ones((len(X), 1))
    for label in np.flatnonzero(~np.isnan(tagger.objective_)):
        signs = np.where(Y[:, label] == 1, 1.0, -1.0)
        weights = tagger.C * sample_weight * (Y[:, label] >= 0)
        w, columns = np.append(tagger.coef_[label], tagger.intercept_[label]), np.hstack([X, ones])
        residual = -weights * signs * logistic_derivative(signs * (columns @ w))
        gradient, scale = -columns.T @ residual, 1 + np.abs(columns.T) @ np.abs(residual)
        penalized = np.append(np.ones(X.shape[1]), tagger.bias == "penalized")
        if tagger.penalty == "l2":
            distance = np.abs(gradient + penalized * w)
        else:
            idle = np.maximum(np.abs(gradient) - penalized, 0)
            distance = np.where(w != 0, np.abs(gradient + penalized * np.sign(w)), idle)
        if tagger.bias == "none":
            assert w[-1] == 0
            distance = distance[:-1]
        worst = max(worst, (distance / scale[: len(distance)]).max())
    return worst


@st.composite
def problems(draw):
    """Small problems of every awkward kind."""
    n, d = draw(st.integers(2, 30)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, d))
    kind = draw(st.sampled_from(["plain", "duplicated", "zero", "constant", "offset", "scaled"]))
    if kind == "duplicated":
        X = np.hstack([X, X])
    elif kind == "zero":
        X[:, ::2] = 0
    elif kind == "constant":
        X[:, 0] = 3
    elif kind == "offset":
        X = np.maximum(X, 0) + 5 * rng.random(d)
    elif kind == "scaled":
        X *= 10 ** rng.uniform(-2, 2, size=d)
    Y = rng.integers(0, 2, size=(n, 3))
    Y[:, 1] = X[:, 0] > np.median(X[:, 0])  # separable
    if draw(st.booleans()):
        Y[rng.random(Y.shape) < 0.2] = -1
    Y[0, 2] = 1  # at least one label somewhere
    if draw(st.booleans()):
        Y[:, 0] = draw(st.integers(0, 1))  # constant
    sample_weight = rng.uniform(0, 2, n) if draw(st.booleans()) else np.ones(n)
    kind = draw(st.sampled_from([np.float32, np.float64]))
    return X.astype(kind), Y, sample_weight


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("penalty", PENALTIES)
@settings(deadline=None, max_examples=60)
@given(problem=problems(), C=st.floats(-4, 4).map(lambda x: 10**x))
def test_optimality_conditions_hold(penalty, bias, problem, C):
    X, Y, sample_weight = problem
    tagger = LogisticTagger(penalty, C=C, bias=bias, tol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1e-14 is at the edge of rounding
        tagger.fit(X, Y, sample_weight)
    assert violation(X, Y, tagger, sample_weight) < 1e-6
    solved = ~np.isnan(tagger.objective_)
    assert (tagger.dual_gap_[solved] <= 1e-9 * tagger.objective_[solved]).all()
    # What the solver reports is what the weights have.
    judged = objective_and_gap(
        X, Y, tagger.coef_, tagger.intercept_, penalty=penalty, C=C, bias=bias,
        sample_weight=sample_weight,
    )  # fmt: skip
    np.testing.assert_allclose(judged[0], tagger.objective_, rtol=1e-8)  # 1.2e-9 was seen
    assert (judged[1][solved] <= 1e-8 * judged[0][solved]).all()


@pytest.fixture(params=[(40, 90), (90, 12)], ids=["d > n", "n > d"])
def problem(request):
    n, d = request.param
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(n, d)), 0) * rng.uniform(1, 5, size=d)
    Y = (X @ rng.normal(size=(d, 4)) + rng.normal(size=(n, 4)) > rng.normal(size=4)).astype(int)
    return X, Y


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_equals_liblinear(problem, penalty, bias, C):
    X, Y = problem
    ours = LogisticTagger(penalty, C=C, bias=bias, tol=1e-12).fit(X, Y)
    theirs = LogisticTagger(penalty, C=C, bias=bias, solver="liblinear", tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(ours.objective_, theirs.objective_, rtol=1e-8)
    assert (ours.objective_ <= theirs.objective_ * (1 + 1e-12)).all()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4 * np.abs(theirs.coef_).max())
    if penalty == "l1":
        np.testing.assert_array_equal(np.abs(ours.coef_) > 1e-6, np.abs(theirs.coef_) > 1e-6)


# The one spelling that scikit-learn 1.6 and 1.9 share, of which the later warns twice.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("penalty", "bias", "solver"),
    [
        ("l1", "penalized", "liblinear"),
        ("l1", "none", "liblinear"),
        ("l1", "unpenalized", "saga"),
        ("l2", "penalized", "liblinear"),
        ("l2", "unpenalized", "newton-cholesky"),
        ("l2", "none", "lbfgs"),
    ],
)
def test_equals_scikit_learn(penalty, bias, solver):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 8))
    y = (X[:, 0] - X[:, 1] + rng.normal(size=60) > 0).astype(int)
    weights = rng.uniform(0.5, 2, size=60)
    ours = LogisticTagger(penalty, C=0.7, bias=bias, tol=1e-14).fit(X, y, weights)
    theirs = LogisticRegression(
        penalty=penalty, C=0.7, solver=solver, fit_intercept=bias != "none", tol=1e-10,
        max_iter=100_000, random_state=0,
    ).fit(X, y, weights)  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_path_gives_what_each_fit_gives(problem, penalty, bias):
    X, Y = problem
    Cs = [3.0, 0.01, 0.3, 100.0, 0.3]  # in no order, one twice
    tagger = LogisticTagger(penalty, bias=bias, tol=1e-12)
    for C, model in zip(Cs, tagger.fit_path(X, Y, Cs), strict=True):
        alone = LogisticTagger(penalty, C=C, bias=bias, tol=1e-12).fit(X, Y)
        assert model.C == C
        assert model.get_params() == alone.get_params()
        np.testing.assert_allclose(model.objective_, alone.objective_, rtol=1e-11)
        scores = alone.decision_function(X)
        np.testing.assert_allclose(model.decision_function(X), scores, atol=1e-4)
    assert not hasattr(tagger, "coef_")


@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_gap_bounds_the_distance_to_the_optimum(problem, penalty, tol):
    X, Y = problem
    exact = LogisticTagger(penalty, tol=1e-13).fit(X, Y)
    tagger = LogisticTagger(penalty, tol=tol).fit(X, Y)
    assert (tagger.dual_gap_ <= tol * tagger.objective_).all()
    above = tagger.objective_ - exact.objective_
    assert (above <= tagger.dual_gap_ + 1e-11 * exact.objective_).all()
    assert (above >= -1e-11 * exact.objective_).all()


@pytest.mark.parametrize("penalty", PENALTIES)
def test_labels_do_not_touch_each_other(problem, penalty):
    X, Y = problem
    together = LogisticTagger(penalty, tol=1e-12).fit(X, Y)
    for label in range(4):
        alone = LogisticTagger(penalty, tol=1e-12).fit(X, Y[:, label])
        np.testing.assert_allclose(together.objective_[label], alone.objective_[0], rtol=1e-11)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_few_labels_at_a_time_and_small_blocks_change_nothing(problem, penalty, monkeypatch):
    # What bounds the memory: labels on their way at once, and rows widened at once.
    X, Y = problem
    whole = LogisticTagger(penalty, tol=1e-12).fit_path(X.astype(np.float32), Y, [0.1, 1, 10])
    monkeypatch.setattr(newton_l1, "_MEMORY", 1)
    monkeypatch.setattr(newton_l2, "_TOGETHER", 2 * len(X))
    monkeypatch.setattr(products, "_BLOCK", 7 * X.shape[1])
    monkeypatch.setattr(products, "_SMALL", 0)
    monkeypatch.setattr(newton_l2, "_WRITTEN", 0)
    parts = LogisticTagger(penalty, tol=1e-12).fit_path(X.astype(np.float32), Y, [0.1, 1, 10])
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.objective_, other.objective_, rtol=1e-11)
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-5)


@pytest.mark.parametrize("tol", [1e-2, 1e-10])
@pytest.mark.parametrize("bias", BIASES)
def test_float32_and_fewer_rows_on_the_way_keep_the_gap(bias, tol, monkeypatch):
    # As for a large matrix: rough products far from the optimum, Hessians of the rows that count.
    monkeypatch.setattr(products, "_SMALL", 0)
    monkeypatch.setattr(l1_label, "_LITTLE", 0)
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(300, 40)), 0).astype(np.float32)
    Y = (3 * X[:, :2] - 2 + rng.normal(size=(300, 2)) > 0).astype(int)
    Y[:, 1] &= X[:, 5] > 1
    tagger = LogisticTagger("l1", bias=bias, tol=tol)
    for model in tagger.fit_path(X, Y, [0.3, 10.0]):
        options = {"penalty": "l1", "C": model.C, "bias": bias}
        value, gap = objective_and_gap(X, Y, model.coef_, model.intercept_, **options)
        np.testing.assert_allclose(model.objective_, value, rtol=1e-10)
        np.testing.assert_allclose(model.dual_gap_, gap, rtol=1e-6, atol=1e-11 * value.max())
        assert (gap <= tol * value).all()
        theirs = LogisticTagger(**options, solver="liblinear", tol=1e-8).fit(X, Y)
        assert (theirs.objective_ >= value * (1 - 1e-9) - gap).all()
        np.testing.assert_allclose(value, theirs.objective_, rtol=max(tol, 1e-6))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_memory_map_is_read_and_left_alone(problem, penalty, tmp_path):
    X, Y = problem
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    tagger = LogisticTagger(penalty).fit(mapped, Y)
    np.testing.assert_array_equal(mapped, X.astype(np.float32))
    np.testing.assert_array_equal(
        tagger.coef_, LogisticTagger(penalty).fit(np.array(mapped), Y).coef_
    )


def test_the_l1_path_begins_where_the_first_column_enters(problem):
    X, Y = problem
    balance = np.where(Y == 1, 0.5, -0.5)
    first = 1 / np.abs(X.T @ balance).max()  # of the label whose column enters first
    tagger = LogisticTagger("l1", bias="none", tol=1e-10)
    below, above = tagger.fit_path(X, Y, [first * 0.999, first * 1.001])
    assert not below.coef_.any()
    assert above.coef_.any()


@pytest.mark.parametrize("shape", [(10, 2), (10, 20)])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_columns_of_zeros_leave_the_intercept(penalty, shape):
    X, y = np.zeros(shape), np.array([1] * 3 + [0] * 7)
    free = LogisticTagger(penalty, bias="unpenalized", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(free.intercept_, np.log(3 / 7), rtol=1e-9)
    none = LogisticTagger(penalty, bias="none", tol=1e-12).fit(X, y)
    assert none.intercept_ == 0
    assert not free.coef_.any() and not none.coef_.any()
    np.testing.assert_allclose(none.objective_, 10 * np.log(2))


def test_missing_the_tolerance_is_a_warning(problem, monkeypatch):
    monkeypatch.setattr(newton_l2, "_MAX_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="raise tol, scale the features or lower C"):
        LogisticTagger("l2", C=100.0).fit(*problem)


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 25), rank=st.integers(1, 30))
@example(seed=20, k=20, rank=4)  # no halving of an enormous step pays here
@settings(deadline=None)
@pytest.mark.parametrize(("kind", "near"), [(np.float64, 1e-5), (np.float32, 1e-2)])
def test_quadratics_reach_their_optimality_conditions(kind, near, seed, k, rank):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(rank, k)).astype(kind)
    hessian, gradient = A.T @ A, 3 * (A.T @ rng.normal(size=rank))
    start, penalty = rng.normal(size=k) * rng.integers(0, 2, size=k), rng.integers(0, 3, size=k)
    penalty = penalty.astype(float)
    u = quadratic.minimize_quadratic(hessian, gradient, start, penalty)
    hessian = hessian.astype(float)

    def value(u):
        return (
            gradient @ (u - start) + (u - start) @ hessian @ (u - start) / 2 + penalty @ np.abs(u)
        )

    assert value(u) <= value(start) + 1e-7 * near * (1 + abs(value(start)))
    slope = gradient + hessian @ (u - start)
    idle = np.maximum(np.abs(slope) - penalty, 0)
    distance = np.where(u != 0, np.abs(slope + penalty * np.sign(u)), idle)
    assert distance.max() <= near * (1 + np.abs(gradient).max())


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_system_that_rounding_made_indefinite_has_no_solution(kind):
    system = np.array([[1, 1], [1, 1 - 1e-5]], dtype=kind)
    assert quadratic._solved(system, np.ones(2)) is None
    equal = np.ones((2, 2), dtype=kind)  # as of two equal columns
    np.testing.assert_allclose(quadratic._solved(equal, np.ones(2)).sum(), 1, rtol=1e-5)


def test_compiled_code_needs_no_folder_of_its_own(monkeypatch):
    import numba

    real = numba.njit

    def njit(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", njit)
    quadratic._compiled.cache_clear()
    u = np.zeros(1)
    try:
        quadratic.coordinate_descent(np.eye(1), np.array([-3.0]), u, np.ones(1), 9, 1e-4)
    finally:
        quadratic._compiled.cache_clear()
    np.testing.assert_allclose(u, [2.0])


@pytest.mark.parametrize(("start", "root"), [(-50.0, 3.0), (0.0, 3.0), (80.0, 3.0)])
def test_roots_of_saturating_functions(start, root):
    # The slope vanishes on both sides, where plain Newton steps would fly off.
    x = increasing_root(
        lambda x: (np.tanh(x - root), 1 / np.cosh(x - root) ** 2), np.array([start])
    )
    np.testing.assert_allclose(x, [root], rtol=1e-10)


def test_labels_shared_among_threads_have_the_same_solution():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 90)).astype(np.float32)
    Y = (X[:, :7] + rng.normal(size=(60, 7)) > 0.5).astype(int)
    taggers = []
    for threads in (1, 3):
        with threadpool_limits(threads, user_api="blas"):
            taggers.append(LogisticTagger("l1", C=0.3, tol=1e-10).fit(X, Y))
            limits = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
            assert max(limits) == threads  # as it was before
    np.testing.assert_allclose(taggers[1].coef_, taggers[0].coef_, atol=1e-7)
    np.testing.assert_array_equal(taggers[1].coef_ != 0, taggers[0].coef_ != 0)


def test_labels_are_distributed_by_cost_once_each_and_errors_come_through():
    seen, costs = [], np.array([5.0, 9.0, 1.0, 7.0, 3.0])
    with threadpool_limits(2, user_api="blas"):
        share_labels(lambda labels, share: seen.append((labels.tolist(), share)), costs)
        with pytest.raises(ZeroDivisionError):
            share_labels(lambda labels, share: 1 / 0, costs)
    assert sorted(seen) == [([0, 3], 2), ([1, 2, 4], 2)]
