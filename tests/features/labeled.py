"""A cache with labels, and what is in a folder."""

from pathlib import Path

import numpy as np
import pytest

from features import schema
from features.labels import write_labels_csv
from tests.features.test_cache import (
    ROWS,
    make_cache,
    make_dataset,
)

ROOT = Path(__file__).parents[2]
LABELS = np.resize(np.array([1, 0, -1, 0, 1], dtype=np.int8), (ROWS, 2))
NAMES = ("cat", "sea, sky")


def labeled(folder, numbers=(0, 1, 2), bad=()):
    folder.mkdir(exist_ok=True)
    write_labels_csv(folder / schema.LABELS, make_dataset(folder).ids, LABELS, NAMES)
    return make_cache(folder, numbers, bad)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def cache(tmp_path):
    return labeled(tmp_path / "whole")
