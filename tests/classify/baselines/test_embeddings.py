"""Wsabie and Fast0Tag, the descent they share, and label vectors."""

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from classify.baselines.adam import adam_epochs
from classify.baselines.fast0tag import Fast0TagTagger
from classify.baselines.label_embeddings import ppmi_vectors
from classify.baselines.wsabie import WsabieTagger
from features.errors import InputError

TAGGERS = [WsabieTagger, Fast0TagTagger]


@parametrize_with_checks([WsabieTagger(8, epochs=10), Fast0TagTagger(hidden=16, epochs=10)])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def problem():
    """240 rows of 20 features, 6 labels; a linear model of rank 3 fits them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 20)) + 1
    scores = X @ rng.normal(size=(20, 3)) @ rng.normal(size=(3, 6))
    Y = (scores > np.quantile(scores, 0.7, axis=0)).astype(np.int8)
    Y[np.arange(240), (scores - scores.mean(axis=0)).argmax(axis=1)] = 1
    return X, Y


@pytest.mark.parametrize("tagger", TAGGERS)
@pytest.mark.parametrize("threshold", [True, False])
def test_gradients_are_finite_differences(problem, tagger, threshold):
    X, Y = problem[0][:9], problem[1][:9].copy()
    Y[::2, 1] = -1
    model = tagger(threshold=threshold, epochs=2).fit(X, Y)
    weights = np.linspace(0.5, 1.5, len(X))
    _, slopes = model._loss_and_slopes(X, Y, weights)
    # Rank weights are taken as constant: hold them by a step that passes no kink.
    rng = np.random.default_rng(1)
    for array, slope in zip(model._arrays(), slopes, strict=True):
        direction = rng.normal(size=array.shape)
        ends = []
        for step in (1e-7, -2e-7):
            array += step * direction
            ends.append(model._loss_and_slopes(X, Y, weights)[0].mean())
        array += 1e-7 * direction
        assert (ends[0] - ends[1]) / 2e-7 == pytest.approx((slope * direction).sum(), rel=1e-4)


@pytest.mark.parametrize("tagger", TAGGERS)
def test_learns_to_rank_from_partial_labels(problem, tagger):
    X, Y = problem
    partial = Y[:160].copy()
    partial[np.random.default_rng(0).random(partial.shape) < 0.4] = -1
    model = tagger(epochs=60).fit(X[:160], partial)
    base = label_ranking_average_precision_score(Y[160:], np.tile(Y.mean(axis=0), (80, 1)))
    scores = model.decision_function(X[160:])
    assert label_ranking_average_precision_score(Y[160:], scores) > base + 0.2
    assert (model.predict(X[160:]) == Y[160:]).mean() > 0.75
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("tagger", TAGGERS)
def test_rows_without_a_known_label_or_a_weight_take_no_part(problem, tagger):
    X, Y = problem[0].copy(), problem[1].copy()
    weights = np.ones(len(X))
    Y[3], weights[5], X[3] = -1, 0, 1e3
    used = np.setdiff1d(np.arange(len(X)), [3, 5])
    whole = tagger(epochs=2).fit(X, Y, sample_weight=weights)
    part = tagger(epochs=2).fit(X[used], Y[used])
    np.testing.assert_array_equal(whole.decision_function(X[:9]), part.decision_function(X[:9]))


@pytest.mark.parametrize("tagger", TAGGERS)
def test_equal_to_the_last_bit_whatever_the_threads(problem, tagger):
    X, Y = problem
    with threadpool_limits(1):
        one = tagger(epochs=2).fit(X, Y)._arrays()
    for ours, theirs in zip(one, tagger(epochs=2).fit(X, Y)._arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = tagger(epochs=2, random_state=1).fit(X, Y)._arrays()
    assert not np.array_equal(one[0], other[0])


def test_wsabie_keeps_its_vectors_short(problem):
    model = WsabieTagger(5, max_norm=0.5, learning_rate=0.3, epochs=3).fit(*problem)
    for vectors in model._arrays():
        assert np.linalg.norm(vectors, axis=1).max() <= 0.5 + 1e-12
    assert model.label_vectors_.shape == (6, 5)


def test_given_word_vectors_are_used(problem):
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    model = Fast0TagTagger(vectors, epochs=2).fit(*problem)
    np.testing.assert_array_equal(model.word_vectors_, vectors)
    assert np.linalg.matrix_rank(model.decision_function(problem[0])) == 4
    with pytest.raises(InputError, match=r"word_vectors has shape \(5, 4\) and y 6 labels"):
        Fast0TagTagger(vectors[:5]).fit(*problem)


@pytest.mark.parametrize("tagger", TAGGERS)
def test_what_cannot_be_fitted(problem, tagger):
    X, Y = problem
    with pytest.raises(InputError, match="ranks labels against each other, and y has one only"):
        tagger(threshold=False).fit(X, Y[:, 0])
    one_row = np.where(np.arange(240)[:, None] == 7, Y, -1)
    with pytest.raises(InputError, match="no row has both"):
        tagger().fit(X, one_row, sample_weight=np.arange(240) != 7)
    with pytest.raises(InputError, match="'epochs' parameter of .* must be an int"):
        tagger(epochs=0).fit(X, Y)


def test_adam_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="compared with torch")
    rng = np.random.default_rng(0)
    A, target = rng.normal(size=(5, 3)), rng.normal(size=5)
    w = np.ones(3)
    peer = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.Adam([peer], lr=0.1)
    drops = torch.optim.lr_scheduler.MultiStepLR(optimizer, [6, 8], gamma=0.1)

    def gradients(rows):
        error = A @ w - target
        return np.full(len(rows), (error**2).sum() / 2), [A.T @ error]

    settings = {"learning_rate": 0.1, "batch_size": 4, "epochs": 10}
    for _ in adam_epochs([w], gradients, np.arange(4), rng=rng, **settings):
        optimizer.zero_grad()
        ((torch.tensor(A) @ peer - torch.tensor(target)) ** 2).sum().div(2).backward()
        optimizer.step()
        drops.step()
    np.testing.assert_allclose(w, peer.detach().numpy(), rtol=1e-6)


def test_divergence_is_one_line():
    w = np.ones(1)

    def gradients(rows):
        return np.full(len(rows), np.inf), [w]

    settings = {"learning_rate": 0.5, "batch_size": 2, "epochs": 3}
    with pytest.raises(InputError, match="diverged in epoch 1: learning_rate=0.5 is too large"):
        list(adam_epochs([w], gradients, np.arange(2), rng=np.random.default_rng(0), **settings))


def test_vectors_follow_the_mutual_information_of_known_cells():
    Y = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [-1, 1, 1, 0]])
    information = np.zeros((4, 4))
    for j, k in np.ndindex(3, 3):
        both = (Y[:, j] != -1) & (Y[:, k] != -1)
        shares = [(Y[both, i] == 1).mean() for i in (j, k)]
        together = ((Y[both, j] == 1) & (Y[both, k] == 1)).mean()
        if together:
            information[j, k] = max(0, np.log(together / np.prod(shares)))
    assert information[0, 1] == pytest.approx(np.log(2))
    values, directions = np.linalg.eigh(information)
    products = directions * np.abs(values) @ directions.T  # U S U' of the singular values
    lengths = np.sqrt(np.diag(products)[:3])
    vectors = ppmi_vectors(Y, 6)
    assert vectors.shape == (4, 6) and not vectors[3].any()
    expected = products[:3, :3] / lengths / lengths[:, None]
    np.testing.assert_allclose((vectors @ vectors.T)[:3, :3], expected, atol=1e-5)
