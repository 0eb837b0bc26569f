import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.imcl.tagger import InteractiveTagger
from classify.logistic import LogisticTagger
from classify.warp.propagation import propagate_labels
from classify.warp.semi_supervised import SemiSupervisedTagger
from classify.warp.tagger import WarpTagger
from features.errors import InputError


@parametrize_with_checks([SemiSupervisedTagger(), SemiSupervisedTagger(LogisticTagger())])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def problem():
    """200 rows in four clusters with two labels each; 20 of them labeled, one of those in part."""
    rng = np.random.default_rng(0)
    cluster = np.arange(200) % 4
    X = rng.normal(size=(200, 6)) + 4 * np.eye(4, 6)[cluster]
    truth = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]], dtype=np.int8)[
        cluster
    ]
    Y = truth.copy()
    Y[20:] = -1
    Y[7, 1] = -1
    return X, Y, truth


def test_unlabeled_rows_help(problem):
    X, Y, truth = problem
    tagger = SemiSupervisedTagger().fit(X, Y)
    labels = tagger.propagated_labels_
    np.testing.assert_array_equal(labels[:20], Y[:20])
    assert (labels[20:] == truth[20:]).mean() > 0.9
    assert (tagger.predict(X[20:]) == truth[20:]).mean() > 0.9


