"""Stratified folds: a partition, equal in size, even in every label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.selection.folds import stratified_folds
from features.errors import InputError


@given(st.integers(6, 60), st.integers(1, 6), st.integers(2, 5), st.integers(0, 99))
def test_every_row_is_held_out_once_and_folds_are_of_one_size(n, n_labels, n_folds, seed):
    Y = (np.random.default_rng(seed).random((n, n_labels)) < 0.3).astype(np.int8)
    folds = stratified_folds(Y, n_folds, seed)
    held_out = np.concatenate([fold.test for fold in folds])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n))
    for fold in folds:
        np.testing.assert_array_equal(np.union1d(fold.train, fold.test), np.arange(n))
        assert len(np.intersect1d(fold.train, fold.test)) == 0
        assert abs(len(fold.test) - n / n_folds) <= n_labels + 1


def test_labels_are_shared_out_evenly():
    rng = np.random.default_rng(0)
    Y = (rng.random((300, 12)) < np.linspace(0.02, 0.5, 12)).astype(np.int8)
    Y[rng.random(Y.shape) < 0.1] = -1
    shares = np.array([(Y[fold.test] == 1).sum(axis=0) for fold in stratified_folds(Y, 3, seed=0)])
    wanted = (Y == 1).sum(axis=0) / 3
    assert np.abs(shares - wanted).max() <= 3
    assert np.abs(shares - wanted)[:, wanted < 10].max() < 1  # the rare ones come first


def test_folds_are_a_function_of_the_seed():
    Y = np.eye(4, dtype=np.int8).repeat(5, axis=0)
    first, again, other = (stratified_folds(Y, 3, seed)[0].test.tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("n_folds", [1, 5])
def test_too_few_rows_or_folds_are_refused(n_folds):
    with pytest.raises(InputError, match=f"must be from 2 to the 4 rows .* Got {n_folds}"):
        stratified_folds(np.ones((4, 1), np.int8), n_folds, seed=0)
