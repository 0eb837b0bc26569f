import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.baselines.curriculum import CurriculumTagger
from classify.learners import LEARNERS
from classify.logistic import LogisticTagger, objective_and_gap
from classify.losses import LOSSES
from classify.losses.class_weights import cell_weights, class_weights
from classify.losses.ranking import bce_loss
from classify.warp.tagger import WarpTagger
from features.errors import InputError

PENALTIES = ["l1", "l2"]
ONES = np.ones(60)
WEIGHTED = [name for name, one in LEARNERS.items() if one.class_weights]


@pytest.fixture
def problem():
    """60 rows, five labels of 5 to 30 present rows, some cells unknown."""
    rng = np.random.default_rng(3)
    X = np.maximum(rng.normal(size=(60, 12)), 0)
    scores = X @ rng.normal(size=(12, 5)) + rng.normal(size=(60, 5))
    Y = (scores > np.quantile(scores, [0.5, 0.7, 0.8, 0.9, 0.92], axis=0).diagonal()).astype(
        np.int8
    )
    Y[:9, 1] = Y[30:41, 3] = -1
    return X, Y


@parametrize_with_checks(
    [
        LogisticTagger("l2", tol=2e-15, class_weight="balanced"),
        LogisticTagger("l2", solver="liblinear", tol=1e-12, class_weight="balanced"),
        WarpTagger(loss="bce", class_weight="balanced", epochs=10),
    ]
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_balanced_weights_are_those_of_scikit_learn_for_each_label(problem):
    _, Y = problem
    found = class_weights(Y, ONES, np.arange(5), class_weight="balanced")
    for label, column in enumerate(Y.T):
        known = column[column >= 0]
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=known)
        np.testing.assert_allclose(found[label], expected)
    powers = class_weights(Y, ONES, np.arange(5), rare_weight=0.3)
    np.testing.assert_allclose(powers, found**0.3)
    assert class_weights(Y, ONES, np.arange(5), rare_weight=0) is None


def test_a_row_of_weight_two_counts_as_two_rows(problem):
    _, Y = problem
    weights = np.random.default_rng(0).integers(0, 3, size=60).astype(float)
    repeated = np.repeat(Y, weights.astype(int), axis=0)
    np.testing.assert_allclose(
        class_weights(Y, weights, np.arange(5), class_weight="balanced"),
        class_weights(repeated, np.ones(len(repeated)), np.arange(5), class_weight="balanced"),
    )


