import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.errors import InputError
from features.missing import SCHEMES, hide, hide_in_rows

LABELS = arrays(
    np.int8, st.tuples(st.integers(1, 12), st.integers(1, 9)), elements=st.integers(-1, 1)
)
RATES = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(Y=LABELS, low=RATES, high=RATES, seed=st.integers(0, 99), scheme=st.sampled_from(SCHEMES))
def test_what_is_hidden_is_nested_in_the_rate_and_the_rest_stays(Y, low, high, seed, scheme):
    low, high = sorted((low, high))
    less, more = hide(Y, low, seed, scheme), hide(Y, high, seed, scheme)
    assert ((less != -1) | (more == -1)).all()
    np.testing.assert_array_equal(more[more != -1], Y[more != -1])
    np.testing.assert_array_equal(hide(Y, high, seed, scheme), more)


@settings(max_examples=60, deadline=None)
@given(Y=LABELS, rate=RATES, seed=st.integers(0, 99))
def test_uniform_hides_the_rounded_share_of_every_image(Y, rate, seed):
    known = (Y != -1).sum(axis=1)
    hidden = known - (hide(Y, rate, seed) != -1).sum(axis=1)
    np.testing.assert_array_equal(hidden, np.floor(rate * known + 0.5))


@settings(max_examples=60, deadline=None)
@given(Y=LABELS, rate=RATES, seed=st.integers(0, 99))
def test_stratified_keeps_a_share_and_one_at_least_of_each_kind(Y, rate, seed):
    hidden = hide(Y, rate, seed, "stratified")
    for kind in (0, 1):
        before, after = np.sum(kind == Y, axis=0), np.sum(hidden == kind, axis=0)
        expected = np.maximum(before - np.floor(rate * before + 0.5), np.minimum(before, 1))
        np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cells_are_hidden_with_equal_chance(scheme):
    Y = np.tile(np.array([[1, 0], [0, 1]], dtype=np.int8), (50, 5))
    shares = np.mean([hide(Y, 0.7, seed, scheme) == -1 for seed in range(300)], axis=0)
    assert np.abs(shares - 0.7).max() < 5 * np.sqrt(0.7 * 0.3 / 300)


def test_nothing_and_all():
    Y = np.array([[1, 0, -1], [0, 0, 1]], dtype=np.int8)
    np.testing.assert_array_equal(hide(Y, 0, 3), Y)
    assert (hide(Y, 1, 3) == -1).all()
    assert (hide(Y, 1, 3, "stratified") == 1).sum() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.zeros((2, 2)), 1.2, 0),
            "'rate' parameter must be a float in the range .0, 1.. Got 1.2",
        ),
        (
            (np.zeros((2, 2)), 0.2, 0, "rows"),
            "'scheme' parameter must be one of uniform, stratified. Got 'ro",
        ),
        ((np.zeros(3), 0.2, 0), r"2-D array of 1, 0 and -1, .* Got shape \(3,\)"),
        ((np.full((2, 2), 2), 0.2, 0), "2-D array of 1, 0 and -1, .* Got shape"),
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(InputError, match=message):
        hide(*arguments)


def test_labels_are_hidden_from_training_rows_only():
    Y = np.tile(np.array([1, 0, 0, 1, 0], dtype=np.int8), (20, 1))
    rows = np.arange(5, 15)
    hidden = hide_in_rows(Y, rows, missing=0.4, unlabeled=0.3, seed=0)
    others = np.setdiff1d(np.arange(20), rows)
    np.testing.assert_array_equal(hidden[others], Y[others])
    counts = (hidden[rows] == -1).sum(axis=1)
    assert sorted(counts) == [2] * 7 + [5] * 3
    seen = hidden >= 0
    np.testing.assert_array_equal(hidden[seen], Y[seen])
    np.testing.assert_array_equal(Y[0], [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(
        hide_in_rows(Y, rows, missing=0.4, seed=0)[rows], hide(Y[rows], 0.4, seed=0)
    )
