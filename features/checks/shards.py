"""Cheap facts of a shard, checked whenever one is opened: types, shapes, how its arrays lie.

Values are checked by `python -m features verify`. Nothing that a shard could refer to outside
itself is followed: soft and external links, external and virtual storage.
"""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from features import schema
from features.errors import plain_words
from features.schema import MESSAGE_BYTES, Manifest, Status

FOREIGN = "it belongs to a run with another manifest"
_STORAGE = {
    h5py.h5d.COMPACT: "compact",
    h5py.h5d.CONTIGUOUS: "contiguous",
    h5py.h5d.CHUNKED: "chunked",
    h5py.h5d.VIRTUAL: "virtual",
}
_ROW_TYPES = {
    schema.ROW: "<i8",
    schema.STATUS: "|u1",
    schema.MESSAGE: f"|S{MESSAGE_BYTES}",
    schema.DIGEST: "|S64",
}


def misfit(file: h5py.File, number: int, manifest: Manifest, *, maps: bool) -> str:
    """Say how an open shard departs from what its manifest asks for; empty if it doesn't.

    It may lack the rows that an append gives it.

    Parameters
    ----------
    file : h5py.File
    number : int
        Of the shard.
    manifest : dict
    maps : bool
        Whether it is the file of spatial maps.

    Returns
    -------
    str
        What is there and what should be.
    """
    try:
        return _misfit(file, number, manifest, maps=maps)
    except (MemoryError, OSError) as error:
        if isinstance(error, MemoryError) or error.errno:
            raise
        return f"it can't be read as a shard ({plain_words(error)})"
    except Exception as error:  # an edited file can make h5py raise any exception
        return f"it can't be read as a shard ({plain_words(error)})"


def lacks_rows(file: h5py.File, number: int, manifest: Manifest) -> bool:
    """Tell whether an open shard still has the rows of the time before an append."""
    try:
        found = _attribute(file, schema.MANIFEST_HASH)
    except (OSError, RuntimeError, LookupError, TypeError, ValueError):
        return False  # damaged, which `misfit` tells
    return 0 < schema.rows_by_hash(manifest, number, found) < schema.lengths(manifest, number)[-1]


def layer_names(manifest: Manifest, *, maps: bool) -> list[str]:
    """Names of the layers that are maps, or that aren't, in the order of the network."""
    records = manifest["layers"]
    return [k for k in manifest["layer_order"] if schema.is_map(records[k]["shape"]) == maps]


def _misfit(file: h5py.File, number: int, manifest: Manifest, *, maps: bool) -> str:
    found = _attribute(file, schema.MANIFEST_HASH)
    held = schema.rows_by_hash(manifest, number, found)
    if not held:
        return FOREIGN if len(found) == 64 else "it does not name the manifest that it belongs to"
    if len(_attribute(file, schema.CHECKSUM)) != 64:
        return "it holds no checksum"
    rows = schema.shard_rows(number, manifest["shard_rows"], manifest["index"]["rows"])[:held]
    names = layer_names(manifest, maps=maps)
    shapes = {name: tuple(manifest["layers"][name]["shape"]) for name in names}
    types = {name: np.dtype(manifest["layers"][name]["dtype"]) for name in names}
    for name in (schema.ROW,) if maps else schema.ROW_DATASETS:
        shapes[name], types[name] = (), np.dtype(_ROW_TYPES[name])
    size = file.id.get_filesize()
    if fault := next(_link_faults(file, set(shapes)), ""):
        return fault
    arrays = {}
    for name, shape in shapes.items():
        if name not in file:
            return f"{name} is missing"
        arrays[name] = dataset = file[name]
        if not isinstance(dataset, h5py.Dataset):
            return f"{name} is a {type(dataset).__name__.lower()}, not an array"
        if dataset.shape != (len(rows), *shape) or dataset.dtype != types[name]:
            wanted = f"{types[name]} {(len(rows), *shape)}"
            return f"{name} is {dataset.dtype} {dataset.shape}, not {wanted}"
        chunks = (1, *shape) if schema.is_map(shape) else None
        if fault := _storage_fault(dataset, chunks, size):
            return f"{name} {fault}"
    return _value_fault(arrays, rows, manifest, names, maps=maps)


def _value_fault(
    arrays: dict[str, h5py.Dataset],
    rows: range,
    manifest: Manifest,
    names: list[str],
    *,
    maps: bool,
) -> str:
    if not np.array_equal(arrays[schema.ROW][:], rows):
        return f"it does not hold rows {rows.start} to {rows.stop - 1}"
    if not maps and (unknown := set(arrays[schema.STATUS][:].tolist()).difference(Status)):
        odd = min(unknown)
        return (
            f"status is {odd} in a row; it must be one of {', '.join(str(int(s)) for s in Status)}"
        )
    for name in names:
        if arrays[name].attrs.get(schema.LAYOUT) != manifest["layers"][name]["layout"]:
            return f"{name} has another layout than in the manifest"
    return ""


def _link_faults(group: h5py.Group, names: set[str], prefix: str = "") -> Iterator[str]:
    """Find links that leave the file or the tree, and objects that no manifest names."""
    for key in group:
        name = f"{prefix}{key}"
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            yield f"{name} is a link to elsewhere, not an array"
        elif any(one.startswith(f"{name}/") for one in names):
            if not isinstance(inner := group[key], h5py.Group):
                yield f"{name} is an array, not the folder of layers"
            else:
                yield from _link_faults(inner, names, f"{name}/")
        elif name not in names:
            yield f"it holds {name!r}, which its manifest does not name"


def _storage_fault(dataset: h5py.Dataset, chunks: tuple[int, ...] | None, size: int) -> str:
    """Say how an array lies otherwise than `ShardWriter` lays it."""
    how = dataset.id.get_create_plist()
    wanted = h5py.h5d.CHUNKED if chunks else h5py.h5d.CONTIGUOUS
    if how.get_external_count():
        return "lies in another file"
    if (layout := how.get_layout()) != wanted:
        return f"is {_STORAGE.get(layout, 'of unknown storage')}, not {_STORAGE[wanted]}"
    if how.get_nfilters():
        return f"is compressed or filtered ({how.get_filter(0)[3].decode(errors='replace')})"
    if chunks:
        found = dataset.chunks
        return "" if found == chunks else f"has chunks {found}, not {chunks}"
    offset = dataset.id.get_offset()
    if offset is None:
        return "holds no values"
    return "" if offset + dataset.nbytes <= size else "goes beyond the end of the file"


def _attribute(file: h5py.File, name: str) -> str:
    value: Any = file.attrs.get(name, b"")
    return value.decode("ascii", "replace") if isinstance(value, bytes) else ""
