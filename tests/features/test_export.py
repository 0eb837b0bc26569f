"""`features export`: npz and parquet files hold what the cache does."""

import sys

import numpy as np
import pytest

from features import files
from features.cache import FeatureCache
from features.commands import export as export_module
from features.commands.export import export
from features.errors import InputError
from features.manifest import canonical, read_manifest
from tests.features.labeled import LABELS, NAMES, labeled
from tests.features.test_cache import (
    ROWS,
    make_cache,
    values,
)

# export


GOOD = [row for row in range(ROWS) if row not in (3, 17)]


@pytest.fixture
def with_failures(tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "BLOCK_BYTES", 5 * 4 * 11)  # 5 rows of both layers
    return labeled(tmp_path / "whole", bad=(3, 17))


def test_npz_read_back(with_failures, tmp_path):
    path = export(with_failures, tmp_path / "out.npz")
    with np.load(path, allow_pickle=False) as got:
        arrays = dict(got)
    assert list(arrays) == ["id", "row", "manifest", "labels", "label_names", "net/pool", "net/fc"]
    np.testing.assert_array_equal(arrays["id"], [f"ä{row}.jpg" for row in GOOD])
    np.testing.assert_array_equal(arrays["row"], GOOD)
    assert str(arrays["manifest"]) == canonical(read_manifest(with_failures))
    assert arrays["labels"].dtype == np.int8
    np.testing.assert_array_equal(arrays["labels"], LABELS[GOOD])
    assert tuple(arrays["label_names"]) == NAMES
    for name in ("net/pool", "net/fc"):
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], values(name)[GOOD].astype(np.float32))


def test_parquet_read_back(with_failures, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet", reason="parquet is written through pyarrow")
    path = export(with_failures, tmp_path / "out.parquet")
    table = pq.read_table(path)
    labels = [f"label/{name}" for name in NAMES]
    assert table.column_names == ["row", "id", *labels, "net/pool", "net/fc"]
    assert table["id"].to_pylist() == [f"ä{row}.jpg" for row in GOOD]
    assert table["row"].to_pylist() == GOOD
    for name, column in zip(labels, LABELS.T, strict=True):
        assert str(table.schema.field(name).type) == "int8"
        np.testing.assert_array_equal(table[name], column[GOOD])
    for name, width in (("net/pool", 8), ("net/fc", 3)):
        got = table[name].combine_chunks().flatten().to_numpy().reshape(-1, width)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, values(name)[GOOD].astype(np.float32))
    assert table.schema.metadata[b"manifest"].decode() == canonical(read_manifest(with_failures))
    assert pq.ParquetFile(path).num_row_groups == 5


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_chosen_layers_and_no_labels(with_failures, tmp_path, ending):
    pytest.importorskip("pyarrow", reason="parquet is written through pyarrow")
    (with_failures / "labels.csv").unlink()
    path = tmp_path / f"out.{ending}"
    export(with_failures, path)  # an earlier export is replaced
    export(with_failures, path, layers=["net/fc"])
    if ending == "npz":
        with np.load(path) as got:
            assert sorted(got) == ["id", "manifest", "net/fc", "row"]
    else:
        import pyarrow.parquet

        assert pyarrow.parquet.read_schema(path).names == ["row", "id", "net/fc"]


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_an_export_that_fails_leaves_what_was_there(with_failures, tmp_path, ending, monkeypatch):
    pytest.importorskip("pyarrow", reason="parquet is written through pyarrow")
    path = tmp_path / f"out.{ending}"
    before = export(with_failures, path, layers=["net/fc"]).read_bytes()
    read, calls = FeatureCache.read, []

    def failing(self, layers, rows):
        calls.append(layers)
        if len(calls) == 4:
            raise InputError("the disk has gone")
        return read(self, layers, rows)

    monkeypatch.setattr(FeatureCache, "read", failing)
    with pytest.raises(InputError, match="the disk has gone"):
        export(with_failures, path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(f"*{files.TEMPORARY}"))


def test_what_cannot_be_exported_is_named(with_failures, tmp_path, monkeypatch):
    def refuses(message, name, **options):
        with pytest.raises(InputError, match=message):
            export(with_failures, tmp_path / name, **options)

    refuses("out.csv ends in '.csv'. Give a name that ends in .npz or .parquet", "out.csv")
    refuses("gone is not a folder. Make it first", "gone/out.npz")
    refuses("must be one of net/pool, net/fc. Got 'net/map'", "out.npz", layers=["net/map"])
    refuses("names 'net/fc' twice. Name each once", "out.npz", layers=["net/fc", "net/fc"])
    refuses("has no vector layer to write. Read spatial maps with h5py", "out.npz", layers=[])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refuses(
        r"parquet needs the extra .*pip install '.*\[parquet\]'`, or give an --out", "o.parquet"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="has no row with features yet. Run extract again"):
        export(make_cache(empty, numbers=()), tmp_path / "out.npz")
