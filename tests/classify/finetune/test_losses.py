"""Losses of fine-tuning: the numpy ones' values and gradients, and triplets by plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.finetune import embedding_losses, losses
from classify.losses import ranking, warp
from features.errors import InputError

SCORES = torch.tensor([[0.2, -1.5, 0.9, -0.4, 0.1, -2.0]], dtype=torch.float64)
LABELS = torch.tensor([[1, 1, 0, 0, 0, 0]], dtype=torch.int8)
# The first violator of label 0 comes at draw 2, that of label 1 at draw 1.
UNIFORMS = torch.tensor([[0.1, 0, 0, 0, 0, 0]], dtype=torch.float64)
V = torch.tensor([[0, 0], [0.3, 0.4], [1, 0], [0, 2]], dtype=torch.float64)
IMAGE = torch.tensor([[0.3, 0.0]], dtype=torch.float64)
OWN = torch.tensor([[1, 1, 0, 0]], dtype=torch.int8)


def drawn(seed, b=7, n_labels=9, scale=1.5):
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=scale, size=(b, n_labels))
    labels = rng.choice([-1, 0, 1], p=[0.2, 0.5, 0.3], size=(b, n_labels)).astype(np.int8)
    labels[0], labels[1], labels[2] = 0, 1, -1  # none present, none absent, none known
    return scores, labels, rng.random(scores.shape)


def gradient(value, *tensors):
    return torch.autograd.grad(value, tensors)


PAIRED = {
    "bce": (losses.bce_loss, ranking.bce_loss),
    "softmax": (losses.softmax_loss, ranking.softmax_loss),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PAIRED)
def test_losses_equal_their_numpy_forms(name, seed):
    ours, theirs = PAIRED[name]
    scores, labels, _ = drawn(seed)
    check_pair(ours, theirs, scores, labels)


@pytest.mark.parametrize("mode", ["expected", "exact", "sample"])
@pytest.mark.parametrize("rounding", ["floor", "round"])
@pytest.mark.parametrize("beta, kappa", [(1.0, 5.0), (0.9, 5.0), (0.0, 0.0), (0.0, 2.0)])
def test_warp_equals_its_numpy_form(beta, kappa, rounding, mode):
    scores, labels, uniforms = drawn(4)
    options = {"beta": beta, "kappa": kappa, "rank_mode": mode, "rounding": rounding}
    check_pair(
        lambda s, y: losses.warp_loss(s, y, **options, uniforms=torch.from_numpy(uniforms)),
        lambda s, y: warp.warp_loss(s, y, **options, uniforms=uniforms),
        scores,
        labels,
    )


def check_pair(ours, theirs, scores, labels):
    values, slopes = theirs(scores, labels)
    tensor = torch.tensor(scores, requires_grad=True)
    got = ours(tensor, torch.from_numpy(labels))
    np.testing.assert_allclose(got.detach(), values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient(got.sum(), tensor)[0], slopes, rtol=1e-12, atol=1e-12)


WORKED = {
    "WARP": (0.0, 0.0, "floor", 24.136667, [-4.5, -9.133333, *[3.783333] * 3, 2.283333]),
    "ramp": (1.0, 5.0, "floor", 48.471667, [-9.5, -2.283333, 1.5, 6.5, 6.5, 2.283333]),
    "leaky": (
        0.9, 5.0, "floor", 49.488167, [-9.5, -3.468333, 2.228333, 6.728333, 6.728333, 2.283333],
    ),
    "hinge": (
        0.0, 5.0, "floor", 58.636667, [-9.5, -14.133333, *[8.783333] * 3, 2.283333],
    ),
    "round": (
        1.0, 5.0, "round", 49.471667, [-10.5, -2.283333, 1.833333, 6.833333, 6.833333, 2.283333],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKED)
def test_warp_by_hand(name):
    beta, kappa, rounding, value, slopes = WORKED[name]
    tensor = SCORES.clone().requires_grad_()
    got = losses.warp_loss(
        tensor, LABELS, beta=beta, kappa=kappa, rank_mode="sample", rounding=rounding,
        uniforms=UNIFORMS,
    )  # fmt: skip
    assert got.item() == pytest.approx(value, abs=1e-5)
    np.testing.assert_allclose(gradient(got.sum(), tensor)[0][0], slopes, atol=1e-5)


def test_the_gradient_of_the_weights_is_the_outer_product():
    x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    weights = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    scores = x @ weights + SCORES
    value = losses.warp_loss(scores, LABELS, rank_mode="sample", uniforms=UNIFORMS).sum()
    got = gradient(value, weights)[0]
    np.testing.assert_allclose(got[:, 0], [-9.5, 19, -4.75], atol=1e-5)
    np.testing.assert_allclose(got[:, 1], [-2.283333, 4.566667, -1.141667], atol=1e-5)


def test_bce_and_softmax_by_hand():
    scores = torch.tensor([[1.2, -0.3, 0.0, -2.0]], dtype=torch.float64)
    labels = torch.tensor([[1, 0, 1, 0]], dtype=torch.int8)
    assert losses.bce_loss(scores, labels).item() == pytest.approx(1.637713, abs=1e-6)
    assert losses.softmax_loss(SCORES, LABELS).item() == pytest.approx(2.410434, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 1.5))
def test_hinge_sums_are_those_of_a_double_loop(seed, level):
    scores, labels, _ = drawn(seed, b=4, n_labels=5)
    counts, sums = losses.hinge_sums(torch.from_numpy(scores), torch.from_numpy(labels), level)
    for i in range(4):
        for j in range(5):
            hinges = [level - scores[i, j] + scores[i, k] for k in range(5) if labels[i, k] == 0]
            assert counts[i, j] == sum(h > 0 for h in hinges)
            assert sums[i, j].item() == pytest.approx(sum(max(0, h) for h in hinges), abs=1e-9)


# --- constrained ranking


def test_triplets_by_hand():
    of_image, of_labels = embedding_losses.constrained_triplets(IMAGE, V, OWN)
    assert of_image.sums.item() == pytest.approx(0.3) and of_image.counts.item() == 4
    assert of_labels.sums.item() == pytest.approx(0.193774, abs=1e-6)
    assert of_labels.means().item() == pytest.approx(0.0484435, abs=1e-6)
    with_self = embedding_losses.constrained_triplets(IMAGE, V, OWN, include_self=True)[1]
    assert with_self.sums.item() == pytest.approx(0.193774, abs=1e-6)
    assert with_self.means().item() == pytest.approx(0.0242218, abs=1e-6)


def test_the_constrained_ranking_loss_by_hand():
    got = embedding_losses.constrained_ranking_loss(IMAGE, V, OWN)
    assert got.item() == pytest.approx(0.0617218, abs=1e-6)


@pytest.mark.parametrize("reading", embedding_losses.READINGS)
def test_embeddings_in_one_point_lose_the_margin(reading):
    labels = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    points = torch.ones(4, 3)
    got = embedding_losses.constrained_ranking_loss(points, points, labels, reading=reading)
    assert got.item() == pytest.approx(0.5)


def plain_loops(images, vectors, labels, reading, include_self):
    """The same sums and counts, a triplet at a time."""
    sums, counts = np.zeros((2, len(images))), np.zeros((2, len(images)), dtype=int)
    shared = [[bool(((a == 1) & (b == 1)).any()) for b in labels] for a in labels]

    def distance(a, b):
        return float(np.linalg.norm(a - b))

    for i, (image, row) in enumerate(zip(images, labels, strict=True)):
        if reading == "A":
            near, far = np.flatnonzero(row == 1), np.flatnonzero(row == 0)
            anchors = list(near)
        else:
            near, far = np.flatnonzero(shared[i]), np.flatnonzero(~np.array(shared[i]))
            anchors = [i] if len(near) else []
        for k in far:
            for j in near:
                hinge = 0.5 + distance(image, vectors[j]) - distance(image, vectors[k])
                sums[0, i] += max(0, hinge)
                counts[0, i] += 1
                for a in anchors:
                    if a != j or include_self:
                        hinge = distance(vectors[a], vectors[j]) - distance(vectors[a], vectors[k])
                        sums[1, i] += max(0, 0.5 + hinge)
                        counts[1, i] += 1
    return sums, counts


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("reading", embedding_losses.READINGS)
@pytest.mark.parametrize("seed", range(3))
def test_triplets_are_those_of_plain_loops(seed, reading, include_self):
    _, labels, _ = drawn(seed)
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(7, 4))
    vectors = rng.normal(size=(9 if reading == "A" else 7, 4))
    sums, counts = plain_loops(images, vectors, labels, reading, include_self)
    got = embedding_losses.constrained_triplets(
        *map(torch.from_numpy, (images, vectors, labels)),
        reading=reading, include_self=include_self,
    )  # fmt: skip
    known = embedding_losses.triplet_counts(
        torch.from_numpy(labels), reading=reading, include_self=include_self
    )
    for kind in range(2):
        np.testing.assert_allclose(got[kind].sums, sums[kind], atol=1e-10)
        np.testing.assert_array_equal(got[kind].counts, counts[kind])
        np.testing.assert_array_equal(known[kind], counts[kind])


@pytest.mark.parametrize("reading", embedding_losses.READINGS)
def test_the_constrained_gradient_is_that_of_finite_differences(reading):
    _, labels, _ = drawn(5, b=5, n_labels=5)
    torch.manual_seed(0)
    images = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    vectors = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    loss = lambda a, b: embedding_losses.constrained_ranking_loss(  # noqa: E731
        a, b, torch.from_numpy(labels), reading=reading
    )
    assert torch.autograd.gradcheck(loss, (images, vectors))


def test_a_vector_on_its_anchor_gets_a_finite_gradient():
    vectors = torch.zeros(4, 2, requires_grad=True)
    images = torch.zeros(1, 2, requires_grad=True)
    kinds = embedding_losses.constrained_triplets(images, vectors, OWN, include_self=True)
    loss = sum(kind.sums.sum() for kind in kinds)
    assert all(g.isfinite().all() for g in gradient(loss, images, vectors))


def test_mse_is_the_squared_distance():
    got = embedding_losses.embedding_mse(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]]))
    assert got.tolist() == [5.0]


def test_unknown_options_are_named():
    with pytest.raises(InputError, match="'reading' option must be one of A, B. Got 'C'"):
        embedding_losses.constrained_ranking_loss(IMAGE, V, OWN, reading="C")
    with pytest.raises(InputError, match="mode is one of"):
        losses.warp_loss(SCORES, LABELS, rank_mode="guess")
