"""Ranking losses against worked numbers, finite differences and a literal loop over pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.losses.kernels import count_violators, expected_weights
from classify.losses.ranking import bce_loss, lsep_loss, pairwise_loss, softmax_loss
from classify.losses.warp import (
    pair_loss,
    point_loss,
    ramp,
    ramp_derivative,
    rank_weight,
    rank_weights,
    violators,
    warp_loss,
)
from features.errors import InputError

SCORES = np.array([[0.2, -1.5, 0.9, -0.4, 0.1, -2.0]])
LABELS = np.array([[1, 1, 0, 0, 0, 0]], dtype=np.int8)
# Drawn in the order 5, 3, 2, 4 the first violator of label 0 comes second, that of label 1 first.
UNIFORMS = np.array([[0.1, 0.9, 0, 0, 0, 0]])
WARP = {"beta": 0.0, "kappa": 0.0}


def draws_of(n_violators, n_absent):
    """P(the first violator comes at draw q) for q = 1, 2, ..., by counting."""
    last = n_absent - n_violators + 1
    total = math.comb(n_absent, n_violators)
    return [math.comb(n_absent - q, n_violators - 1) / total for q in range(1, last + 1)]


def literal_rank_weight(m, q, rounding):
    rank = (m - 1) / q
    rank = math.floor(rank + 0.5) if rounding == "round" else math.floor(rank)
    return sum(1 / t for t in range(1, rank + 1))


def literal_ramp(margin, beta):
    return max(0.0, 1 - margin) - beta * max(0.0, -0.8 - margin)


def literal_slope(margin, beta):
    return (-1.0 if margin < 1 else 0.0) + (beta if margin < -0.8 else 0.0)


def literal_warp(scores, labels, *, beta, kappa, rank_mode, rounding):
    """One image, pair by pair, as the objective is written."""
    present = [j for j, y in enumerate(labels) if y == 1]
    absent = [j for j, y in enumerate(labels) if y == 0]
    m = len(present) + len(absent)
    value, gradient = 0.0, [0.0] * len(scores)
    for j in present:
        violating = sum(1 - scores[j] + scores[k] > 0 for k in absent)
        if violating == 0:
            continue
        if rank_mode == "exact":
            weight = sum(1 / t for t in range(1, violating + 1))
        else:
            weight = sum(
                p * literal_rank_weight(m, q, rounding)
                for q, p in enumerate(draws_of(violating, len(absent)), start=1)
            )
        for k in absent:
            margin = scores[j] - scores[k]
            value += weight * literal_ramp(margin, beta)
            gradient[j] += weight * literal_slope(margin, beta)
            gradient[k] -= weight * literal_slope(margin, beta)
    for j in present + absent:
        sign = 1 if labels[j] == 1 else -1
        value += kappa * literal_ramp(sign * scores[j], beta)
        gradient[j] += kappa * sign * literal_slope(sign * scores[j], beta)
    return value, gradient


def random_problem(seed, n_rows, n_labels):
    """Scores on both sides of every kink, with images that lack any of the three kinds of label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, size=(n_rows, n_labels)).astype(np.int8)
    labels[rng.random(n_rows) < 0.2] = rng.integers(-1, 2)
    return rng.normal(scale=1.5, size=(n_rows, n_labels)), labels


def test_worked_ramp():
    at = np.array([2, 1, 0.3, 0, -0.8, -3])
    np.testing.assert_allclose(ramp(at), [0, 0, 0.7, 1, 1.8, 1.8])
    np.testing.assert_allclose(ramp(at, beta=0.9), [0, 0, 0.7, 1, 1.8, 2.02])


def test_worked_rank_weights():
    ranks = [0, 1, 2, 3, 5, 10, 20, 79, 80]
    expected = [0, 1, 1.5, 1.833333, 2.283333, 2.928968, 3.597740, 4.952979, 4.965479]
    np.testing.assert_allclose(rank_weight(ranks), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "value", "gradient"),
    [
        (WARP, 24.136667, [-4.5, -9.133333, 3.783333, 3.783333, 3.783333, 2.283333]),
        ({}, 48.471667, [-9.5, -2.283333, 1.5, 6.5, 6.5, 2.283333]),
        ({"beta": 0.9}, 49.488167, [-9.5, -3.468333, 2.228333, 6.728333, 6.728333, 2.283333]),
        ({"beta": 0.0}, 58.636667, [-9.5, -14.133333, 8.783333, 8.783333, 8.783333, 2.283333]),
        (
            {"rounding": "round"},
            49.471667,
            [-10.5, -2.283333, 1.833333, 6.833333, 6.833333, 2.283333],
        ),
    ],
    ids=["warp", "ramp", "leaky", "hinge", "round"],
)
def test_worked_losses(options, value, gradient):
    loss, slope = warp_loss(SCORES, LABELS, rank_mode="sample", uniforms=UNIFORMS, **options)
    np.testing.assert_allclose(loss, [value], atol=1e-5)
    np.testing.assert_allclose(slope, [gradient], atol=1e-5)


