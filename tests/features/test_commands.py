"""The commands of `python -m features`: every kind of fault, kills, refusals and round trips."""

import errno
import inspect
import json
import multiprocessing
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import files, schema
from features.__main__ import COMMANDS, main
from features.cache import FeatureCache
from features.command_line import load, parse
from features.commands import export as export_module
from features.commands.export import export
from features.commands.info import describe_rows
from features.commands.merge import merge
from features.commands.verify import find_faults, summary
from features.errors import InputError
from features.index import read_index
from features.labels import write_labels_csv
from features.manifest import canonical, read_manifest, write_or_check
from features.shard_writer import ShardWriter
from features.view import sealed, write_view
from tests.features.test_annotations import coco_content, make_images
from tests.features.test_cache import (
    LAYERS,
    ROWS,
    make_cache,
    make_dataset,
    make_manifest,
    values,
    write_shards,
)

ROOT = Path(__file__).parents[2]
LABELS = np.resize(np.array([1, 0, -1, 0, 1], dtype=np.int8), (ROWS, 2))
NAMES = ("cat", "sea, sky")


def labelled(folder, numbers=(0, 1, 2), bad=()):
    folder.mkdir(exist_ok=True)
    write_labels_csv(folder / schema.LABELS, make_dataset(folder).ids, LABELS, NAMES)
    return make_cache(folder, numbers, bad)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def cache(tmp_path):
    return labelled(tmp_path / "whole")


# verify


def test_a_sound_cache_has_no_faults_and_is_not_touched(tmp_path):
    cache = labelled(tmp_path / "c", bad=(3, 17))
    before = tree(cache)
    assert list(find_faults(cache)) == []
    assert summary(cache) == f"ok: {cache}: 3 shards, 23 rows, 21 with features, 3 layers, 2 labels"
    assert tree(cache) == before


def flip(name, where):
    """Damage a byte of `name`; `where` is a place or what stands there."""

    def apply(folder):
        content = bytearray((folder / name).read_bytes())
        content[where if isinstance(where, int) else content.index(where)] ^= 1
        (folder / name).write_bytes(content)

    return apply


def replace(name, old, new):
    def apply(folder):
        content = (folder / name).read_text(encoding="utf-8")
        assert old in content
        (folder / name).write_text(content.replace(old, new, 1), encoding="utf-8")

    return apply


def swap_lines(name, a, b):
    def apply(folder):
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        lines[a], lines[b] = lines[b], lines[a]
        (folder / name).write_text("".join(lines), encoding="utf-8")

    return apply


def unlink(name):
    return lambda folder: (folder / name).unlink()


def truncate(name, size):
    return lambda folder: os.truncate(folder / name, size)


def rename(old, new):
    return lambda folder: os.replace(folder / old, folder / new)


def shard_of_another_run(folder):
    manifest = make_manifest(make_dataset(folder), dtype="float16")
    write_shards(folder, manifest, numbers=(1,))


def row_that_is_not_finite(folder):
    with ShardWriter(folder, 1, read_manifest(folder), amend=True) as writer:
        array = {"net/map": np.full((1, 2, 3, 3), np.inf, np.float16)}
        writer.write(range(10, 11), array, np.zeros(1, np.uint8), [""], ["f" * 64])


def view_without_a_shard(folder):
    whole = (folder / "shard-00002.h5").read_bytes()
    (folder / "shard-00002.h5").unlink()
    write_view(folder, read_manifest(folder))
    (folder / "shard-00002.h5").write_bytes(whole)


def view_of(rows, name):
    """Let the view show other rows of a shard than it should."""

    def apply(folder):
        with h5py.File(folder / schema.VIEW, "a") as view:
            kept = {layer: view[layer].dtype for layer in ("net/pool", "net/fc")}
            layout = h5py.VirtualLayout(view[name].shape, kept[name])
            layout[:8] = h5py.VirtualSource("shard-00000.h5", name, (8, *view[name].shape[1:]))
            layout[8:16] = h5py.VirtualSource("shard-00001.h5", name, (8, *view[name].shape[1:]))
            layout[16:] = h5py.VirtualSource(rows, name, (7, *view[name].shape[1:]))
            del view[name]
            view.create_virtual_dataset(name, layout, fillvalue=np.nan)
        image = (folder / schema.VIEW).read_bytes()[schema.USER_BLOCK :]
        (folder / schema.VIEW).write_bytes(sealed(image))

    return apply