def test_mappings_and_arrays_name_the_weights_of_labels_or_of_a_columns_classes():
    Y = np.array([[1, 0, 1], [0, 1, 0]], dtype=np.int8)
    found = class_weights(Y, ONES[:2], np.arange(3), class_weight={0: 2.0, 2: (0.5, 4.0)})
    np.testing.assert_array_equal(found, [[1, 2], [1, 1], [0.5, 4]])
    found = class_weights(Y, ONES[:2], np.arange(3), class_weight=[1, 2, 3])
    np.testing.assert_array_equal(found, [[1, 1], [1, 2], [1, 3]])
    classes = np.array(["cat", "dog"])
    found = class_weights(Y[:, :1], ONES[:2], classes, class_weight={"cat": 3, "dog": 4})
    np.testing.assert_array_equal(found, [[3, 4]])
    both = class_weights(Y[:1, :1], ONES[:1], classes[1:], class_weight={"cat": 3, "dog": 4})
    np.testing.assert_array_equal(both, [[1, 4]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class_weight": "even"}, "must be None, \"balanced\".*Got 'even'"),
        ({"class_weight": {7: 2.0}}, "class 7, and y has 0, 1, 2, 3, 4"),
        ({"class_weight": {0: -1.0}}, "negative"),
        ({"class_weight": {0: (1, 2, 3)}}, "of 0 is .*give one number, or two"),
        ({"class_weight": [1, 2]}, r"shape \(2,\): give \(5,\)"),
        ({"class_weight": [1, 2, 3, 4, np.nan]}, "NaN"),
        ({"class_weight": object()}, "must be None"),
        ({"class_weight": np.full((40, 9), "x")}, "must be None"),
        ({"class_weight": "balanced", "rare_weight": 0.5}, "exclude each other"),
        ({"rare_weight": 1.5}, "rare_weight"),
        ({"rare_weight": True}, "rare_weight"),
    ],
)
@pytest.mark.parametrize("tagger", [LogisticTagger("l2"), WarpTagger(loss="bce")])
def test_other_weights_are_refused_in_one_line(problem, tagger, given, message):
    with pytest.raises(InputError, match=message) as caught:
        clone(tagger).set_params(**given).fit(*problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("solver", ["newton", "liblinear"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("given", [{"class_weight": "balanced"}, {"rare_weight": 0.5}], ids=str)
def test_the_optimum_is_scikit_learns_for_each_label(problem, penalty, solver, given):
    X, Y = problem
    tagger = LogisticTagger(penalty, C=3.0, solver=solver, tol=1e-9, bias="unpenalized", **given)
    tagger.fit(X, Y)
    used = class_weights(Y, ONES, np.arange(5), **given)
    for label, column in enumerate(Y.T):
        known = column >= 0
        theirs = LogisticRegression(
            C=3.0, l1_ratio=float(penalty == "l1"), solver="saga" if penalty == "l1" else "lbfgs",
            tol=1e-10, max_iter=100_000, random_state=0,
            class_weight=dict(enumerate(used[label])),
        ).fit(X[known], column[known])  # fmt: skip
        np.testing.assert_allclose(tagger.coef_[label], theirs.coef_[0], atol=2e-4)
        np.testing.assert_allclose(tagger.intercept_[label], theirs.intercept_[0], atol=2e-4)


@pytest.mark.parametrize("solver", ["newton", "liblinear"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("rows", [60, 8], ids=["tall", "wide"])
def test_weighted_fits_meet_the_optimality_conditions_and_their_gap(problem, penalty, solver, rows):
    X, Y = problem[0][-rows:], problem[1][-rows:]
    Y[0], Y[1] = 1, 0
    weights = np.random.default_rng(1).integers(1, 3, size=rows)
    options = {"penalty": penalty, "C": 2.0, "class_weight": "balanced"}
    tagger = LogisticTagger(solver=solver, tol=1e-11, **options).fit(X, Y, weights)
    by_class = class_weights(Y, weights, np.arange(5), class_weight="balanced")
    cells = weights[:, None] * cell_weights(Y, by_class)
    signs = np.where(Y == 1, 1, -1)
    scores = X @ tagger.coef_.T + tagger.intercept_
    residual = cells * signs / (1 + np.exp(signs * scores))
    pull = 2.0 * np.column_stack([residual.T @ X, residual.sum(axis=0)])
    w = np.column_stack([tagger.coef_, tagger.intercept_])
    if penalty == "l2":
        np.testing.assert_allclose(pull, w, atol=2e-4)
        norm = (w**2).sum(axis=1) / 2
    else:
        assert (np.abs(pull) <= 1 + 2e-4).all()
        np.testing.assert_allclose(pull[w != 0], np.sign(w[w != 0]), atol=2e-4)
        norm = np.abs(w).sum(axis=1)
    objective = norm + 2.0 * (cells * np.logaddexp(0, -signs * scores)).sum(axis=0)
    np.testing.assert_allclose(tagger.objective_, objective, rtol=1e-10)
    assert (tagger.dual_gap_ >= -1e-9).all()
    assert (tagger.dual_gap_ <= 1e-4 * objective).all()
    judged = objective_and_gap(
        X, Y, tagger.coef_, tagger.intercept_, sample_weight=weights, **options
    )
    np.testing.assert_allclose(judged[0], objective, rtol=1e-10)


def test_liblinear_counts_repeated_rows_beside_the_weights_of_classes(problem):
    X, Y = problem
    weights = np.random.default_rng(1).integers(0, 4, size=60)
    options = {"penalty": "l2", "rare_weight": 0.7}
    ours = LogisticTagger(tol=1e-12, **options).fit(X, Y, weights)
    theirs = LogisticTagger(tol=1e-9, solver="liblinear", **options).fit(X, Y, weights)
    np.testing.assert_allclose(ours.objective_, theirs.objective_, rtol=1e-8)
    with pytest.raises(InputError, match="whole numbers"):
        theirs.fit(X, Y, weights + 0.5)


def test_a_class_without_weight_is_as_good_as_absent(problem):
    X, Y = problem
    tagger = LogisticTagger("l2", class_weight={0: (0.0, 1.0), 1: (1.0, 0.0)}).fit(X, Y)
    np.testing.assert_array_equal(tagger.coef_[:2], 0)
    assert tagger.intercept_[0] == np.log((Y[:, 0] == 1).sum() + 0.5) - np.log(0.5)
    assert tagger.intercept_[1] < 0
    assert tagger.coef_[2].any()


@pytest.mark.parametrize("learner", WEIGHTED)
def test_power_zero_is_bit_identical_to_no_weights_and_one_to_balanced(problem, learner):
    X, Y = problem

    def fitted(**weighting):
        return LEARNERS[learner].make(1.0, Y, weighting).fit(X, Y)

    none, zero, one = fitted(), fitted(rare_weight=0.0), fitted(rare_weight=1.0)
    balanced = fitted(class_weight="balanced")
    np.testing.assert_array_equal(none.coef_, zero.coef_)
    np.testing.assert_array_equal(one.coef_, balanced.coef_)
    assert not np.array_equal(none.coef_, balanced.coef_)
    # A rare label's scores rise.
    assert balanced.decision_function(X)[:, 4].mean() > none.decision_function(X)[:, 4].mean()


def test_the_descent_reaches_the_weighted_optimum(problem):
    X, Y = problem
    exact = LogisticTagger("l2", tol=1e-10, bias="unpenalized", class_weight="balanced").fit(X, Y)
    descent = WarpTagger(loss="bce", C=1.0, epochs=3000, batch_size=60, class_weight="balanced")
    descent.fit(X, Y)
    np.testing.assert_allclose(descent.coef_, exact.coef_, atol=2e-3)
    np.testing.assert_allclose(descent.intercept_, exact.intercept_, atol=5e-3)


def test_weighted_cross_entropy_has_the_gradient_of_its_values(problem):
    rng, Y = np.random.default_rng(5), problem[1]
    scores, by_class = rng.normal(size=(60, 5)), rng.uniform(0.1, 3, size=(5, 2))
    _, gradient = bce_loss(scores, Y, by_class)
    step = 1e-6
    for label in range(5):
        moved = np.zeros(5)
        moved[label] = step
        high, low = (bce_loss(scores + sign * moved, Y, by_class)[0] for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, label], (high - low) / (2 * step), atol=1e-7)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "bce"])
def test_losses_of_pairs_refuse_weights_of_classes(problem, loss):
    with pytest.raises(InputError, match="has no classes to weigh: use loss='bce'"):
        WarpTagger(loss=loss, class_weight="balanced").fit(*problem)


def test_a_single_column_weighs_its_own_classes(problem):
    X, Y = problem
    names = np.where(Y[:, 0] == 1, "dog", "cat")
    theirs = LogisticRegression(class_weight={"dog": 5.0}, tol=1e-10, max_iter=10_000)
    theirs.fit(X, names)
    for tagger in (
        LogisticTagger("l2", bias="unpenalized", tol=1e-10),
        CurriculumTagger(tol=1e-10),
    ):
        tagger.set_params(class_weight={"dog": 5.0}).fit(X, names)
        if isinstance(tagger, LogisticTagger):
            np.testing.assert_allclose(tagger.coef_, theirs.coef_, atol=1e-3)
        assert (tagger.predict(X) == "dog").sum() > (names == "dog").sum()
