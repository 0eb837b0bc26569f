import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.warp.propagation import propagate_labels
from classify.warp.semi_supervised import SemiSupervisedWarpTagger
from classify.warp.tagger import WarpTagger
from features.errors import InputError


@parametrize_with_checks([SemiSupervisedWarpTagger()])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def problem():
    """200 rows in four clusters with two labels each; 20 of them labelled, one of those in part."""
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


def test_unlabelled_rows_help(problem):
    X, Y, truth = problem
    tagger = SemiSupervisedWarpTagger().fit(X, Y)
    labels = tagger.propagated_labels_
    np.testing.assert_array_equal(labels[:20], Y[:20])
    assert (labels[20:] == truth[20:]).mean() > 0.9
    assert (tagger.predict(X[20:]) == truth[20:]).mean() > 0.9


def test_it_is_the_supervised_learner_on_propagated_labels_and_weights(problem):
    X, Y, _ = problem
    tagger = SemiSupervisedWarpTagger(labelled_weight=5.0, temperature=2.0, epochs=8).fit(X, Y)
    given = propagate_labels(X, Y, np.arange(20), np.arange(20, 200), temperature=2.0)
    labels = np.concatenate([Y[:20], given.labels])
    weights = np.concatenate([np.full(20, 5.0), given.weights])
    np.testing.assert_array_equal(tagger.label_weights_, weights)
    assert tagger.temperature_ == 2.0
    # A sample weight is divided by the mean, the weights of the paper are not.
    peer = WarpTagger(epochs=8, divisor=20 / weights.mean())
    peer.fit(X, labels, sample_weight=weights)
    np.testing.assert_allclose(tagger.coef_, peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(tagger.loss_curve_, peer.loss_curve_, rtol=1e-8)


def test_without_unlabelled_rows_it_is_the_supervised_learner(problem):
    X, _, truth = problem
    tagger = SemiSupervisedWarpTagger(epochs=5).fit(X, truth)
    np.testing.assert_array_equal(tagger.coef_, WarpTagger(epochs=5).fit(X, truth).coef_)
    assert np.isnan(tagger.temperature_)


def test_rows_set_aside_lend_no_labels_and_are_not_trained_on(problem):
    X, Y, _ = problem
    tagger = SemiSupervisedWarpTagger(early_stopping=True, validation_fraction=0.5).fit(X, Y)
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
    tagger = SemiSupervisedWarpTagger(epochs=3).fit(X, Y, sample_weight=weights)
    alone = SemiSupervisedWarpTagger(epochs=3).fit(X[used], Y[used])
    np.testing.assert_array_equal(tagger.coef_, alone.coef_)


def test_a_single_column_marks_rows_as_scikit_learn_does(problem):
    X, Y, truth = problem
    y = np.where(Y[:, 0] == -1, -1, truth[:, 0] + 3)  # classes 3 and 4
    tagger = SemiSupervisedWarpTagger(epochs=5).fit(X, y)
    np.testing.assert_array_equal(tagger.classes_, [3, 4])
    assert (tagger.label_weights_ < 1).sum() == 180
    column = SemiSupervisedWarpTagger(epochs=5).fit(X, Y[:, :1])
    np.testing.assert_array_equal(tagger.decision_function(X), column.decision_function(X)[:, 0])


def test_minus_one_beside_one_class_is_a_class(problem):
    X, _, truth = problem
    tagger = SemiSupervisedWarpTagger(epochs=5).fit(X, 2 * truth[:, 0] - 1)
    np.testing.assert_array_equal(tagger.classes_, [-1, 1])
    assert np.isnan(tagger.temperature_)


def test_no_labelled_row():
    with pytest.raises(InputError, match="no positive label at all"):
        SemiSupervisedWarpTagger().fit(np.eye(4), np.full((4, 2), -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": "median"}, "temperature must be one of mean_all"),
        ({"labelled_weight": 0.0}, "'labelled_weight' parameter of SemiSupervisedWarpTagger"),
    ],
)
def test_wrong_parameters(problem, options, message):
    X, Y, _ = problem
    with pytest.raises(InputError, match=message):
        SemiSupervisedWarpTagger(**options).fit(X, Y)


def test_presets():
    official = SemiSupervisedWarpTagger.from_preset("official")
    settings = official.beta, official.kappa, official.labelled_weight, official.divisor
    assert settings == (0.9, 1.0, 5.0, 200.0)
    assert SemiSupervisedWarpTagger.from_preset("paper").labelled_weight == 1.0