def test_worked_expected_weights():
    # One present label, four absent ones of which 1 to 4 violate, and one more present label.
    labels = np.tile(np.array([1, 1, 0, 0, 0, 0], dtype=np.int8), (4, 1))
    counts = np.zeros((4, 6), dtype=int)
    counts[:, 0] = [1, 2, 3, 4]
    floor = rank_weights(counts, labels)[:, 0]
    nearest = rank_weights(counts, labels, rounding="round")[:, 0]
    np.testing.assert_allclose(floor, [1.445833, 1.808333, 2.0875, 2.283333], atol=1e-6)
    np.testing.assert_allclose(nearest, [1.654167, 2.002778, 2.170833, 2.283333], atol=1e-6)
    np.testing.assert_allclose(draws_of(2, 4), [1 / 2, 1 / 3, 1 / 6])


def test_worked_siblings():
    np.testing.assert_allclose(softmax_loss(SCORES, LABELS)[0], [2.410434], atol=1e-6)
    np.testing.assert_allclose(lsep_loss(SCORES, LABELS)[0], [3.184910], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_labels=st.integers(1, 12),
    beta=st.sampled_from([0.0, 0.9, 1.0]),
    kappa=st.sampled_from([0.0, 5.0]),
    rank_mode=st.sampled_from(["expected", "exact"]),
    rounding=st.sampled_from(["floor", "round"]),
)
def test_agrees_with_a_literal_loop_over_pairs(seed, n_labels, **options):
    scores, labels = random_problem(seed, 5, n_labels)
    values, gradient = warp_loss(scores, labels, **options)
    for i in range(len(scores)):
        value, slope = literal_warp(scores[i].tolist(), labels[i].tolist(), **options)
        np.testing.assert_allclose(values[i], value, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-10, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_labels=st.integers(1, 10))
def test_siblings_agree_with_literal_sums(seed, n_labels):
    scores, labels = random_problem(seed, 6, n_labels)
    for i, (s, y) in enumerate(zip(scores, labels, strict=True)):
        p, n = s[y == 1], s[y == 0]
        gaps = p[:, None] - n
        known = s[y >= 0]
        log_softmax = p - np.log(np.exp(known).sum()) if len(p) else np.zeros(1)
        expected = [
            np.maximum(0, 1 - gaps).sum(),
            -log_softmax.mean(),
            np.log1p(np.exp(-gaps).sum()),
            np.log1p(np.exp(-p)).sum() + np.log1p(np.exp(n)).sum(),
        ]
        losses = [pairwise_loss, softmax_loss, lsep_loss, bce_loss]
        values = [loss(scores, labels)[0][i] for loss in losses]
        np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-12)


def fixed_weights(scores, labels):
    # The gradient takes the rank weights as constant, so they have to be while differences run.
    return pair_loss(scores, labels, np.linspace(0.5, 2, labels.size).reshape(labels.shape))


