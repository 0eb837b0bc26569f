import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.logistic import LogisticTagger
from features.errors import InputError

PENALTIES = ["l1", "l2"]
BIASES = ["penalized", "unpenalized", "none"]

X6 = np.array([[1, 0], [0, 2], [1, 1], [2, 0.5], [-1, 1], [0, -1]])
Y6 = np.array([1, 0, 1, 1, 0, 0])
SOLVED = [  # penalty, bias, w, b, objective: LIBLINEAR 2.50 at eps 1e-10
    ("l1", "penalized", [1.045727, 0], 0, 3.451980),
    ("l1", "unpenalized", [1.386294, 0], -0.693147, 3.243721),
    ("l1", "none", [1.045727, 0], 0, 3.451980),
    ("l2", "penalized", [1.089712, -0.103124], -0.265714, 2.847791),
    ("l2", "unpenalized", [1.161478, -0.034199], -0.561930, 2.773424),
    ("l2", "none", [1.032604, -0.167262], 0, 2.915552),
]


# Of a stop at a gap of 1e-4 some check would ask for seven equal digits.
NEWTON = [LogisticTagger(penalty, tol=1e-13) for penalty in PENALTIES]
LIBLINEAR = [LogisticTagger(penalty, solver="liblinear") for penalty in PENALTIES]


@parametrize_with_checks([*NEWTON, *LIBLINEAR])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def problem():
    """More columns than rows, four labels, the rows in no order."""
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(40, 60)), 0)
    Y = (X @ rng.normal(size=(60, 4)) > rng.normal(size=4)).astype(int)
    return X, Y


@pytest.mark.parametrize(("penalty", "bias", "w", "b", "objective"), SOLVED)
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["pos", "neg first"])
@pytest.mark.parametrize("solver", ["newton", "liblinear"])
def test_worked_example(solver, penalty, bias, w, b, objective, order):
    # With the negatives first, LIBLINEAR's decision value could be that of the other class.
    tagger = LogisticTagger(penalty, bias=bias, solver=solver, tol=1e-10)
    tagger.fit(X6[order], Y6[order])
    np.testing.assert_allclose(tagger.coef_, [w], atol=1e-5)
    np.testing.assert_allclose(tagger.intercept_, [b], atol=1e-5)
    np.testing.assert_allclose(tagger.objective_, [objective], atol=1e-5)
    assert 0 <= tagger.dual_gap_[0] + 1e-12 < 1e-8


@pytest.mark.parametrize("C", [1 / 6, 1e-3])
@pytest.mark.parametrize("solver", ["newton", "liblinear"])
def test_a_weak_loss_gives_no_weights(solver, C):
    # C = 1/6 is lambda = 1 of the mean form (1/m) sum loss + lambda norm(w).
    tagger = LogisticTagger("l1", C=C, bias="unpenalized", solver=solver, tol=1e-10)
    tagger.fit(X6, Y6)
    np.testing.assert_array_equal(tagger.coef_, 0)
    np.testing.assert_allclose(tagger.intercept_, 0, atol=1e-8)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_direction_that_is_not_finite_ends_in_an_error(problem, monkeypatch):
    X, Y = problem

    def broken(basis, curvature, gradient, forcing):
        return np.full_like(gradient, np.nan)

    monkeypatch.setattr("classify.solvers.newton_l2._newton_direction", broken)
    with (
        pytest.warns(ConvergenceWarning, match="duality gap of nan"),
        pytest.raises(InputError, match="the fit gave coef_ with NaN"),
    ):
        LogisticTagger("l2").fit(X, Y)


