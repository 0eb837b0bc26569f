"""Labels that can teach nothing, and csv files as common tools write them."""

import re

import numpy as np
import pytest

from features.label_warnings import label_warnings


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ([0, 0, 0], r"no image has 1 \(first 'dog'\) of 2 labels"),
        ([-1, -1, -1], r"no image has 1 \(first 'dog'\)"),
        ([0, -1, 0], r"no image has 1 \(first 'dog'\)"),
        ([1, -1, -1], r"known to lack 1 \(first 'dog'\).*Write 0 if -1 was meant as absent"),
        ([1, 1, -1], r"known to lack 1 \(first 'dog'\)"),
        ([1, 1, 1], r"every image has 1 \(first 'dog'\)"),
    ],
)
def test_a_label_that_teaches_nothing_is_one_line(column, line):
    labels = np.array([[1, 0, -1], column], dtype=np.int8).T
    (found,) = label_warnings(labels, ("cat", "dog"))
    assert re.search(line, found)
    assert "\n" not in found


@pytest.mark.parametrize("name", ["cat ", "Cat", " c at", "c\u2003at"])
def test_one_name_twice_but_for_a_blank_is_named(name):
    (found,) = label_warnings(np.array([[1, 0], [0, 1]], dtype=np.int8), ("cat", name))
    assert f"'cat' and {name!r}" in found


def test_a_sound_table_has_no_warning():
    labels = np.array([[1, 0], [0, 1], [-1, -1]], dtype=np.int8)
    assert label_warnings(labels, ("cat", "dog")) == ()


def test_a_file_of_1_and_minus_1_is_one_line_and_not_one_per_label():
    labels = np.where(np.eye(5), 1, -1).astype(np.int8)
    (found,) = label_warnings(labels, tuple("abcde"))
    assert "5 (first 'a', 'b', 'c') of 5 labels" in found
