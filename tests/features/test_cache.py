"""The cache's files without a network: shards of random numbers, written, read and damaged."""

import multiprocessing
import os
import pickle
import resource
import signal

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import files, schema
from features.cache import FeatureCache
from features.commands.verify import verify_shard
from features.datasets import Dataset
from features.errors import InputError
from features.index import index_hash, write_index
from features.manifest import differences, read_manifest, write_or_check
from features.schema import Status
from features.shard_writer import ShardWriter
from features.shards import is_finished
from features.view import write_view
from tests.hostile.damage import overwrite

ROWS, STEP = 23, 8
LAYERS = {
    "net/pool": {"shape": [8], "dtype": "float32", "pooling": "quadrant_max", "layout": "4c + q"},
    "net/fc": {"shape": [3], "dtype": "float16", "pooling": "none", "layout": "plain"},
    "net/map": {"shape": [2, 3, 3], "dtype": "float16", "pooling": "none", "layout": "c, h, w"},
}


def make_dataset(root):
    ids = tuple(f"ä{i}.jpg" for i in range(ROWS))
    return Dataset(root, ids, tuple(f"images/{i}" for i in ids))


def make_manifest(dataset, **changes):
    sizes = np.arange(ROWS)
    return {
        "schema": schema.VERSION,
        "layers": LAYERS,
        "layer_order": list(LAYERS),
        "dtype": "float32",
        "shard_rows": STEP,
        "index": {"rows": ROWS, "sha256": index_hash(dataset, sizes)},
    } | changes


def values(name):
    rng = np.random.default_rng(len(name))
    return rng.normal(size=(ROWS, *LAYERS[name]["shape"])).astype(LAYERS[name]["dtype"])


def write_shards(folder, manifest, numbers=(0, 1, 2), bad=()):
    for number in numbers:
        with ShardWriter(folder, number, manifest) as writer:
            rows = writer.rows
            for start in range(rows.start, rows.stop, 3):
                run = range(start, min(start + 3, rows.stop))
                status = np.array([Status.UNDECODABLE if r in bad else 0 for r in run], np.uint8)
                arrays = {name: values(name)[run.start : run.stop] for name in LAYERS}
                for array in arrays.values():
                    array[status > 0] = np.nan
                messages = ["ü broken" if r in bad else "" for r in run]
                writer.write(run, arrays, status, messages, ["f" * 64] * len(run))


@pytest.fixture
def cache_folder(tmp_path):
    return make_cache(tmp_path)


def make_cache(folder, numbers=(0, 1, 2), bad=()):
    dataset = make_dataset(folder)
    manifest = make_manifest(dataset)
    write_or_check(folder, manifest)
    write_shards(folder, manifest, numbers, bad)
    write_index(folder, dataset, np.arange(ROWS), manifest)
    write_view(folder, manifest)
    return folder


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("cache"))


@given(
    rows=st.lists(st.integers(0, ROWS - 1), max_size=60),
    layers=st.lists(st.sampled_from(["net/pool", "net/fc"]), min_size=1, unique=True),
)
@settings(deadline=None)
def test_read_equals_plain_indexing_for_any_order_and_repeats(shared_cache, rows, layers):
    got = FeatureCache(shared_cache).read(layers, rows)
    expected = np.hstack([values(name).astype(np.float32) for name in layers])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected[np.array(rows, dtype=int)])


def test_defaults_blocks_and_instances(shared_cache):
    cache = FeatureCache(shared_cache)
    full = cache.read()
    assert full.shape == (ROWS, 11)
    blocks = list(cache.blocks(block_rows=5))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in blocks]), range(ROWS))
    np.testing.assert_array_equal(np.vstack([block for _, block in blocks]), full)
    quadrants = cache.read_instances("net/pool", [5, 2])
    assert quadrants.shape == (2, 4, 2)
    np.testing.assert_array_equal(quadrants[0, 3], values("net/pool")[5, [3, 7]])
    positions = cache.read_instances("net/map", [20])
    assert positions.shape == (1, 9, 2)
    np.testing.assert_array_equal(positions[0, 4], values("net/map")[20, :, 1, 1])
    with pytest.raises(
        InputError, match="'net/fc' holds one vector per image. .* net/pool, net/map"
    ):
        cache.read_instances("net/fc", [0])


