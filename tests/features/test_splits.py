"""Splits: the stated permutation, nested subsets, disjoint parts, a hash of what is in them."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.splits import (
    Split,
    duplicate_groups,
    inner_folds,
    inner_split,
    learning_curve_subsets,
    random_split,
    splits_hash,
)

SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("n, train", [(591, 394), (2000, 1333), (3, 2), (2, 1)])
def test_two_thirds_are_rounded_down(n, train):
    order = np.random.default_rng(7).permutation(n)
    split = random_split(n, 7)
    assert split.train.tolist() == order[:train].tolist()
    assert split.test.tolist() == order[train:].tolist()


@given(st.integers(1, 20_000))
def test_a_share_that_binary_cannot_hold_is_rounded_down_exactly(thirds):
    assert len(random_split(3 * thirds, 0).train) == 2 * thirds


@given(SEEDS, st.integers(2, 60), st.floats(0.05, 0.95))
def test_parts_are_disjoint_and_whole(seed, n, fraction):
    if not 0 < int(n * fraction) < n:
        return
    split = random_split(n, seed, fraction)
    assert sorted([*split.train, *split.test]) == list(range(n))
    again = random_split(n, seed, fraction)
    assert (split.train == again.train).all() and (split.test == again.test).all()


@given(SEEDS, st.lists(st.integers(1, 20), min_size=2, max_size=5))
def test_learning_curve_subsets_are_nested(seed, sizes):
    split = random_split(30, seed)
    parts = learning_curve_subsets(split, sizes)
    for size, part in zip(sizes, parts, strict=True):
        assert part.train.tolist() == split.train[:size].tolist()
        assert part.test is split.test


@given(SEEDS, st.integers(2, 40), st.sampled_from([0.01, 0.1, 0.4]))
def test_inner_split_stays_inside_the_given_rows(seed, n, fraction):
    rows = np.arange(100, 100 + 3 * n, 3)
    split = inner_split(rows, seed, fraction)
    assert sorted([*split.train, *split.test]) == rows.tolist()
    assert len(split.test) == max(1, round(n * fraction))


@given(SEEDS, st.integers(2, 30), st.data())
def test_inner_folds_test_each_row_once(seed, n, data):
    rows = np.arange(5, 5 + n)
    folds = inner_folds(rows, data.draw(st.integers(2, n)), seed)
    assert sorted(row for fold in folds for row in fold.test) == rows.tolist()
    for fold in folds:
        assert sorted([*fold.train, *fold.test]) == rows.tolist()
    sizes = [len(fold.test) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_hash_follows_ids_not_row_numbers():
    ids = ["c", "a", "b"]
    split = Split(np.array([0, 1]), np.array([2]))
    renumbered = Split(np.array([2, 0]), np.array([1]))
    assert splits_hash([split], ids) == splits_hash([renumbered], ["a", "b", "c"])


@pytest.mark.parametrize(
    "other",
    [
        [Split(np.array([1, 0]), np.array([2]))],  # the order, which the curve's prefixes follow
        [Split(np.array([0]), np.array([1, 2]))],
        [Split(np.array([0, 1]), np.array([2]))] * 2,
        [],
    ],
)
def test_hash_sees_every_difference(other):
    ids = ["a", "b", "c"]
    assert splits_hash([Split(np.array([0, 1]), np.array([2]))], ids) != splits_hash(other, ids)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: random_split(1, 0), "Got n = 1 and train_fraction = 0.666667"),
        (lambda: random_split(10, 0, 1.0), "Got n = 10 and train_fraction = 1"),
        (lambda: random_split(10, 0, -1.0), "Got n = 10 and train_fraction = -1"),
        (
            lambda: learning_curve_subsets(random_split(9, 0), [2, 7]),
            "must be an int in the range .1, 6.. Got 7",
        ),
        (lambda: inner_split(np.array([4]), 0), "1 training rows are too few to set 1 aside"),
        (
            lambda: inner_folds(np.arange(3), 4, 0),
            "'folds' parameter must be an int in the range .2, 3.. Got 4",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


@given(SEEDS, st.lists(st.integers(0, 8), min_size=4, max_size=40), st.floats(0.05, 0.95))
def test_groups_stay_together(seed, groups, fraction):
    n, groups = len(groups), np.array(groups)
    if not 0 < int(n * fraction) < n or len(set(groups)) == 1:
        return
    split = random_split(n, seed, fraction, groups=groups)
    assert sorted([*split.train, *split.test]) == list(range(n))
    assert len(split.train) and len(split.test)
    assert not set(groups[split.train]) & set(groups[split.test])


@given(SEEDS, st.integers(2, 60))
def test_groups_of_one_row_change_nothing(seed, n):
    alone, plain = random_split(n, seed, groups=np.arange(n)[::-1]), random_split(n, seed)
    assert alone.train.tolist() == plain.train.tolist()
    assert alone.test.tolist() == plain.test.tolist()
    if n > 3:
        folds = zip(
            inner_folds(plain.test, 2, seed),
            inner_folds(plain.test, 2, seed, groups=np.arange(n)),
            strict=True,
        )
        assert all(a.test.tolist() == b.test.tolist() for a, b in folds if n > 5)


@given(SEEDS, st.lists(st.integers(0, 30), min_size=30, max_size=60))
def test_folds_keep_groups_together(seed, groups):
    groups = np.array(groups)
    rows = np.arange(0, len(groups), 2)
    try:
        folds = inner_folds(rows, 3, seed, groups=groups)
    except InputError:
        return
    assert sorted(np.concatenate([fold.test for fold in folds])) == rows.tolist()
    for fold in folds:
        assert sorted([*fold.train, *fold.test]) == rows.tolist()
        assert not set(groups[fold.train]) & set(groups[fold.test])


def test_images_that_are_all_copies_of_one_are_refused():
    with pytest.raises(InputError, match="All 3 images are copies of one"):
        random_split(3, 0, groups=np.zeros(3))
    with pytest.raises(InputError, match="2 groups of equal images don't fill 3 folds"):
        inner_folds(np.arange(6), 3, 0, groups=np.array([0, 0, 0, 1, 1, 1]))


def test_msrc_has_two_pairs_of_equal_images(msrc):
    files = sorted((msrc / "images").iterdir())
    groups = duplicate_groups([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert len(files) - len(set(groups)) == 2
    parted = 0
    for seed in range(30):
        plain, grouped = random_split(591, seed), random_split(591, seed, groups=groups)
        parted += bool(set(groups[plain.train]) & set(groups[plain.test]))
        assert not set(groups[grouped.train]) & set(groups[grouped.test])
    assert parted
