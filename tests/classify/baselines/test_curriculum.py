import numpy as np
import pytest
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.baselines.curriculum import CurriculumTagger, known_share_weight
from classify.logistic import LogisticTagger
from classify.metrics import mean_average_precision
from features.errors import InputError
from features.missing import hide


@parametrize_with_checks([CurriculumTagger(tol=1e-13)])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 8))
    Y = (X @ rng.normal(size=(8, 5)) + 0.3 * rng.normal(size=(120, 5)) > 0.4).astype(np.int8)
    return X, Y, hide(Y, 0.6, seed=0)


def test_worked_weights_and_partial_cross_entropy():
    np.testing.assert_allclose(known_share_weight([0.1, 0.5, 1]), [5.005, 3.225, 1])
    labels = np.array([[1, -1, 0], [-1, -1, 1]])
    logits = np.array([[2, 0.3, -1], [-0.4, 0.2, 0.1]])
    known = labels >= 0
    cells = known * np.logaddexp(0, np.where(labels == 1, -logits, logits))
    losses = known_share_weight(known.mean(axis=1)) * cells.sum(axis=1) / 3
    np.testing.assert_allclose(losses, [0.364379, 0.852036], atol=1e-6)


def test_without_rounds_it_is_at_the_optimum_of_the_partial_cross_entropy(problem):
    X, _, Y = problem
    C = 3.0
    model = CurriculumTagger(C, rounds=0, tol=1e-10).fit(X, Y)
    known = Y >= 0
    weights = known_share_weight(known.mean(axis=1))
    residuals = known * (expit(model.decision_function(X)) - (Y == 1)) * weights[:, None]
    np.testing.assert_allclose(model.coef_ + C * residuals.T @ X, 0, atol=1e-3)
    np.testing.assert_allclose(model.intercept_ + C * residuals.sum(axis=0), 0, atol=1e-3)
    assert model.known_curve_ == [known.sum()]


def test_it_labels_what_it_is_sure_of_and_keeps_what_is_known(problem):
    X, truth, Y = problem
    model = CurriculumTagger(10.0, score_threshold=1.5, rounds=4).fit(X, Y)
    known = Y >= 0
    np.testing.assert_array_equal(model.labels_[known], Y[known])
    added = ~known & (model.labels_ >= 0)
    assert added.sum() > 50 and (model.labels_ == truth)[added].mean() > 0.85
    assert (np.diff(model.known_curve_) > 0).all()
    first = LogisticTagger("l2", C=10.0)
    first.fit(X, Y, sample_weight=known_share_weight(known.mean(axis=1)))
    scores = first.decision_function(X)
    once = CurriculumTagger(10.0, score_threshold=1.5, rounds=1).fit(X, Y).labels_
    np.testing.assert_array_equal(once == 1, np.where(known, Y == 1, scores > 1.5))
    np.testing.assert_array_equal(once == 0, np.where(known, Y == 0, scores < -1.5))


def test_with_all_labels_known_it_is_logistic_regression(problem):
    X, Y, _ = problem
    ours, peer = CurriculumTagger(2.0).fit(X, Y), LogisticTagger("l2", C=2.0).fit(X, Y)
    np.testing.assert_array_equal(ours.coef_, peer.coef_)
    assert mean_average_precision(Y, ours.decision_function(X)) > 0.9


def test_rows_of_no_weight_are_given_no_labels(problem):
    X, _, Y = problem
    weights = (np.arange(len(X)) % 3 > 0) * 1.0
    model = CurriculumTagger(10.0, score_threshold=0.5).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_[weights == 0], Y[weights == 0])
    alone = CurriculumTagger(10.0, score_threshold=0.5).fit(X[weights > 0], Y[weights > 0])
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=0.02)
    with pytest.raises(InputError, match="'score_threshold' parameter of CurriculumTagger must"):
        CurriculumTagger(score_threshold=-1).fit(X, Y)