def test_plain_h5py_sees_one_array_a_layer(shared_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # virtual sources are found beside the view, not in the cwd
    with h5py.File(shared_cache / schema.VIEW) as view:
        for name in LAYERS:
            np.testing.assert_array_equal(view[name][:], values(name))
        assert view["net/pool"].attrs[schema.LAYOUT] == "4c + q"
    with h5py.File(shared_cache / "shard-00001.h5") as shard:
        assert shard["net/pool"].chunks is None and shard["net/pool"].compression is None
        assert schema.shard_path(shared_cache, 1, maps=True).name == "maps-00001.h5"


def test_missing_shards_and_bad_rows_are_counted_and_refused(tmp_path):
    cache = FeatureCache(make_cache(tmp_path, numbers=(0, 2), bad=(3, 17)))
    assert cache.excluded == "10 of 23 rows excluded: 2 undecodable, 8 pending"
    expected = [r for r in range(ROWS) if r not in (3, 17, *range(8, 16))]
    np.testing.assert_array_equal(cache.valid_rows, expected)
    np.testing.assert_array_equal(cache.read(["net/fc"]), values("net/fc")[expected])
    with pytest.raises(InputError, match=r"Row 3 holds no features \(undecodable\)"):
        cache.read(None, [0, 3])
    with pytest.raises(InputError, match="Row 23 is outside the cache, which has rows 0 to 22"):
        cache.read(None, [23])
    with pytest.raises(InputError, match="must be one of net/pool, net/fc. Got 'net/x'"):
        cache.read(["net/x"])
    row = cache.index[17]
    assert (row.id, row.status, row.message) == ("ä17.jpg", "undecodable", "ü broken")
    assert cache.index[9].status == "pending"
    with h5py.File(tmp_path / schema.VIEW) as view:
        assert np.isnan(view["net/pool"][9]).all()
        assert view[schema.STATUS][9] == Status.PENDING


def _read_in_child(cache, queue):
    queue.put(cache.read(["net/pool"], [22, 0, 9]))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_cache_may_be_read_in_other_processes(shared_cache, method):
    cache = FeatureCache(shared_cache)
    here = cache.read(["net/pool"], [22, 0, 9])
    pickle.loads(pickle.dumps(cache))
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(cache, queue))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), here)
    child.join()


def test_another_manifest_is_refused_with_every_differing_key(cache_folder):
    manifest = read_manifest(cache_folder)
    changed = manifest | {"dtype": "float16", "shard_rows": 4}
    with pytest.raises(InputError) as caught:
        write_or_check(cache_folder, changed)
    assert "dtype: there float32, here float16; shard_rows: there 8, here 4" in str(caught.value)
    assert read_manifest(cache_folder) == manifest
    assert differences(manifest, manifest) == []


def test_a_folder_without_or_with_a_damaged_manifest(tmp_path):
    with pytest.raises(
        InputError, match=r"is not a feature cache: it has no manifest.json. Make one"
    ):
        FeatureCache(tmp_path)
    (tmp_path / schema.MANIFEST).write_text('{"schema": 99}')
    with pytest.raises(InputError, match="layout version 99, this library reads 1"):
        FeatureCache(tmp_path)
    (tmp_path / schema.MANIFEST).write_text('{"schema": ')
    with pytest.raises(InputError, match="can't be read as a manifest"):
        FeatureCache(tmp_path)


@pytest.mark.parametrize("name", ["shard-00001.h5", "maps-00001.h5"])
def test_every_flipped_byte_of_data_is_found(cache_folder, name):
    manifest = read_manifest(cache_folder)
    path = cache_folder / name
    whole = path.read_bytes()
    layer = "net/pool" if name.startswith("shard") else "net/map"
    place = whole.index(values(layer)[8].tobytes())
    for offset in range(place, place + 16, 5):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        with pytest.raises(InputError, match=f"{name}: .*checksum. Delete this file and run"):
            verify_shard(cache_folder, 1, manifest)
    path.write_bytes(whole)
    verify_shard(cache_folder, 1, manifest, finite=True)