def test_scores_are_those_of_the_weights(problem):
    X, Y = problem
    tagger = LogisticTagger("l2", solver="liblinear").fit(X, Y)
    expected = X @ tagger.coef_.T + tagger.intercept_
    np.testing.assert_allclose(tagger.decision_function(X), expected, rtol=1e-12)
    np.testing.assert_array_equal(tagger.predict(X), expected > 0)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_trailing_columns_of_zeros_are_kept(problem, penalty):
    # Of a dense array LIBLINEAR would infer the width from the last column with a non-zero.
    X, Y = problem
    plain = LogisticTagger(penalty, solver="liblinear", tol=1e-6).fit(X, Y)
    wider = np.pad(X, ((0, 0), (0, 3)))
    tagger = LogisticTagger(penalty, solver="liblinear", tol=1e-6).fit(wider, Y)
    assert tagger.coef_.shape == (4, 63)
    np.testing.assert_array_equal(tagger.coef_[:, 60:], 0)
    np.testing.assert_allclose(tagger.objective_, plain.objective_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["newton", "liblinear"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_constant_labels_get_the_constant_score_and_no_solver(penalty, solver, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a label with one class went to the solver")

    monkeypatch.setattr("classify.solvers.liblinear.solve", never)
    monkeypatch.setattr("classify.solvers.newton_l2.solve_path", never)
    monkeypatch.setattr("classify.solvers.newton_l1.solve_path", never)
    X = np.random.default_rng(0).normal(size=(10, 3))
    Y = np.zeros((10, 3), dtype=int)
    Y[:, 1] = 1
    Y[:7, 2], Y[7:, 2] = -1, 1  # three known rows, all positive
    tagger = LogisticTagger(penalty, solver=solver).fit(X, Y)
    expected = [np.log(0.5 / 10.5), np.log(10.5 / 0.5), np.log(3.5 / 0.5)]
    np.testing.assert_allclose(tagger.decision_function(X), np.tile(expected, (10, 1)))
    np.testing.assert_array_equal(tagger.coef_, 0)
    assert np.isnan(tagger.objective_).all()
    assert np.isnan(tagger.dual_gap_).all()


def test_a_label_without_a_known_row_scores_zero():
    tagger = LogisticTagger().fit(np.eye(3), [[1, -1], [0, -1], [1, -1]])
    assert tagger.intercept_[1] == 0
    np.testing.assert_array_equal(tagger.predict(np.eye(3))[:, 1], 0)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_rows_unknown_to_a_label_are_left_out(problem, penalty):
    X, Y = problem
    partial = Y.copy()
    partial[:11, 1] = -1
    partial[20:31, 2] = -1
    tagger = LogisticTagger(penalty, solver="liblinear", tol=1e-4).fit(X, partial)
    for label in range(4):
        known = partial[:, label] >= 0
        alone = LogisticTagger(penalty, solver="liblinear", tol=1e-4)
        alone.fit(X[known], Y[known, label])
        np.testing.assert_array_equal(tagger.coef_[label], alone.coef_[0])
        assert tagger.intercept_[label] == alone.intercept_[0]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_unknown_cells_and_weights_count_alike_in_both_solvers(problem, penalty):
    X, Y = problem
    Y[:11, 1] = Y[20:31, 2] = -1
    weights = np.random.default_rng(1).integers(0, 3, size=len(X))
    ours = LogisticTagger(penalty, tol=1e-12).fit(X, Y, weights)
    theirs = LogisticTagger(penalty, solver="liblinear", tol=1e-10).fit(X, Y, weights)
    np.testing.assert_allclose(ours.objective_, theirs.objective_, rtol=1e-8)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


@pytest.mark.parametrize("Cs", [[1.0, 0.0], [1.0, np.nan], ["1"]])
def test_a_path_of_impossible_values_says_so(problem, Cs):
    with pytest.raises(InputError, match="'C' parameter of LogisticTagger must be a float"):
        LogisticTagger().fit_path(*problem, Cs)


@pytest.mark.parametrize("solver", ["newton", "liblinear"])
def test_a_path_takes_numpy_numbers_in_any_order(problem, solver):
    Cs = np.array([1.0, 0.1, 10.0], dtype=np.float32)
    models = LogisticTagger("l1", solver=solver).fit_path(*problem, Cs)
    assert [model.C for model in models] == list(Cs)
    sizes = [(model.coef_ != 0).sum() for model in models]
    assert sizes[1] < sizes[0] < sizes[2]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_whole_number_weight_repeats_the_row(problem, penalty):
    X, Y = problem
    weights = np.random.default_rng(1).integers(0, 3, size=len(X))
    tagger = LogisticTagger(penalty, solver="liblinear").fit(X, Y, sample_weight=weights)
    repeated = LogisticTagger(penalty, solver="liblinear")
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0))
    np.testing.assert_array_equal(tagger.coef_, repeated.coef_)
    np.testing.assert_allclose(tagger.objective_, repeated.objective_, rtol=1e-12)


def test_liblinear_refuses_fractional_weights(problem):
    X, Y = problem
    with pytest.raises(InputError, match='whole numbers as sample weights only; use solver="auto"'):
        LogisticTagger(solver="liblinear").fit(X, Y, sample_weight=np.full(len(X), 0.5))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_results_are_the_same_bits_whatever_ran_before_or_beside(problem, penalty):
    # LIBLINEAR's L1 solver draws permutations from the one C rand() of the process.
    X, Y = problem
    tagger = LogisticTagger(penalty, solver="liblinear")
    first = tagger.fit(X, Y).coef_
    np.testing.assert_array_equal(tagger.fit(X, Y).coef_, first)
    np.testing.assert_array_equal(tagger.fit(X, Y[:, ::-1]).coef_[::-1], first)
    np.testing.assert_array_equal(tagger.set_params(n_jobs=2).fit(X, Y).coef_, first)


def test_float32_is_widened_not_rounded(problem):
    X, Y = problem
    X = X.astype(np.float32)
    single = LogisticTagger(solver="liblinear").fit(X, Y)
    double = LogisticTagger(solver="liblinear").fit(X.astype(np.float64), Y)
    np.testing.assert_array_equal(single.coef_, double.coef_)
