"""Shards that were edited, swapped, or can't be read now: one line, and nothing is learned."""

import shutil

import h5py
import numpy as np
import pytest

from features import schema
from features.cache import FeatureCache
from features.commands.verify import find_faults, verify_shard
from features.errors import InputError
from features.manifest import read_manifest
from features.shards import checksum
from tests.features.test_cache import make_dataset, make_manifest, write_shards
from tests.sealing import reseal

POOL, FC, MAP = "net/pool", "net/fc", "net/map"


def edited(name, values=None, *, seal=True, shard="shard-00000.h5", **options):
    """Put another array in the place of one; with `seal`, its checksum is made right again."""

    def edit(folder):
        with h5py.File(folder / shard, "r+") as file:
            old, attributes = file[name][:], dict(file[name].attrs)
            del file[name]
            new = values(old) if values else old
            file.create_dataset(name, data=new, **options).attrs.update(attributes)
            if seal:
                file.attrs.modify(schema.CHECKSUM, np.bytes_(checksum(file)))

    return edit


def without(name, shard="shard-00000.h5"):
    def edit(folder):
        with h5py.File(folder / shard, "r+") as file:
            del file[name]

    return edit


def linked(name, link, shard="shard-00000.h5"):
    """Put a link in the place of an array."""

    def edit(folder):
        with h5py.File(folder / shard, "r+") as file:
            if name in file:
                del file[name]
            file[name] = link

    return edit


def made(name, make, shard="shard-00000.h5"):
    """Put what a function makes of the file in the place of an array."""

    def edit(folder):
        with h5py.File(folder / shard, "r+") as file:
            del file[name]
            make(file)

    return edit


def virtual(file):
    layout = h5py.VirtualLayout((8, 3), "f2")
    layout[:] = h5py.VirtualSource("shard-00001.h5", FC, (8, 3))
    file.create_virtual_dataset(FC, layout)


def external(file):
    file.create_dataset(FC, (8, 3), "f2", external=[("/etc/passwd", 0, 48)])


def attribute(name, value, where="/", shard="shard-00000.h5"):
    def edit(folder):
        with h5py.File(folder / shard, "r+") as file:
            file[where].attrs[name] = value

    return edit


def of_another_cache(folder):
    other = folder.parent / "other"
    other.mkdir()
    write_shards(other, make_manifest(make_dataset(other), engine="compile"), numbers=(0,))
    for name in ("shard-00000.h5", "maps-00000.h5"):
        shutil.copy(other / name, folder)


def swapped(folder):
    one, two = folder / "shard-00000.h5", folder / "shard-00001.h5"
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def compound(old):
    return np.zeros(len(old), [("a", "f4"), ("b", "f4")])


def status_of(code):
    return lambda old: np.full(len(old), code, np.uint8)


def add_extra(folder):
    with h5py.File(folder / "shard-00000.h5", "r+") as file:
        file["extra"] = np.zeros(3)


EDITS = {
    "one more array": (add_extra, "it holds 'extra', which its manifest does not name"),
    "missing array": (without(FC), "net/fc is missing"),
    "missing group": (without("net"), "net/pool is missing"),
    "missing row numbers": (without(schema.ROW), "row is missing"),
    "missing status": (without(schema.STATUS), "status is missing"),
    "group": (made(FC, lambda file: file.create_group(FC)), "net/fc is a group, not an array"),
    "array for a folder": (
        made("net", lambda file: file.create_dataset("net", data=[1.0])),
        "net is an array, not the folder of layers",
    ),
    "named type": (
        made(FC, lambda file: file.__setitem__(FC, np.dtype("f2"))),
        "net/fc is a datatype, not an array",
    ),
    "int": (edited(FC, lambda old: old.astype("i2")), r"net/fc is int16 \(8, 3\), not float16"),
    "float64": (edited(POOL, np.float64), r"net/pool is float64 \(8, 8\), not float32"),
    "other byte order": (edited(POOL, lambda old: old.astype(">f4")), "net/pool is >f4"),
    "complex": (edited(POOL, np.complex64), "net/pool is complex64"),
    "text": (edited(FC, lambda old: old.astype("S4")), r"net/fc is \|S4"),
    "objects": (
        edited(FC, lambda old: np.array(["a"] * 8, h5py.string_dtype()), seal=False),
        r"net/fc is object \(8,\)",
    ),
    "compound": (edited(FC, compound), "net/fc is .*'a'"),
    "bool status": (edited(schema.STATUS, lambda old: old.astype(bool)), "status is bool"),
    "transposed": (edited(FC, np.transpose), r"net/fc is float16 \(3, 8\), not float16 \(8, 3\)"),
    "fewer rows": (edited(FC, lambda old: old[:-1]), r"net/fc is float16 \(7, 3\)"),
    "more rows": (edited(FC, lambda old: np.vstack([old, old])), r"net/fc is float16 \(16, 3\)"),
    "fewer columns": (edited(FC, lambda old: old[:, :2]), r"net/fc is float16 \(8, 2\)"),
    "one more axis": (edited(FC, lambda old: old[None]), r"net/fc is float16 \(1, 8, 3\)"),
    "scalar": (edited(FC, lambda old: old[0, 0], seal=False), r"net/fc is float16 \(\)"),
    "empty": (edited(FC, lambda old: old[:0]), r"net/fc is float16 \(0, 3\)"),
    "no shape": (edited(FC, lambda old: h5py.Empty("f2"), seal=False), "net/fc is float16 None"),
    "compressed": (edited(POOL, compression="gzip"), "net/pool is chunked, not contiguous"),
    "chunked": (edited(POOL, chunks=(4, 8)), "net/pool is chunked, not contiguous"),
    "may grow": (edited(POOL, maxshape=(None, 8)), "net/pool is chunked, not contiguous"),
    "soft link": (linked(FC, h5py.SoftLink("/net/pool")), "net/fc is a link to elsewhere"),
    "soft link to nothing": (linked(FC, h5py.SoftLink("/no")), "net/fc is a link to elsewhere"),
    "external link": (
        linked(FC, h5py.ExternalLink("shard-00001.h5", FC)),
        "net/fc is a link to elsewhere",
    ),
    "external folder": (
        linked("net", h5py.ExternalLink("shard-00001.h5", "net")),
        "net is a link to elsewhere",
    ),
    "virtual": (made(FC, virtual), "net/fc is virtual, not contiguous"),
    "external storage": (made(FC, external), "net/fc lies in another file"),
    "never written": (
        made(FC, lambda file: file.create_dataset(FC, (8, 3), "f2")),
        "net/fc holds no values",
    ),
    "loop": (
        linked("loop", h5py.SoftLink("/")),
        "loop is a link to elsewhere",
    ),
    "another cache": (of_another_cache, "it belongs to a run with another manifest"),
    "swapped": (swapped, "it does not hold rows 0 to 7"),
    "rotated rows": (
        edited(schema.ROW, lambda old: np.roll(old, 1)), "it does not hold rows 0 to 7",
    ),
    "status of another version": (
        edited(schema.STATUS, status_of(77)), "status is 77 in a row; it must be one of 0, 1",
    ),
    "no manifest hash": (
        attribute(schema.MANIFEST_HASH, 7), "it does not name the manifest that it belongs to",
    ),
    "no checksum": (attribute(schema.CHECKSUM, b""), "it holds no checksum"),
    "other layout": (attribute(schema.LAYOUT, "c", FC), "net/fc has another layout than in"),
    "layout that is none": (attribute(schema.LAYOUT, [1, 2], FC), "another layout|can't be read"),
}  # fmt: skip