@given(offset=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(deadline=None, max_examples=60)
def test_a_flipped_byte_anywhere_never_passes_with_other_values(shared_cache, offset, flip):
    """Either the check fails or, in HDF5's padding, no value has changed."""
    manifest = read_manifest(shared_cache)
    path = schema.shard_path(shared_cache, 0)
    whole = path.read_bytes()
    try:
        broken = bytearray(whole)
        broken[offset % len(whole)] ^= flip
        overwrite(path, bytes(broken))
        verify_shard(shared_cache, 0, manifest)
        got = FeatureCache(shared_cache).read(["net/pool", "net/fc"], range(STEP))
    except InputError:
        return
    finally:
        overwrite(path, whole)
    both = [values(name)[:STEP].astype(np.float32) for name in ("net/pool", "net/fc")]
    np.testing.assert_array_equal(got, np.hstack(both))


@pytest.mark.parametrize("keep", [0, 100, 1500, -1])
def test_a_truncated_shard_is_found(cache_folder, keep):
    path = schema.shard_path(cache_folder, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"shard-00001.h5.*Delete this file and run extract"):
        verify_shard(cache_folder, 1, read_manifest(cache_folder))


def test_a_shard_of_another_run_is_found(cache_folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    manifest = make_manifest(make_dataset(other), dtype="float16")
    write_shards(other, manifest, numbers=(1,))
    os.replace(schema.shard_path(other, 1), schema.shard_path(cache_folder, 1))
    with pytest.raises(InputError, match="belongs to a run with another manifest"):
        verify_shard(cache_folder, 1, read_manifest(cache_folder))


def test_a_shard_under_another_number_is_found(cache_folder):
    os.replace(schema.shard_path(cache_folder, 0), schema.shard_path(cache_folder, 1))
    with pytest.raises(InputError, match="does not hold rows 8 to 15"):
        verify_shard(cache_folder, 1, read_manifest(cache_folder))


def test_a_row_that_is_not_finite_is_found(tmp_path):
    make_cache(tmp_path, numbers=(0, 1))
    manifest = read_manifest(tmp_path)
    with ShardWriter(tmp_path, 1, manifest, amend=True) as writer:
        array = {"net/pool": np.full((1, 8), np.nan, np.float32)}
        writer.write(range(10, 11), array, np.zeros(1, np.uint8), [""], [""])
    verify_shard(tmp_path, 1, manifest)
    with pytest.raises(InputError, match="net/pool is not finite in row 10"):
        verify_shard(tmp_path, 1, manifest, finite=True)


def test_amending_replaces_rows_and_keeps_the_rest(tmp_path):
    make_cache(tmp_path, bad=(9,))
    manifest = read_manifest(tmp_path)
    with ShardWriter(tmp_path, 1, manifest, amend=True) as writer:
        arrays = {name: values(name)[9:10] for name in LAYERS}
        writer.write(range(9, 10), arrays, np.zeros(1, np.uint8), [""], ["f" * 64])
    verify_shard(tmp_path, 1, manifest, finite=True)
    (tmp_path / "whole").mkdir()
    whole = schema.shard_path(make_cache(tmp_path / "whole"), 1).read_bytes()
    assert schema.shard_path(tmp_path, 1).read_bytes() == whole


def _fill_the_disk(folder, manifest, limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write_shards(folder, manifest, numbers=(1,))
    except InputError as error:
        assert "Finished shards are kept" in str(error)
        os._exit(7)
    os._exit(0)


@pytest.mark.parametrize("limit", [100, 2500, 3500])
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, limit):
    make_cache(tmp_path, numbers=(0,))
    manifest = read_manifest(tmp_path)
    child = multiprocessing.get_context("fork").Process(
        target=_fill_the_disk, args=(tmp_path, manifest, limit)
    )
    child.start()
    child.join()
    assert child.exitcode == 7
    assert not is_finished(tmp_path, 1, manifest)
    verify_shard(tmp_path, 0, manifest, finite=True)
    assert not list(tmp_path.glob(f"*{files.TEMPORARY}"))


def _write_until_killed(folder, manifest):
    while True:
        write_shards(folder, manifest, numbers=(1, 2))


def test_a_killed_writer_leaves_whole_shards_or_none(tmp_path):
    reference = make_cache(tmp_path)
    manifest = read_manifest(tmp_path)
    whole = {k: schema.shard_path(reference, k).read_bytes() for k in (1, 2)}
    rng = np.random.default_rng(0)
    for _ in range(12):
        for k in (1, 2):
            schema.shard_path(tmp_path, k).unlink(missing_ok=True)
        child = multiprocessing.get_context("fork").Process(
            target=_write_until_killed, args=(tmp_path, manifest)
        )
        child.start()
        child.join(timeout=rng.uniform(0.005, 0.08))
        child.kill()
        child.join()
        for k in (1, 2):
            if is_finished(tmp_path, k, manifest):
                verify_shard(tmp_path, k, manifest, finite=True)
                assert schema.shard_path(tmp_path, k).read_bytes() == whole[k]
        files.remove_temporaries(tmp_path)
        assert not list(tmp_path.glob(f"*{files.TEMPORARY}"))


def test_labels_of_other_images_are_refused(cache_folder):
    ids = [f"ä{i}.jpg" for i in range(ROWS)]
    lines = ["image,cat"] + [f"{id_},1" for id_ in ids]
    (cache_folder / schema.LABELS).write_text("\n".join(lines) + "\n")
    assert FeatureCache(cache_folder).labels.shape == (ROWS, 1)
    (cache_folder / schema.LABELS).write_text("\n".join([*lines, "other.jpg,1"]) + "\n")
    with pytest.raises(
        InputError, match=r"lists other images than the cache: 1 \(first 'other.jpg'"
    ):
        FeatureCache(cache_folder).labels  # noqa: B018


def test_a_damaged_index_is_refused(cache_folder):
    path = cache_folder / schema.INDEX
    path.write_text(path.read_text().replace("4,", "four,", 1))
    with pytest.raises(InputError, match="index.csv can't be read"):
        FeatureCache(cache_folder).ids  # noqa: B018
