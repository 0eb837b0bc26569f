"""`features verify`: every fault is one line, and a sound cache has none."""

import os
import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import schema
from features.cache import FeatureCache
from features.commands.verify import find_faults, summary
from features.errors import InputError
from features.index import read_index
from features.manifest import read_manifest
from features.shard_writer import ShardWriter
from features.view import sealed, write_view
from tests.features.labeled import (
    cache,  # noqa: F401
    labeled,
    tree,
)
from tests.features.test_cache import (
    LAYERS,
    ROWS,
    make_cache,
    make_dataset,
    make_manifest,
    values,
    write_shards,
)
from tests.hostile.damage import overwrite

# verify


def test_a_sound_cache_has_no_faults_and_is_not_touched(tmp_path):
    cache = labeled(tmp_path / "c", bad=(3, 17))
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
        replace("labels.csv", "ä3.jpg", "other.jpg"),
        ["labels.csv lists other images than the cache: 1 .first 'other.jpg'.*move it away"],
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

    @settings(deadline=None, max_examples=25)
    @given(place=st.integers(0, len(whole) - 1), change=st.integers(1, 255))
    def check(place, change):
        overwrite(path, whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
        try:
            assert not list(find_faults(shared_cache))
        except (AssertionError, InputError):
            return
        finally:
            damaged = path.read_bytes()
            overwrite(path, whole)
        overwrite(path, damaged)
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
            overwrite(path, whole)

    check()


def test_a_growing_cache_names_each_missing_shard(tmp_path):
    cache = make_cache(tmp_path, numbers=(1,))
    names = [line.partition(" is missing. Run extract again")[0] for line in find_faults(cache)]
    kinds = [("shard", 0), ("maps", 0), ("shard", 2), ("maps", 2)]
    assert names == [str(cache / f"{kind}-{number:05d}.h5") for kind, number in kinds]