AGAIN = "Run extract again"
REBUILD = "Rebuild it with `python -m features merge "
FAULTS = {
    "missing": (unlink("shard-00001.h5"), [f"shard-00001.h5 is missing. {AGAIN}"]),
    "missing maps": (unlink("maps-00002.h5"), [f"maps-00002.h5 is missing. {AGAIN}"]),
    "flipped": (
        flip("shard-00001.h5", values("net/pool")[8].tobytes()),
        [
            "shard-00001.h5: its bytes don't give its checksum. Delete this file and run extract "
            "again"
        ],
    ),
    "flipped maps": (
        flip("maps-00000.h5", values("net/map")[0].tobytes()),
        ["maps-00000.h5: its bytes don't give its checksum. Delete this file"],
    ),
    "truncated": (
        truncate("shard-00002.h5", 1500),
        ["shard-00002.h5 is no whole HDF5 file .*. Delete this file"],
    ),
    "another run": (
        shard_of_another_run,
        [
            "shard-00001.h5: it belongs to a run with another manifest. Restore it, or "
            "move it away and run extract again",
            "maps-00001.h5: it belongs to a run with another manifest",
        ],
    ),
    "another number": (
        rename("shard-00000.h5", "shard-00001.h5"),
        [
            "shard-00000.h5 is missing",
            "shard-00001.h5: it does not hold rows 8 to 15. Restore it, or move it away",
        ],
    ),
    "not finite": (
        row_that_is_not_finite,
        ["maps-00001.h5: net/map is not finite in row 10. Restore it, or move it away"],
    ),
    "no index": (unlink("index.csv"), [f"index.csv is missing. {AGAIN}"]),
    "short line": (
        replace("index.csv", "22,ä22.jpg,images/ä22.jpg,22,", ""),
        ["index.csv can't be read"],
    ),
    "empty index": (
        lambda folder: (folder / "index.csv").write_text(",".join(schema.INDEX_COLUMNS) + "\n"),
        ["index.csv: it has 0 rows, the manifest 23"],
    ),
    "index of fewer rows": (
        lambda folder: (folder / "index.csv").write_text(
            "".join((folder / "index.csv").read_text("utf-8").splitlines(True)[:-1]), "utf-8"
        ),
        [f"index.csv: it has 22 rows, the manifest 23. {AGAIN}"],
    ),
    "rows out of order": (
        swap_lines("index.csv", 3, 4),
        [f"index.csv: row 3 stands where row 2 belongs. {AGAIN}"],
    ),
    "another path": (
        replace("index.csv", "images/ä4.jpg", "images/ö4.jpg"),
        ["index.csv: its ids, paths or sizes, or their order, are not those of the manifest"],
    ),
    "another size": (
        replace("index.csv", "images/ä4.jpg,4", "images/ä4.jpg,5"),
        ["index.csv: its ids, paths or sizes"],
    ),
    "another status": (
        replace("index.csv", "ok", "undecodable"),
        [rf"index.csv: sha256, .* of 1 rows \(first 0\) differ from the shards. {REBUILD}"],
    ),
    "no view": (unlink("features.h5"), [f"features.h5: it is missing. {REBUILD}"]),
    "stale view": (
        view_without_a_shard,
        [f"features.h5: net/pool does not show every shard, or shows something else. {REBUILD}"],
    ),
    "view of another shard": (
        view_of("shard-00001.h5", "net/fc"),
        ["features.h5: net/fc does not show every shard, or shows something else"],
    ),
    "flipped view": (
        flip("features.h5", b"4c + q"),
        [f"features.h5: its bytes don't give its checksum. {REBUILD}"],
    ),
    "truncated view": (truncate("features.h5", 900), ["features.h5: its bytes don't give"]),
    "view of another manifest": (
        lambda folder: write_view(folder, read_manifest(folder) | {"dtype": "float16"}),
        ["features.h5: it was made for another manifest"],
    ),
    "labels of other images": (
        swap_lines("labels.csv", 3, 4),
        ["labels.csv lists other images than index.csv, or in another order. Move it away"],
    ),
    "a label that is none": (
        replace("labels.csv", "jpg,1", "jpg,2"),
        ["labels.csv, line 2, column 'cat': a label must be 1, .* Got '2'"],
    ),
    "manifest": (
        replace("manifest.json", "float32", "float16"),
        ["manifest.json: no shard was made with this manifest, .*. Restore the file, or keep"],
    ),
    "three at once": (
        lambda folder: [
            FAULTS[name][0](folder) for name in ("truncated", "flipped", "missing maps", "no view")
        ],
        [
            "shard-00001.h5: its bytes",
            "shard-00002.h5 is no whole HDF5 file",
            "maps-00002.h5 is missing",
            "features.h5: it is missing",
        ],
    ),
}