def test_it_is_the_supervised_learner_on_propagated_labels_and_weights(problem):
    X, Y, _ = problem
    tagger = SemiSupervisedTagger(WarpTagger(epochs=8), labeled_weight=5.0, temperature=2.0).fit(
        X, Y
    )
    given = propagate_labels(X, Y, np.arange(20), np.arange(20, 200), temperature=2.0)
    labels = np.concatenate([Y[:20], given.labels])
    weights = np.concatenate([np.full(20, 5.0), given.weights])
    np.testing.assert_array_equal(tagger.label_weights_, weights)
    assert tagger.temperature_ == 2.0
    # A sample weight is divided by the mean, the weights of the paper are not.
    peer = WarpTagger(epochs=8, divisor=20 / weights.mean())
    peer.fit(X, labels, sample_weight=weights)
    np.testing.assert_allclose(tagger.coef_, peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(tagger.estimator_.loss_curve_, peer.loss_curve_, rtol=1e-8)


def test_without_unlabeled_rows_it_is_the_supervised_learner(problem):
    X, _, truth = problem
    tagger = SemiSupervisedTagger(WarpTagger(epochs=5)).fit(X, truth)
    np.testing.assert_array_equal(tagger.coef_, WarpTagger(epochs=5).fit(X, truth).coef_)
    assert np.isnan(tagger.temperature_)


def test_rows_set_aside_lend_no_labels_and_are_not_trained_on(problem):
    X, Y, _ = problem
    tagger = SemiSupervisedTagger(WarpTagger(early_stopping=True, validation_fraction=0.5)).fit(
        X, Y
    )
    held_out = np.flatnonzero(tagger.label_weights_ == 0)
    assert len(held_out) == 10
    assert (held_out < 20).all()
    lenders = np.setdiff1d(np.arange(20), held_out)
    given = propagate_labels(X, Y, lenders, np.arange(20, 200))
    np.testing.assert_array_equal(tagger.propagated_labels_[20:], given.labels)
    assert tagger.temperature_ == given.temperature


def test_rows_of_no_weight_take_no_part(problem):
    X, Y, _ = problem
    weights = np.ones(200)
    weights[[2, 30]] = 0
    used = weights > 0
    tagger = SemiSupervisedTagger(WarpTagger(epochs=3)).fit(X, Y, sample_weight=weights)
    alone = SemiSupervisedTagger(WarpTagger(epochs=3)).fit(X[used], Y[used])
    np.testing.assert_array_equal(tagger.coef_, alone.coef_)


def test_a_single_column_marks_rows_as_scikit_learn_does(problem):
    X, Y, truth = problem
    y = np.where(Y[:, 0] == -1, -1, truth[:, 0] + 3)  # classes 3 and 4
    tagger = SemiSupervisedTagger(WarpTagger(epochs=5)).fit(X, y)
    np.testing.assert_array_equal(tagger.classes_, [3, 4])
    assert (tagger.label_weights_ < 1).sum() == 180
    column = SemiSupervisedTagger(WarpTagger(epochs=5)).fit(X, Y[:, :1])
    np.testing.assert_array_equal(tagger.decision_function(X), column.decision_function(X)[:, 0])


def test_minus_one_beside_one_class_is_a_class(problem):
    X, _, truth = problem
    tagger = SemiSupervisedTagger(WarpTagger(epochs=5)).fit(X, 2 * truth[:, 0] - 1)
    np.testing.assert_array_equal(tagger.classes_, [-1, 1])
    assert np.isnan(tagger.temperature_)


def test_no_labeled_row():
    with pytest.raises(InputError, match="no positive label at all"):
        SemiSupervisedTagger().fit(np.eye(4), np.full((4, 2), -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": "median"}, "temperature must be one of mean_all"),
        ({"labeled_weight": 0.0}, "'labeled_weight' parameter of SemiSupervisedTagger"),
    ],
)
def test_wrong_parameters(problem, options, message):
    X, Y, _ = problem
    with pytest.raises(InputError, match=message):
        SemiSupervisedTagger(**options).fit(X, Y)


def test_presets():
    official = SemiSupervisedTagger.from_preset("official", estimator__epochs=4)
    warp = official.estimator
    settings = warp.beta, warp.kappa, official.labeled_weight, warp.divisor, warp.epochs
    assert settings == (0.9, 1.0, 5.0, 200.0, 4)
    paper = SemiSupervisedTagger.from_preset("paper")
    assert (paper.labeled_weight, paper.estimator.kappa) == (1.0, 5.0)
    with pytest.raises(InputError, match="must be one of paper, official. Got 'code'"):
        SemiSupervisedTagger.from_preset("code")


def test_any_tagger_with_sample_weights_is_fitted_to_labeled_rows_and_then_the_others(problem):
    X, Y, truth = problem
    order = np.random.default_rng(1).permutation(200)
    shuffled, labels = X[order], Y[order]
    labeled, unlabeled = np.flatnonzero(order < 20), np.flatnonzero(order >= 20)
    tagger = SemiSupervisedTagger(LogisticTagger("l2", C=0.1), labeled_weight=5.0)
    tagger.fit(shuffled, labels)
    given = propagate_labels(shuffled, labels, labeled, unlabeled)
    rows = np.concatenate([labeled, unlabeled])
    weights = np.concatenate([np.full(20, 5.0), given.weights])
    peer = LogisticTagger("l2", C=0.1)
    peer.fit(shuffled[rows], np.concatenate([labels[labeled], given.labels]), weights)
    np.testing.assert_array_equal(tagger.coef_, peer.coef_)
    np.testing.assert_array_equal(tagger.decision_function(X), peer.decision_function(X))
    assert (tagger.predict(X[20:]) == truth[20:]).mean() > 0.9


def test_init_sees_labeled_rows_only(problem):
    X, Y, _ = problem
    start = {"init": LogisticTagger("l2"), "epochs": 1, "learning_rate": 1e-12}
    tagger = SemiSupervisedTagger(WarpTagger(**start)).fit(X, Y)
    bare = LogisticTagger("l2").fit(X, Y)  # unlabeled rows have no part in its loss
    np.testing.assert_allclose(tagger.coef_, bare.coef_, atol=1e-6)


def test_arrays_of_the_estimator_restore_it(problem):
    X, Y, _ = problem
    tagger = SemiSupervisedTagger(WarpTagger(epochs=2)).fit(X, Y)
    again = clone(tagger).set_arrays(tagger.to_arrays(), n_features=6, n_labels=4)
    np.testing.assert_array_equal(again.decision_function(X), tagger.decision_function(X))
    np.testing.assert_array_equal(again.predict(X), tagger.predict(X))


def test_an_estimator_without_sample_weights_is_refused(problem):
    X, Y, _ = problem
    with pytest.raises(InputError, match="must take sample weights, as .* Got InteractiveTagger"):
        SemiSupervisedTagger(InteractiveTagger()).fit(X, Y)