@pytest.mark.parametrize(
    "loss",
    [
        fixed_weights,
        lambda s, y: pair_loss(s, y, np.ones(y.shape), beta=0.9),
        point_loss,
        lambda s, y: point_loss(s, y, beta=0.9),
        pairwise_loss,
        softmax_loss,
        lsep_loss,
        bce_loss,
    ],
    ids=["pairs", "leaky pairs", "points", "leaky points", "pairwise", "softmax", "lsep", "bce"],
)
def test_gradients_equal_finite_differences(loss):
    scores, labels = random_problem(3, 30, 8)
    _, gradient = loss(scores, labels)
    step = 1e-6  # no kink lies that near
    for j in range(scores.shape[1]):
        shift = step * (np.arange(scores.shape[1]) == j)
        difference = (loss(scores + shift, labels)[0] - loss(scores - shift, labels)[0]) / 2 / step
        np.testing.assert_allclose(gradient[:, j], difference, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(gradient[labels == -1], 0)


@pytest.mark.parametrize("beta", [0.0, 0.9, 1.0])
def test_ramp_derivative_equals_finite_differences(beta):
    at = np.array([-3, -0.81, -0.79, 0, 0.99, 1.01, 4])
    difference = (ramp(at + 1e-6, beta=beta) - ramp(at - 1e-6, beta=beta)) / 2e-6
    np.testing.assert_allclose(ramp_derivative(at, beta=beta), difference, atol=1e-8)


@pytest.mark.parametrize("rounding", ["floor", "round"])
def test_sampled_ranks_agree_with_the_expected_ones_and_with_literal_draws(rounding):
    rng = np.random.default_rng(0)
    scores, labels = SCORES, LABELS.copy()
    labels[0, 3] = -1
    counts = violators(scores, labels)
    np.testing.assert_array_equal(counts, [[2, 3, 0, 0, 0, 0]])
    repeats = 20_000
    sampled = rank_weights(
        np.tile(counts, (repeats, 1)),
        np.tile(labels, (repeats, 1)),
        mode="sample",
        rounding=rounding,
        uniforms=rng.random((repeats, 6)),
    )
    expected = rank_weights(counts, labels, rounding=rounding)
    error = sampled.std(axis=0) / math.sqrt(repeats)
    assert (np.abs(sampled.mean(axis=0) - expected) <= 4 * error + 1e-12).all()

    violating = np.array([True, True, False])  # of labels 2, 4 and 5 beside label 0
    draws = [1 + int(np.argmax(violating[rng.permutation(3)])) for _ in range(repeats)]
    literal = np.array([literal_rank_weight(5, q, rounding) for q in (1, 2)])[np.array(draws) - 1]
    pooled = math.hypot(literal.std(), sampled[:, 0].std()) / math.sqrt(repeats)
    assert abs(literal.mean() - sampled[:, 0].mean()) <= 4 * pooled


def test_the_last_draw_is_that_of_the_only_violators_left():
    counts, labels = violators(SCORES, LABELS), LABELS
    last = rank_weights(counts, labels, mode="sample", uniforms=np.zeros((1, 6)))
    np.testing.assert_allclose(last[0, :2], [1.5, 2.283333], atol=1e-6)  # draws 2 and 1


def test_unknown_labels_might_as_well_not_exist():
    scores, labels = random_problem(5, 8, 9)
    labels[:, [2, 6]] = -1
    fewer = np.delete(scores, [2, 6], axis=1), np.delete(labels, [2, 6], axis=1)
    for loss in (warp_loss, pairwise_loss, softmax_loss, lsep_loss, bce_loss):
        values, gradient = loss(scores, labels)
        fewer_values, fewer_gradient = loss(*fewer)
        np.testing.assert_allclose(values, fewer_values, rtol=1e-12)
        np.testing.assert_allclose(np.delete(gradient, [2, 6], axis=1), fewer_gradient, rtol=1e-12)


def test_extreme_scores_overflow_nothing():
    scores = np.array([[-1e4, 1e4, 0.0]])
    labels = np.array([[1, 0, 1]], dtype=np.int8)
    for loss in (warp_loss, softmax_loss, lsep_loss, bce_loss):
        values, gradient = loss(scores, labels)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "drawn"}, "mode is one of"),
        ({"rounding": "ceil"}, "rounding one of"),
        ({"mode": "sample"}, "give uniforms"),
    ],
)
def test_wrong_rank_options(options, message):
    with pytest.raises(InputError, match=message):
        rank_weights(np.zeros((1, 6), dtype=int), LABELS, **options)


def test_labels_of_another_layout_compile_no_loop_anew():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(6, 8)), rng.integers(-1, 2, (6, 8)).astype(np.int8)
    first = warp_loss(scores, labels)
    loops = (count_violators, expected_weights)
    before = [list(loop.signatures) for loop in loops]
    for other in (np.asfortranarray(labels), np.repeat(labels, 2, axis=1)[:, ::2]):
        for ours, theirs in zip(warp_loss(scores, other), first, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert [list(loop.signatures) for loop in loops] == before
