"""A sound cache, and copies of it to spoil."""

import shutil

import numpy as np
import pytest

from classify.sweep import sweep
from tests.caches import SMALL_SWEEP, write_data, write_labeled_cache
from tests.features.test_cache import make_cache


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A cache that no test changes."""
    return make_cache(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def cache(sound, tmp_path):
    """A copy of it."""
    return shutil.copytree(sound, tmp_path / "a.cache")


@pytest.fixture(scope="session")
def labeled(tmp_path_factory):
    """A cache of 24 rows and two labels, its data beside it, that no test changes."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    X = rng.normal(size=(24, 4))
    Y = (X[:, :2] > 0).astype(int)
    data = write_data(folder / "data", [f"{i}.jpg" for i in range(24)], ["sea", "sky"], Y)
    return write_labeled_cache(folder / "cache", data, {"net/fc": X})


@pytest.fixture(scope="session")
def swept(labeled, tmp_path_factory):
    """The bytes that `SMALL_SWEEP` gives on it."""
    return sweep(labeled, tmp_path_factory.mktemp("out") / "s.jsonl", **SMALL_SWEEP).read_bytes()