@pytest.mark.parametrize(("damage", "expected"), FAULTS.values(), ids=FAULTS)
def test_every_fault_is_one_line(cache, damage, expected):
    damage(cache)
    faults = list(find_faults(cache))
    assert len(faults) == len(expected), faults
    for fault, pattern in zip(faults, expected, strict=True):
        assert re.match(f"{re.escape(str(cache))}/{pattern}", fault), fault
        assert "\n" not in fault


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("cache"), bad=(9,))


@pytest.mark.parametrize("name", ["features.h5", "index.csv", "manifest.json"])
def test_a_flipped_byte_anywhere_is_a_fault_or_changes_nothing(shared_cache, name):
    path, rows = shared_cache / name, read_index(shared_cache)
    whole = path.read_bytes()

    @settings(deadline=None, max_examples=40)
    @given(place=st.integers(0, len(whole) - 1), change=st.integers(1, 255))
    def check(place, change):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
        try:
            assert not list(find_faults(shared_cache))
        except (AssertionError, InputError):
            return
        finally:
            damaged = path.read_bytes()
            path.write_bytes(whole)
        path.write_bytes(damaged)
        try:
            assert read_index(shared_cache) == rows
            cache = FeatureCache(shared_cache)
            with h5py.File(shared_cache / schema.VIEW) as view:
                for layer in LAYERS:
                    expected = values(layer)
                    expected[9] = np.nan
                    np.testing.assert_array_equal(view[layer][:], expected)
            good = [row for row in range(ROWS) if row != 9]
            np.testing.assert_array_equal(cache.read(["net/pool"]), values("net/pool")[good])
        finally:
            path.write_bytes(whole)

    check()


def test_a_growing_cache_names_each_missing_shard(tmp_path):
    cache = make_cache(tmp_path, numbers=(1,))
    names = [line.partition(" is missing. Run extract again")[0] for line in find_faults(cache)]
    kinds = [("shard", 0), ("maps", 0), ("shard", 2), ("maps", 2)]
    assert names == [str(cache / f"{kind}-{number:05d}.h5") for kind, number in kinds]


# merge


PARTS = {"a": (0,), "b": (2,), "c": (1, 2)}


