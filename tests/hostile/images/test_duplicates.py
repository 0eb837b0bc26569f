"""Identical pictures: counted by `info`, and kept on one side of the splits of a sweep."""

import csv
import json

import numpy as np
import pytest

from classify.sweep import sweep
from features.commands.info import describe_cache
from features.errors import InputError
from features.splits import duplicate_groups, random_split
from tests.caches import write_data, write_labeled_cache

N = 24
OPTIONS = {"learner": ["l2"], "C": [1.0], "splits": 3, "folds": 2, "jobs": 1}


@pytest.fixture
def cache(tmp_path):
    """A cache whose images have the checksums 0, 0, 1, 2, 2, 2 and one each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    data = write_data(tmp_path / "d", [f"{i}.jpg" for i in range(N)], ["sea", "sky"], X[:, :2] > 0)
    folder = write_labeled_cache(tmp_path / "cache", data, {"net/fc": X})
    digests(folder, ["0", "0", "1", "2", "2", "2", *map(str, range(10, 10 + N - 6))])
    return folder


def digests(folder, values):
    with open(folder / "index.csv", newline="") as file:
        header, *lines = csv.reader(file)
    place = header.index("sha256")
    for line, value in zip(lines, values, strict=True):
        line[place] = value
    with open(folder / "index.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def test_info_counts_files_of_one_checksum(cache):
    (line,) = [line for line in describe_cache(cache).splitlines() if "copies" in line]
    assert "5 images are copies of each other, in 2 groups" in line
    assert "first '0.jpg' and '1.jpg'" in line
    digests(cache, map(str, range(N)))
    assert "copies" not in describe_cache(cache)
    digests(cache, [""] * N)  # not read yet
    assert "copies" not in describe_cache(cache)


def test_a_sweep_keeps_them_together_and_is_another_sweep(cache, tmp_path):
    plain = sweep(cache, tmp_path / "plain.jsonl", **OPTIONS)
    grouped = sweep(cache, tmp_path / "grouped.jsonl", group_duplicates=True, **OPTIONS)
    headers = [json.loads(path.read_text().splitlines()[0])["header"] for path in (plain, grouped)]
    assert headers[0]["splits"] != headers[1]["splits"]
    assert "groups" not in headers[1]
    lines = [json.loads(line) for line in grouped.read_text().splitlines()[1:]]
    assert [line["error"] for line in lines] == [None] * 3
    with pytest.raises(InputError, match="splits"):
        sweep(cache, plain, group_duplicates=True, **OPTIONS)


def test_without_copies_the_sweep_is_the_same(cache, tmp_path):
    digests(cache, map(str, range(N)))
    plain = sweep(cache, tmp_path / "plain.jsonl", **OPTIONS)
    grouped = sweep(cache, tmp_path / "grouped.jsonl", group_duplicates=True, **OPTIONS)
    assert plain.read_bytes() == grouped.read_bytes()


@pytest.mark.parametrize(
    "values",
    [["a", "b", "a", "c"], ["", "", "", ""], ["a", "a", "a", "b"], ["a", "b", "b", "a"]],
)
def test_groups_are_those_of_equal_checksums(values):
    groups = duplicate_groups(values)
    same = groups[:, None] == groups[None, :]
    expected = [
        [i == j or (a == b != "") for j, b in enumerate(values)] for i, a in enumerate(values)
    ]
    np.testing.assert_array_equal(same, expected)
    for seed in range(5):
        split = random_split(4, seed, groups=groups)
        assert not set(groups[split.train]) & set(groups[split.test])


def test_nothing_but_copies_is_one_line(cache, tmp_path):
    digests(cache, ["x"] * N)
    with pytest.raises(InputError, match="All 24 images are copies of one"):
        sweep(cache, tmp_path / "out.jsonl", group_duplicates=True, **OPTIONS)