def edit_sealed(cache, edit):
    """Edit a shard and seal it: `test_seals` has those without."""
    edit(cache)
    for path in cache.glob("*-0000?.h5"):
        reseal(path)


def one_line(error):
    text = str(error)
    assert "\n" not in text and len(text) < 1000
    return text


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS)
def test_an_edited_shard_is_refused_whenever_it_is_opened(cache, edit, message):
    edit_sealed(cache, edit)
    reads = (
        lambda: FeatureCache(cache).valid_rows,
        lambda: FeatureCache(cache).read(),
        lambda: FeatureCache(cache)._shards.layer(0, POOL),
        lambda: verify_shard(cache, 0, read_manifest(cache)),
    )
    for read in reads:
        with pytest.raises(InputError, match=f"shard-00000.h5: .*({message})") as caught:
            read()
        text = one_line(caught.value)
        assert "move it away and run extract again" in text and "elete" not in text
    assert any("shard-00000.h5" in fault for fault in find_faults(cache))


MAPS = {
    "contiguous": (edited(MAP, shard="maps-00000.h5"), "net/map is contiguous, not chunked"),
    "other chunks": (
        edited(MAP, shard="maps-00000.h5", chunks=(2, 2, 3, 3)), "has chunks .2, 2, 3, 3., not .1",
    ),
    "compressed": (
        edited(MAP, shard="maps-00000.h5", chunks=(1, 2, 3, 3), compression="gzip"),
        "net/map is compressed or filtered",
    ),
    "transposed": (
        edited(MAP, lambda old: old.transpose(0, 2, 3, 1), shard="maps-00000.h5"),
        r"net/map is float16 \(8, 3, 3, 2\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), MAPS.values(), ids=MAPS)
def test_edited_maps_are_refused(cache, edit, message):
    edit_sealed(cache, edit)
    with pytest.raises(InputError, match=f"maps-00000.h5: .*{message}") as caught:
        FeatureCache(cache).read_instances(MAP, [0])
    one_line(caught.value)


def test_values_are_verified_and_then_alone_a_file_is_to_be_deleted(cache):
    edit_sealed(cache, edited(POOL, lambda old: old[::-1].copy(), seal=False))
    with pytest.raises(InputError, match="bytes don't give its checksum. Delete this file"):
        verify_shard(cache, 0, read_manifest(cache))


def rotate(lines):
    return [lines[0], *lines[2:], lines[1]]


def renumber(lines):
    rotated = rotate(lines)
    return [rotated[0], *(f"{k},{line.split(',', 1)[1]}" for k, line in enumerate(rotated[1:]))]


@pytest.mark.parametrize("change", [rotate, renumber, lambda lines: lines[:-1]])
def test_an_index_that_was_turned_is_refused(cache, change):
    path = cache / schema.INDEX
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(change(lines)), "utf-8")
    with pytest.raises(InputError, match=r"index.csv: .*Restore it, or rebuild it") as caught:
        FeatureCache(cache).ids  # noqa: B018
    one_line(caught.value)