@pytest.fixture
def parts(tmp_path):
    return [labelled(tmp_path / name, numbers, bad=(3,)) for name, numbers in PARTS.items()]


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_merged_parts_equal_an_undivided_run(tmp_path, parts, links, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    before = [tree(part) for part in parts]
    out = merge(tmp_path / "deep" / "out", parts)
    whole = tree(labelled(tmp_path / "whole", bad=(3,)))
    assert tree(out) == whole
    assert (out / "shard-00001.h5").samefile(parts[2] / "shard-00001.h5") == links
    assert not (out / "labels.csv").samefile(parts[0] / "labels.csv")
    assert list(find_faults(out)) == []
    assert [tree(part) for part in parts] == before
    merge(out, parts)
    assert tree(out) == whole
    (out / schema.VIEW).unlink()
    replace(schema.INDEX, "ok", "pending")(out)
    merge(out, [out])  # which is how a view or a stale index is rebuilt
    assert tree(out) == whole


def _no_links(source, target):
    raise OSError(errno.EPERM, "links are not for this file system")


def test_what_no_part_holds_stays_pending(tmp_path, parts):
    out = merge(tmp_path / "out", parts[:2])
    assert describe_rows(out) == (
        f"{out}: 23 rows, 14 with features\n  9 of 23 rows excluded: 1 undecodable, 8 pending"
    )
    (faults,) = {fault.split(" ")[1] for fault in find_faults(out)}
    assert faults == "is"  # missing
    np.testing.assert_array_equal(FeatureCache(out).labels, LABELS)
    merge(out, parts[2:])
    assert len(FeatureCache(out).valid_rows) == ROWS - 1


def test_a_cache_may_be_merged_into(tmp_path, parts):
    merge(parts[0], parts[1:])
    assert tree(parts[0]) == tree(labelled(tmp_path / "whole", bad=(3,)))


def _merge_until(out, parts, limit, before):
    """Merge, and die at rename number `limit`, just before it or just after."""
    publish = files.publish
    count = 0

    def dying(temporary, path):
        nonlocal count
        count += 1
        if count < limit or not before:
            publish(temporary, path)
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    files.publish = dying
    merge(out, parts)
    os._exit(0)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_killed_merge_leaves_whole_files_and_can_be_run_again(tmp_path, parts, before):
    whole = tree(labelled(tmp_path / "whole", bad=(3,)))
    growing = {schema.INDEX, schema.VIEW}
    limit, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        limit += 1
        out = tmp_path / f"out-{limit}"
        child = multiprocessing.get_context("fork").Process(
            target=_merge_until, args=(out, parts, limit, before)
        )
        child.start()
        child.join()
        code = child.exitcode
        for name, content in tree(out).items():
            if not name.endswith(files.TEMPORARY) and name not in growing:
                assert content == whole[name]
        merge(out, parts)
        assert tree(out) == whole
    assert code == 0
    assert limit == 10  # labels, 3 x (maps, shard), index, view; then it lives


@pytest.mark.parametrize("other", [False, True], ids=["same", "other"])
def test_a_shard_whose_maps_alone_were_merged_is_taken_again(tmp_path, parts, other):
    out = merge(tmp_path / "out", parts)
    whole = tree(out)
    (out / "shard-00001.h5").unlink()
    if other:
        files.write_bytes(out / "maps-00001.h5", (out / "maps-00000.h5").read_bytes())
    merge(out, parts)
    assert tree(out) == whole


def refused(message, out, *parts):
    with pytest.raises(InputError, match=message) as caught:
        merge(out, parts)
    assert "\n" not in str(caught.value)


def test_other_settings_are_refused_with_every_key(tmp_path, parts):
    other = tmp_path / "other"
    other.mkdir()
    write_or_check(other, make_manifest(make_dataset(other), dtype="float16", shard_rows=4))
    every_key = "dtype: there float16, here float32; shard_rows: there 4, here 8"
    out = tmp_path / "out"
    refused(f"other, unlike .*a, was made with .*: {every_key}. Merge only", out, *parts, other)
    assert not out.exists()
    refused(f"other was made with .*: {every_key}. Give the same", other, *parts)
    assert [path.name for path in other.iterdir()] == ["manifest.json"]
    refused("nowhere is not a feature cache", out, parts[0], tmp_path / "nowhere")


def test_two_versions_of_a_shard_are_refused(tmp_path, parts):
    manifest = read_manifest(parts[2])
    write_shards(parts[2], manifest, numbers=(2,), bad=(16,))
    message = r"b/shard-00002.h5 and .*c/shard-00002.h5 are two versions of one shard .*. Delete"
    out = tmp_path / "out"
    refused(message, out, *parts)
    assert len(FeatureCache(out).valid_rows) == 15  # what came before is kept
    assert read_index(out)[7].status == "ok"
    (parts[1] / "shard-00002.h5").unlink()
    assert FeatureCache(merge(out, parts)).status[16] == schema.Status.UNDECODABLE


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip("shard-00002.h5", values("net/pool")[16].tobytes()), "c/shard-00002.h5: its bytes"),
        (truncate("shard-00001.h5", 1500), "c/shard-00001.h5 is no whole HDF5 file"),
        (truncate("maps-00001.h5", 0), "c/maps-00001.h5 is no whole HDF5 file"),
    ],
)
def test_a_damaged_shard_is_refused_wherever_it_is(tmp_path, parts, damage, message):
    damage(parts[2])
    refused(f"{message}.*. Delete this file and run extract again", tmp_path / "out", *parts)
    assert merge(tmp_path / "out", parts[:2])
    damage = flip("shard-00000.h5", values("net/pool")[0].tobytes())
    (tmp_path / "out/shard-00000.h5").unlink()
    (tmp_path / "out/shard-00000.h5").write_bytes((parts[0] / "shard-00000.h5").read_bytes())
    damage(tmp_path / "out")
    refused("out/shard-00000.h5: its bytes .*. Delete this file", tmp_path / "out", *parts[:2])


