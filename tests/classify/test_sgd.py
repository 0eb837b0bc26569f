import numpy as np
import pytest

from classify import row_blocks
from classify.row_blocks import mean_norm, mean_row
from classify.sgd import Settings, sgd_epochs
from features.errors import InputError

DEFAULTS = {
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "batch_size": 8,
    "epochs": 10,
    "center": None,
    "scale": 2.0,
    "average": False,
}


@pytest.fixture
def problem():
    """Features and targets of a least-squares problem: 21 rows, 5 features, 3 outputs."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(21, 5)), rng.normal(size=(21, 3))


def squares(T):
    def loss(rows, scores, epoch):
        difference = scores - T[rows]
        return (difference**2).sum(axis=1) / 2, difference

    return loss


def descend(X, T, rows=None, loss=None, **settings):
    rows = np.arange(len(X)) if rows is None else rows
    zeros = np.zeros((T.shape[1], X.shape[1])), np.zeros(T.shape[1])
    rng = np.random.default_rng(1)
    options = Settings(**{**DEFAULTS, **settings})
    return list(sgd_epochs(X, rows, loss or squares(T), *zeros, settings=options, rng=rng))


def literal(
    X, T, rows, learning_rate, momentum, weight_decay, batch_size, epochs, center, scale, average
):
    """The update as it is written, on scaled features."""
    center = np.zeros(X.shape[1]) if center is None else center
    X, rng = (X - center) / scale, np.random.default_rng(1)
    W, b = np.zeros((X.shape[1], T.shape[1])), np.zeros(T.shape[1])
    V, v, iterates, losses = np.zeros_like(W), np.zeros_like(b), [], []
    for epoch in range(epochs):
        rate = learning_rate / 10 ** ((epoch >= 0.6 * epochs) + (epoch >= 0.8 * epochs))
        order, losses = rng.permutation(rows), []
        for start in range(0, len(rows), batch_size):
            batch = order[start : start + batch_size]
            difference = X[batch] @ W + b - T[batch]
            losses.extend((difference**2).sum(axis=1) / 2)
            V = momentum * V - rate * (X[batch].T @ difference / len(batch) + weight_decay * W)
            v = momentum * v - rate * difference.mean(axis=0)
            W, b = W + V, b + v
            if epoch >= 0.6 * epochs:
                iterates.append((W, b))
    if average:
        W, b = (np.mean(parts, axis=0) for parts in zip(*iterates, strict=True))
    return W.T / scale, b - center @ W / scale, np.mean(losses)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight_decay": 0.3},
        {"average": True},
        {"momentum": 0.0},
        {"batch_size": 100},
        {"center": np.arange(5.0)},
    ],
    ids=lambda settings: "".join(settings) or "plain",
)
@pytest.mark.parametrize("rows", [np.arange(21), np.array([3, 4, 9, 20])], ids=["all", "some"])
def test_every_update_is_the_written_one(problem, settings, rows):
    last = descend(*problem, rows=rows, **settings)[-1]
    coef, intercept, loss = literal(*problem, rows, **{**DEFAULTS, **settings})
    np.testing.assert_allclose(last.coef, coef, rtol=1e-10)
    np.testing.assert_allclose(last.intercept, intercept, rtol=1e-10)
    assert last.loss == pytest.approx(loss)
    decay = settings.get("weight_decay", 0.0)
    assert last.penalty == pytest.approx(decay / 2 * (4 * coef**2).sum())  # scale 2


@pytest.mark.parametrize("center", [None, np.arange(5.0)], ids=["as they are", "centered"])
def test_the_start_is_given_for_features_as_they_are(problem, center):
    X, T = problem
    coef, intercept = np.arange(15.0).reshape(3, 5), np.arange(3.0)
    given = {"epochs": 1, "batch_size": 21, "learning_rate": 1e-15, "center": center}
    options = Settings(**{**DEFAULTS, **given})
    seen = []

    def loss(rows, scores, epoch):
        seen.append((rows, scores.copy()))
        return squares(T)(rows, scores, epoch)

    rng = np.random.default_rng(0)
    (epoch,) = sgd_epochs(X, np.arange(21), loss, coef, intercept, settings=options, rng=rng)
    np.testing.assert_allclose(seen[0][1], X[seen[0][0]] @ coef.T + intercept)
    np.testing.assert_allclose(epoch.coef, coef, atol=1e-12)
    np.testing.assert_allclose(epoch.intercept, intercept, atol=1e-12)


def test_a_memory_mapped_matrix_gives_the_same_bits(problem, tmp_path):
    X, T = problem
    X.tofile(tmp_path / "features")
    mapped = np.memmap(tmp_path / "features", dtype=X.dtype, mode="r", shape=X.shape)
    np.testing.assert_array_equal(descend(mapped, T)[-1].coef, descend(X, T)[-1].coef)


def test_float32_stays_float32(problem):
    X, T = problem
    last = descend(X.astype(np.float32), T)[-1]
    assert last.coef.dtype == last.intercept.dtype == np.float32
    np.testing.assert_allclose(last.coef, descend(X, T)[-1].coef, rtol=1e-4, atol=1e-6)


def test_a_later_epoch_does_not_change_an_earlier_one(problem):
    epochs = descend(*problem)
    assert len(epochs) == 10
    assert not np.array_equal(epochs[0].coef, epochs[-1].coef)
    assert not np.array_equal(epochs[0].intercept, epochs[-1].intercept)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("epochs", [1, 200])  # in the last step, and in one before
def test_divergence_is_an_error_that_names_the_learning_rate(problem, epochs):
    X, T = problem
    rate = 1e308 if epochs == 1 else 10
    with pytest.raises(InputError, match=r"diverged in epoch \d+: learning_rate=.* too large"):
        descend(100 * X, T, learning_rate=rate, batch_size=21, epochs=epochs)


def test_means_are_weighted_and_read_in_blocks(monkeypatch):
    X = np.random.default_rng(0).normal(size=(30, 4))
    rows, weights = np.arange(2, 30, 2), np.arange(14.0)
    center = np.average(X[rows], axis=0, weights=weights)
    monkeypatch.setattr(row_blocks, "ROWS_AT_ONCE", 3)
    np.testing.assert_allclose(mean_row(X, rows, weights), center, rtol=1e-12)
    for point in (None, center):
        lengths = np.linalg.norm(X[rows] - (0 if point is None else point), axis=1)
        expected = np.average(lengths, weights=weights)
        assert mean_norm(X, rows, weights, point) == pytest.approx(expected, rel=1e-12)
    assert mean_norm(np.zeros((5, 2)), np.arange(5), np.ones(5)) == 1.0
