"""Reading for ``tables rml``: caches side by side, labels that can be evaluated, splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tables.rml.data import BlockScaler, read_ranking_task
from benchmarks.tables.rml.run import rml
from features.errors import InputError
from features.splits import random_split
from tests.benchmarks.tables.rml.small import IDS, LABELS, SMALL, N, problem, split_file
from tests.caches import write_cache, write_data


@given(st.integers(0, 99), st.integers(1, 5), st.integers(1, 5))
def test_scaled_blocks_lie_at_the_same_mean_distance(seed, first, second):
    X = np.random.default_rng(seed).normal(3.0, 1.0, (9, first + second))
    X[:, first:] *= 1000
    scaled = BlockScaler([first, second]).fit(X).transform(X)
    for block in np.split(scaled, [first], axis=1):
        distances = np.linalg.norm(block - block.mean(axis=0), axis=1)
        assert distances.mean() == pytest.approx(1)


def test_a_constant_block_stays_as_it_is():
    assert (BlockScaler([2]).fit_transform(np.full((3, 2), 7.0)) == 7).all()


def test_two_caches_stand_side_by_side(made, task, tmp_path):
    data, _, left, right = made
    both = read_ranking_task([left, right], data)
    np.testing.assert_array_equal(both.X, task.X)
    assert (both.widths, len(both.sources)) == ((8, 4), 2)
    chosen = read_ranking_task([left, right], data, layers=["other/top", "net/low"])
    np.testing.assert_array_equal(chosen.X, task.X[:, [0, 1, 2, 8, 9, 10, 11]])
    options = {**SMALL, "parts": ["supervised"], "learners": ["lr"], "splits": 2}
    text = rml(data, [left, right], tmp_path, **options).read_text()
    assert "net/low, net/high and other/top" in text
    assert "side by side (8 and 4), so that the caches have equal weight" in text.replace("\n", " ")


def test_caches_of_different_images_are_refused(made, tmp_path):
    X, _ = problem()
    data, cache, *_ = made
    fewer = write_cache(tmp_path / "fewer", data, {"net/all": X}, failed=[3])
    with pytest.raises(InputError, match=r"hold features of different images \(59 and 60, "):
        read_ranking_task([cache, fewer], data)
    with pytest.raises(InputError, match=r"every one must be in a cache .* there are net/low"):
        read_ranking_task([made[2], made[3]], data, layers=["net/low"])


def test_judged_labels_are_present_in_both_parts_and_the_commonest(made, tmp_path):
    _, Y = problem()
    Y[:, 2] = 0
    Y[:5, 2] = 1  # in no test row
    Y[45] = [1, 1, 0, 1, 1]
    Y[50] = [0, 0, 0, 0, 0]
    data = write_data(tmp_path / "data", IDS, LABELS, Y)
    cache = write_cache(tmp_path / "cache", data, {"net/all": problem()[0]})
    split = split_file(tmp_path / "split.csv", ["train"] * 40 + ["test"] * 20)
    task = read_ranking_task([cache], data, split=split)
    assert task.label_names == ("sky", "sea", "ship", "sun")
    two = read_ranking_task([cache], data, split=split, n_labels=2)
    counts = Y[:40].sum(axis=0)
    counts[2] = 0
    kept = np.sort(np.argsort(-counts, kind="stable")[:2])
    assert two.label_names == tuple(LABELS[k] for k in kept)
    left = Y[:, kept].any(axis=1)
    assert not left.all()
    np.testing.assert_array_equal(two.Y, Y[left][:, kept])
    assert [IDS[row] for row in np.flatnonzero(left)] == list(two.ids)
    test = two.split(0).test
    assert {two.ids[row] for row in test} == {IDS[r] for r in range(40, 60) if left[r]}
    assert f"2 of 5 labels are evaluated; {(~left).sum()} of 60 images" in two.notes[0]


def test_a_split_without_test_rows_is_refused(made, tmp_path):
    split = split_file(tmp_path / "split.csv", ["train"] * N)
    with pytest.raises(InputError, match="leaves 60 training and 0 test images"):
        read_ranking_task([made[1]], made[0], split=split)


def test_random_splits_are_those_of_the_other_tables(task):
    assert task.split(4).train.tolist() == random_split(N, 4).train.tolist()
