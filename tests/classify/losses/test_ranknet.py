import numpy as np
import pytest

from classify.losses.ranknet import ranknet_loss, with_threshold
from classify.losses.warp import rank_weight, wsabie_loss

LOSSES = [wsabie_loss, ranknet_loss, with_threshold(wsabie_loss), with_threshold(ranknet_loss)]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (6, 9)).astype(np.int8)
    labels[0], labels[1], labels[2], labels[3, :3] = 1, 0, -1, (0, 1, 1)
    return rng.normal(size=labels.shape), labels


@pytest.mark.parametrize("loss", [ranknet_loss, with_threshold(ranknet_loss)])
def test_gradients_are_finite_differences(batch, loss):
    scores, labels = batch
    _, gradient = loss(scores, labels)
    for index in np.ndindex(scores.shape):
        step = np.zeros(scores.shape)
        step[index] = 1e-6
        change = loss(scores + step, labels)[0] - loss(scores - step, labels)[0]
        assert gradient[index] == pytest.approx(change.sum() / 2e-6, abs=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_unknown_labels_are_as_good_as_not_there(batch, loss):
    scores, labels = batch
    values, gradient = loss(scores, labels)
    for row, known in enumerate(labels >= 0):
        alone = loss(scores[row : row + 1, known], labels[row : row + 1, known])
        assert values[row] == pytest.approx(alone[0][0])
        np.testing.assert_allclose(gradient[row, known], alone[1][0])
        assert not gradient[row, ~known].any()


def test_ranknet_is_the_mean_over_pairs(batch):
    scores, labels = batch
    for row in range(3, 6):
        gaps = scores[row][labels[row] == 0] - scores[row][labels[row] == 1][:, None]
        expected = np.logaddexp(0, gaps).mean() if gaps.size else 0.0
        assert ranknet_loss(scores, labels)[0][row] == pytest.approx(expected)
    assert not ranknet_loss(scores, labels)[0][:3].any()
    assert np.isfinite(ranknet_loss(1e4 * scores, labels)[1]).all()


def test_wsabie_is_the_mean_of_its_draws():
    scores = np.array([[0.2, -1.5, 0.9, -0.4, 0.1, -2.0]])
    labels = np.array([[1, 1, 0, 0, 0, 0]], dtype=np.int8)
    rng = np.random.default_rng(0)
    totals, gradients = [], []
    for _ in range(4000):  # the algorithm as Weston, Bengio and Usunier state it
        total, gradient = 0.0, np.zeros(6)
        for positive in (0, 1):
            for draw, negative in enumerate(rng.permutation([2, 3, 4, 5]), start=1):
                hinge = 1 - scores[0, positive] + scores[0, negative]
                if hinge > 0:
                    weight = rank_weight(5 // draw)
                    total += weight * hinge
                    gradient[positive] -= weight
                    gradient[negative] += weight
                    break
        totals.append(total)
        gradients.append(gradient)
    values, expected = wsabie_loss(scores, labels)
    spread = np.std(gradients, axis=0).max()
    assert values[0] == pytest.approx(np.mean(totals), abs=4 * np.std(totals) / 63)
    np.testing.assert_allclose(expected[0], np.mean(gradients, axis=0), atol=4 * spread / 63)


def test_the_threshold_lies_between_present_and_absent():
    loss = with_threshold(ranknet_loss)
    labels = np.array([[1, 0, -1]], dtype=np.int8)
    values, gradient = loss(np.array([[2.0, 1.0, 5.0]]), labels)
    pairs = np.logaddexp(0, [1.0 - 2.0, 0.0 - 2.0])
    assert values[0] == pytest.approx(pairs.mean() + np.logaddexp(0, 1.0))
    assert gradient[0, 0] < 0 < gradient[0, 1]
