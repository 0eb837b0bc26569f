import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.noise import corrupt, redrawn_marginals
from features.splits import random_split


def some_labels(n=200, seed=0, shares=(0.5, 0.2, 0.1)):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, len(shares))) < shares).astype(np.int8)
    Y[~Y.any(axis=1), 0] = 1
    return Y


def test_worked_marginals():
    assert np.prod(1 - np.array([0.5, 0.2, 0.1])) == pytest.approx(0.36)
    np.testing.assert_allclose(
        redrawn_marginals(np.array([0.5, 0.2, 0.1])), [0.78125, 0.3125, 0.15625]
    )


def test_a_label_of_three_images_may_have_no_training_positive():
    # The chance that 197 of 591 rows, drawn at random, hold three given ones: .0366608.
    held_out = [(random_split(591, seed).train < 3).sum() == 0 for seed in range(4000)]
    error = np.sqrt(0.0366608 * (1 - 0.0366608) / 4000)
    assert abs(np.mean(held_out) - 0.0366608) < 4 * error


def test_drawn_labels_have_the_marginals_of_draws_repeated_until_one_is_present():
    n = 40_000
    Y = np.zeros((n, 3), dtype=np.int8)
    for j, share in enumerate((0.5, 0.2, 0.1)):
        Y[: int(n * share), j] = 1
    drawn = corrupt(Y, 1.0, seed=0).labels
    assert drawn.any(axis=1).all()
    rng = np.random.default_rng(1)
    literal = rng.random((2 * n, 3)) < (0.5, 0.2, 0.1)
    literal = literal[literal.any(axis=1)]
    codes, literal_codes = drawn @ [1, 2, 4], literal @ [1, 2, 4]
    shares = np.bincount(codes, minlength=8) / n
    expected = np.bincount(literal_codes, minlength=8) / len(literal)
    np.testing.assert_allclose(shares, expected, atol=0.012)  # 4 standard errors of a difference
    np.testing.assert_allclose(drawn.mean(axis=0), [0.78125, 0.3125, 0.15625], atol=0.01)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    variant=st.sampled_from(["bernoulli", "permute"]),
)
def test_corruptions_are_nested_in_the_rate(seed, low, high, variant):
    low, high = sorted((low, high))
    Y = some_labels()
    less, more = corrupt(Y, low, seed, variant), corrupt(Y, high, seed, variant)
    np.testing.assert_array_equal(more.rows[: len(less.rows)], less.rows)
    others = np.setdiff1d(np.arange(len(Y)), more.rows)
    np.testing.assert_array_equal(more.labels[others], Y[others])
    kept = less.rows if variant == "bernoulli" else less.rows[:-1]  # the ring closes elsewhere
    np.testing.assert_array_equal(more.labels[kept], less.labels[kept])


@pytest.mark.parametrize("variant", ["bernoulli", "permute"])
def test_the_effective_rate_counts_rows_that_changed(variant):
    Y = some_labels()
    noisy = corrupt(Y, 0.3, seed=1, variant=variant)
    assert len(noisy.rows) == 60
    assert noisy.effective_rate == (noisy.labels != Y).any(axis=1).mean()
    assert 0 < noisy.effective_rate < 0.3
    assert noisy.labels.dtype == Y.dtype


def test_no_noise_changes_nothing():
    Y = some_labels()
    noisy = corrupt(Y, 0.0, seed=0)
    assert noisy.effective_rate == 0
    np.testing.assert_array_equal(noisy.labels, Y)
    assert noisy.labels is not Y


def test_permuting_keeps_every_row_of_labels_and_moves_all_that_were_drawn():
    Y = np.arange(30).reshape(30, 1)  # rows told apart
    noisy = corrupt(Y.ravel(), 0.5, seed=0, variant="permute")
    np.testing.assert_array_equal(np.sort(noisy.labels), np.arange(30))
    assert noisy.effective_rate == 0.5


def test_single_labels_are_drawn_from_their_frequencies():
    y = np.repeat(["cat", "dog"], [3000, 1000])
    noisy = corrupt(y, 1.0, seed=0)
    assert abs((noisy.labels == "dog").mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    assert abs(noisy.effective_rate - 2 * 0.25 * 0.75) < 0.05  # the others stayed right


def test_unknown_cells_stay_unknown():
    Y = some_labels()
    Y[::3, 1] = -1
    Y[5] = -1
    Y[:, 2] = np.where(np.arange(len(Y)) % 2, -1, 0)  # known, and never present
    Y[7] = [-1, -1, 0]
    noisy = corrupt(Y, 1.0, seed=0)
    np.testing.assert_array_equal(noisy.labels == -1, Y == -1)
    usable = (Y[:, :2] >= 0).any(axis=1)
    assert (noisy.labels[usable] == 1).any(axis=1).all()
    np.testing.assert_array_equal(noisy.labels[7], [-1, -1, 0])


def test_a_label_that_all_images_have_is_drawn_for_all():
    Y = some_labels(shares=(0.3, 1.0, 0.2))
    assert corrupt(Y, 1.0, seed=0).labels[:, 1].all()


@pytest.mark.parametrize(
    ("rate", "variant", "message"),
    [
        (1.5, "bernoulli", "'rate' parameter must be a float in the range .0, 1.. Got 1.5"),
        (0.5, "swap", "'variant' parameter must be one of bernoulli, permute. Got 'swap'"),
    ],
)
def test_wrong_options(rate, variant, message):
    with pytest.raises(InputError, match=message):
        corrupt(some_labels(), rate, 0, variant)


def test_nothing_to_draw_from():
    with pytest.raises(InputError, match="at least one present label"):
        corrupt(np.zeros((4, 2), dtype=np.int8), 0.5, 0)
