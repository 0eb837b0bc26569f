import numpy as np
import pytest
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.baselines.latent_noise import (
    LatentNoiseTagger,
    latent_noise_loss,
    mention_probability,
)
from classify.logistic import LogisticTagger
from classify.metrics import mean_average_precision
from features.errors import InputError


@parametrize_with_checks([LatentNoiseTagger(epochs=10), LatentNoiseTagger("relevance", epochs=10)])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def problem():
    """Labels of which a part of the present ones is not mentioned."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)) + 1
    seen = X @ rng.normal(size=(6, 4)) > 1
    said = seen & (rng.random(seen.shape) < expit(2 * X[:, :4]))
    return X, seen.astype(np.int8), said.astype(np.int8)


def test_worked_mention():
    assert mention_probability(0.8, 0.9, 0.2) == pytest.approx(0.76)


def test_loss_is_the_cross_entropy_of_mentions_and_its_gradient_finite_differences():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(5, 12)), rng.integers(-1, 2, (5, 4)).astype(np.int8)
    values, gradient = latent_noise_loss(scores, labels)
    h = mention_probability(*np.split(expit(scores), 3, axis=1))
    cells = np.where(labels == 1, -np.log(h), -np.log(1 - h)) * (labels >= 0)
    np.testing.assert_allclose(values, cells.sum(axis=1))
    for index in np.ndindex(scores.shape):
        step = np.zeros(scores.shape)
        step[index] = 1e-6
        change = (
            latent_noise_loss(scores + step, labels)[0]
            - latent_noise_loss(scores - step, labels)[0]
        )
        assert gradient[index] == pytest.approx(change.sum() / 2e-6, abs=1e-7)
    assert not gradient[np.tile(labels == -1, 3)].any()
    for extreme in (-800.0, 800.0):
        values, gradient = latent_noise_loss(np.full((1, 3), extreme), np.array([[1]]))
        assert np.isfinite(values).all() and np.isfinite(gradient).all()


def test_equal_relevances_leave_presence_without_a_gradient():
    scores = np.array([[0.7, 1.2, 1.2]])
    assert latent_noise_loss(scores, np.array([[1]], dtype=np.int8))[1][0, 0] == 0


def test_learns_mentions_and_presence(problem):
    X, seen, said = problem
    model = LatentNoiseTagger("relevance", epochs=60).fit(X, said)
    plain = LogisticTagger("l2").fit(X, said).decision_function(X)
    relevance = model.decision_function(X)
    visual = LatentNoiseTagger(epochs=60).fit(X, said).decision_function(X)
    assert mean_average_precision(said, relevance) > mean_average_precision(said, plain) + 0.01
    assert mean_average_precision(seen, visual) > 0.9
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    parts = np.split(expit(X @ model.coef_.T + model.intercept_), 3, axis=1)
    np.testing.assert_allclose(expit(relevance), mention_probability(*parts), atol=1e-6)
    np.testing.assert_allclose(visual, (X @ model.coef_.T + model.intercept_)[:, :4], atol=1e-6)


def test_a_start_from_logistic_regression(problem):
    X, _, said = problem
    settings = {"start_present": 1 - 1e-6, "start_absent": 1e-6}
    model = LatentNoiseTagger(
        init=LogisticTagger("l2"), learning_rate=1e-9, epochs=1, **settings
    ).fit(X, said)
    peer = LogisticTagger("l2").fit(X, said)
    np.testing.assert_allclose(model.coef_[:4], peer.coef_, atol=1e-6)
    relevance = model.set_params(output="relevance").decision_function(X)
    np.testing.assert_allclose(expit(relevance), expit(peer.decision_function(X)), atol=1e-5)


def test_rows_without_a_known_label_or_a_weight_take_no_part(problem):
    X, Y = problem[0].copy(), problem[2].copy()
    weights = np.ones(len(X))
    Y[3], weights[5], X[3] = -1, 0, 1e3
    used = np.setdiff1d(np.arange(len(X)), [3, 5])
    whole = LatentNoiseTagger(epochs=2).fit(X, Y, sample_weight=weights)
    part = LatentNoiseTagger(epochs=2).fit(X[used], Y[used])
    np.testing.assert_array_equal(whole.coef_, part.coef_)
    one_row = np.where(np.arange(len(Y))[:, None] == 7, 1, -1) * np.ones_like(Y)
    with pytest.raises(InputError, match="no row has both"):
        LatentNoiseTagger().fit(X, one_row, sample_weight=np.arange(len(X)) != 7)
    with pytest.raises(InputError, match="'output' parameter of LatentNoiseTagger must be one of"):
        LatentNoiseTagger("noise").fit(X, Y)
