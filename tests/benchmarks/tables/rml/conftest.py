"""Caches and an undisturbed run of ``tables rml``, shared by its tests."""

import pytest

from benchmarks.tables.rml.data import read_ranking_task
from classify.results import read_results
from tests.benchmarks.tables.curves import curves_as_numbers
from tests.benchmarks.tables.rml.small import IDS, LABELS, problem, run
from tests.caches import write_cache, write_data


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A data set and its features, in one cache and in two."""
    X, Y = problem()
    folder = tmp_path_factory.mktemp("made")
    data = write_data(folder / "small", IDS, LABELS, Y)
    whole = write_cache(folder / "whole", data, {"net/all": X})
    left = write_cache(folder / "left", data, {"net/low": X[:, :3], "net/high": X[:, 3:8]})
    right = write_cache(folder / "right", data, {"other/top": X[:, 8:]})
    return data, whole, left, right


@pytest.fixture(scope="session")
def whole(made, tmp_path_factory):
    """The files that an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole")
    with curves_as_numbers():
        run(made, out)
    return out


@pytest.fixture(scope="session")
def lines(whole):
    return read_results(whole / "rml.jsonl")[1]


@pytest.fixture(scope="session")
def task(made):
    return read_ranking_task([made[1]], made[0])
