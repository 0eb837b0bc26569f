"""A sound cache, and copies of it to spoil."""

import shutil

import pytest

from tests.features.test_cache import make_cache


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A cache that no test changes."""
    return make_cache(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def cache(sound, tmp_path):
    """A copy of it."""
    return shutil.copytree(sound, tmp_path / "a.cache")
