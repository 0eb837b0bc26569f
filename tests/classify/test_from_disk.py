"""Models trained on rows that stay on disk: what memory gives, scaled alike, and refusals."""

import numpy as np
import pytest

from benchmarks.speed.sweep.scaling import write_cache
from classify.feature_scaler import FeatureScaler
from classify.inputs import fit_scaler, scale
from classify.logistic import LogisticTagger
from classify.results import read_results
from classify.scaling import SCALINGS
from classify.solvers import row_passes, row_sample
from classify.sweep import KEY, sweep
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError
from features.rows import CacheRows
from features.shards import open_checked


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk") / "made-up.cache"
    write_cache(folder, 700, 10, 3, shard_rows=150)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(row_sample, "_VALUES", 10 * 100)
    monkeypatch.setattr(row_sample, "_RARE", 5)
    monkeypatch.setattr(row_passes, "_BLOCK", 10 * 64)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_scalings_in_blocks_are_those_of_all_rows(cache, scaling):
    rows, widths = CacheRows(FeatureCache(cache)), [4, 6]
    whole = FeatureScaler(scaling, widths).fit(rows[:])
    blocks = fit_scaler(scaling, widths, rows)
    expected, lazy = whole.transform(rows[:]), scale(blocks, rows)
    np.testing.assert_allclose(lazy[:], expected, rtol=1e-5)
    some = np.array([600, 3, 149, 150])
    np.testing.assert_allclose(lazy.take(some), expected[some], rtol=1e-5)
    out = np.empty((4, 10), dtype=np.float32)
    assert lazy.take(some, out=out, mode="clip") is out
    np.testing.assert_allclose(out, expected[some], rtol=1e-5)


@pytest.mark.parametrize("scaling", ["none", "std"])
def test_l2_from_disk_is_certified_and_that_of_memory(cache, tmp_path, scaling, monkeypatch):
    monkeypatch.setattr("classify.logistic._TOL", 1e-6)
    fitted = [
        fit(cache, tmp_path / f"{place}.safetensors", learner="l2", C=0.1, scaling=scaling,
            from_disk=place)
        for place in (False, True)
    ]  # fmt: skip
    memory, disk = (one.members[0].estimator for one in fitted)
    assert (disk.dual_gap_ <= 1e-6 * disk.objective_).all()
    np.testing.assert_allclose(disk.objective_, memory.objective_, rtol=2e-6)
    assert fitted[1].n_rows == 700
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    if scaling == "none":
        theirs = LogisticTagger("l2", C=0.1, solver="liblinear", tol=1e-8).fit(X, Y)
        np.testing.assert_allclose(disk.objective_, theirs.objective_, rtol=2e-6)


def test_a_descent_from_disk_has_the_bits_of_memory(cache, tmp_path):
    fitted = [
        fit(cache, tmp_path / f"{place}.safetensors", learner="rmlc", C=1.0, from_disk=place)
        for place in (False, True)
    ]
    memory, disk = (one.members[0].estimator for one in fitted)
    np.testing.assert_array_equal(disk.coef_, memory.coef_)


SWEEP = {"learner": ["l2", "rmlc"], "C": [0.1, 1.0], "splits": 1, "folds": 2, "scaling": ["max"]}


@pytest.fixture(scope="module")
def in_memory(cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("memory") / "s.jsonl"
    return read_results(sweep(cache, path, jobs=1, **SWEEP))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_from_disk_has_the_lines_of_memory(cache, in_memory, tmp_path, jobs):
    out = sweep(cache, tmp_path / "s.jsonl", from_disk=True, jobs=jobs, **SWEEP)
    header, lines = read_results(out)
    assert header == in_memory[0]
    for memory, disk in zip(in_memory[1], lines, strict=True):
        assert disk["error"] is None
        assert {name: disk[name] for name in KEY} == {name: memory[name] for name in KEY}
        np.testing.assert_allclose(disk["inner"], memory["inner"], atol=0.02)
        if disk["selected"] and disk["learner"] == "l2":
            assert disk["relative_gap"] <= 1e-4


def test_a_sweep_from_disk_runs_here(cache, tmp_path):
    with pytest.raises(InputError, match="--from-disk came with --dask"):
        sweep(cache, tmp_path / "s.jsonl", learner=["l2"], dask="local:1", from_disk=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"learner": "l1"}, "'l1' needs its rows in memory.*use one of l2, "),
        ({"learner": "auto"}, "--from-disk came with the learner auto"),
        ({"learner": "l2", "calibration": "platt"}, "--from-disk came with --thresholds or"),
    ],
)
def test_what_needs_memory_is_refused(cache, tmp_path, options, text):
    with pytest.raises(InputError, match=text):
        fit(cache, tmp_path / "m.safetensors", from_disk=True, **options)
    assert not list(tmp_path.iterdir())


def test_estimators_of_l1_refuse_rows_on_disk(cache):
    features = FeatureCache(cache)
    with pytest.raises(InputError, match="in memory only, and rows on disk came"):
        LogisticTagger("l1").fit(CacheRows(features), features.labels)


def test_a_value_that_is_no_number_is_named(tmp_path):
    folder = tmp_path / "made-up.cache"
    write_cache(folder, 300, 4, 2, shard_rows=100)
    features = FeatureCache(folder)
    with open_checked(folder, 1, features.manifest) as file:
        path = file.filename
    import h5py

    with h5py.File(path, "r+") as file:
        file["synthetic"][7, 2] = np.nan
    with pytest.raises(InputError, match="features of '000107' .* are not finite"):
        fit(folder, tmp_path / "m.safetensors", learner="l2", from_disk=True)