def test_labels_and_index_have_to_fit(tmp_path, parts):
    out = tmp_path / "out"
    replace("labels.csv", "jpg,1", "jpg,0")(parts[1])
    refused("a/labels.csv and .*b/labels.csv differ. Delete the wrong one", out, *parts)
    (parts[1] / "labels.csv").unlink()
    for part in (parts[0], parts[2]):
        swap_lines("labels.csv", 1, 2)(part)
    refused("a/labels.csv lists other images", out, *parts)
    swap_lines("index.csv", 1, 2)(parts[0])
    refused("a/index.csv: row 1 stands .*Run extract again, .* another cache first", out, *parts)
    (parts[0] / "index.csv").unlink()
    refused("a/index.csv is missing", out, *parts)
    assert not out.exists()


def _merge_on_a_full_disk(out, parts, limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.link = _no_links
    try:
        merge(out, parts)
    except InputError as error:
        kept = "Its shards are kept. Free space or give write permission, then run the same"
        os._exit(7 if kept in str(error) else 8)
    os._exit(0)


@pytest.mark.parametrize("limit", [100, 2500, 3500])
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, parts, limit):
    out = tmp_path / "out"
    child = multiprocessing.get_context("fork").Process(
        target=_merge_on_a_full_disk, args=(out, parts, limit)
    )
    child.start()
    child.join()
    assert child.exitcode == 7
    assert not list(out.glob(f"*{files.TEMPORARY}"))
    assert tree(merge(out, parts)) == tree(labelled(tmp_path / "whole", bad=(3,)))


# export


GOOD = [row for row in range(ROWS) if row not in (3, 17)]


@pytest.fixture
def with_failures(tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "BLOCK_BYTES", 5 * 4 * 11)  # 5 rows of both layers
    return labelled(tmp_path / "whole", bad=(3, 17))


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
    export(with_failures, path, layers=["net/fc", "net/fc"])
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
    refuses("has no vector layer to write. Read spatial maps with h5py", "out.npz", layers=[])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refuses(r"parquet needs pyarrow. Install it with `pip install -e '.\[parquet\]'`", "o.parquet")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="has no row with features yet. Run extract again"):
        export(make_cache(empty, numbers=()), tmp_path / "out.npz")


# The command line


def run(*arguments):
    command = [sys.executable, "-m", "features", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_verify_lists_all_faults_and_exits_with_1(cache):
    FAULTS["three at once"][0](cache)
    done = run("verify", cache)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 4
    assert "Traceback" not in done.stderr


def test_a_refusal_is_one_line_and_exits_with_1(cache, tmp_path):
    done = run("export", cache, "--out", tmp_path / "out.csv")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_verify_merge_export_and_info_from_the_command_line(cache, tmp_path, capsys):
    out = tmp_path / "out"
    assert not main(["merge", str(out), str(cache)])
    assert capsys.readouterr().out == f"{out}: 23 rows, 23 with features\n"
    assert main(["verify", str(out)]) == 0
    assert capsys.readouterr().out == f"{summary(out)}\n"
    target = tmp_path / "out.npz"
    assert not main(["export", str(out), "--out", str(target), "--layers", "net/fc", "net/pool"])
    assert capsys.readouterr().out == f"{target}\n"
    with np.load(target) as got:
        assert list(got)[-2:] == ["net/fc", "net/pool"]
    assert not main(["info", str(out)])
    text = capsys.readouterr().out
    assert "net/map              2 x 3 x 3 map" in text
    assert "2 labels, 19 positives (0.826 per image), 9 cells unknown: cat, sea, sky" in text


def test_index_counts_rows_labels_and_images_left_out(tmp_path, capsys):
    names = [f"{number:012d}.jpg" for number in (7, 8, 139, 5, 6)]
    images = make_images(tmp_path / "val2017", *names)
    source, out = tmp_path / "instances.json", tmp_path / "coco"
    source.write_text(json.dumps(coco_content()))
    paths = ["--source", str(source), "--images", str(images), "--out", str(out)]
    assert not main(["index", "--format", "coco", *paths])
    assert capsys.readouterr().out == (
        f"{out}: 3 rows, 3 labels, 3 positives (1.000 per image), 0 cells unknown\n"
        f"  2 more images in {images} have no annotation and are left out\n"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path[0])
def test_every_help_shows_an_example_that_can_be_pasted(command, capsys):
    (word,) = command.path
    for arguments in (["--help"], [word, "--help"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
        assert f"\n  {command.example}\n" in capsys.readouterr().out
    program, pasted = command.example.split(" -m features ")
    assert program == "python"
    run, options = parse(COMMANDS, "python -m features", "", shlex.split(pasted))
    assert run == command.run
    assert set(options) == set(inspect.signature(load(run)).parameters)
