"""`features.h5`: one virtual HDF5 array per layer over all shards of a cache.

Programs that open a cache with plain h5py read it; `cache` reads the shards instead. It holds no
features, so it can be rebuilt at any time.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import h5py
import numpy as np

from features import files, schema
from features.checks.causes import os_text, unreadable
from features.files.endless import is_endless
from features.files.ownership import require_ours
from features.manifest import Manifest, manifest_hash
from features.shards import finished_shards


class _Array(NamedTuple):
    """One array of the view: its values, and the files of the shards (`maps` or not) behind it."""

    name: str
    shape: tuple[int, ...]  # of a row
    fill: np.ndarray  # a scalar, for rows without a shard
    maps: bool


def write_view(folder: Path, manifest: Manifest) -> None:
    """Make `features.h5`: one virtual array per layer over all shards that exist.

    Rows without a shard read as NaN with status PENDING.
    """
    require_ours(folder / schema.VIEW, _is_view, what="a view of a cache")
    with files.atomic_write(folder / schema.VIEW) as temporary:
        temporary.write_bytes(sealed(_image(folder, manifest)))


def view_fault(folder: Path, manifest: Manifest) -> str:
    """Describe how `features.h5` differs from what `write_view` makes; empty if it doesn't.

    Compares what each array is made of and reads no features: with sound shards, that fixes
    every value. A shard that has been deleted since reads as missing, which is not a fault here.

    Raises
    ------
    InputError
        The file can't be read now: no permission, a lock, a fault of the disk.
    """
    present = finished_shards(folder, manifest)
    try:
        if not is_sealed(folder / schema.VIEW):
            return "its bytes don't give its checksum"
        with h5py.File(folder / schema.VIEW, "r") as file:
            if file.attrs[schema.MANIFEST_HASH].decode() != manifest_hash(manifest):
                return "it was made for another manifest"
            for array in _arrays(manifest):
                if not _as_expected(file[array.name], array, folder, present, manifest):
                    return f"{array.name} does not show every shard, or shows something else"
                layout = manifest["layers"].get(array.name, {}).get("layout")
                if file[array.name].attrs.get(schema.LAYOUT) != layout:
                    return f"{array.name} has another layout than in the manifest"
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        if error.errno:
            raise unreadable(folder / schema.VIEW, error) from error
        return f"it is damaged ({os_text(error)})"
    except (KeyError, RuntimeError, ValueError, AttributeError) as error:
        return f"it is damaged ({error})"
    return ""


def is_replaced(path: Path) -> bool:
    """Tell whether `write_view` would put a view in place of what has its name, if anything has."""
    if is_endless(path) or path.is_dir():
        return False
    if not path.exists():
        return True
    with open(path, "rb") as file:
        return _is_view(file)


def _is_view(file: BinaryIO) -> bool:
    """Recognize a view, whole or damaged: a checksum, zeros, and HDF5."""
    block = file.read(schema.USER_BLOCK)
    return re.fullmatch(rb"[0-9a-f]{64}\0+", block) is not None and file.read(4) == b"\x89HDF"


def is_sealed(path: Path) -> bool:
    """Check a view's bytes before HDF5 opens it, which can crash on damaged files."""
    if is_endless(path):
        return False
    content = path.read_bytes()
    return content == sealed(content[schema.USER_BLOCK :])


def sealed(image: bytes) -> bytes:
    """Put the user block with its checksum before the HDF5 bytes of a view."""
    digest = hashlib.sha256(image).hexdigest().encode()
    return digest.ljust(schema.USER_BLOCK, b"\0") + image


def _arrays(manifest: Manifest) -> Iterator[_Array]:
    for name in manifest["layer_order"]:
        record = manifest["layers"][name]
        fill = np.array(np.nan, record["dtype"])
        yield _Array(name, tuple(record["shape"]), fill, schema.is_map(record["shape"]))
    yield _Array(schema.STATUS, (), np.array(schema.Status.PENDING, "u1"), False)


def _sources(
    array: _Array, folder: Path, numbers: Sequence[int], manifest: Manifest
) -> Iterator[tuple[range, str]]:
    """Yield rows and file name of each shard behind an array."""
    for k in numbers:
        rows = schema.shard_rows(k, manifest["shard_rows"], manifest["index"]["rows"])
        yield rows, schema.shard_path(folder, k, maps=array.maps).name


def _image(folder: Path, manifest: Manifest) -> bytes:
    """Make the HDF5 part in memory: a full disk is then an `OSError` like any other."""
    present = finished_shards(folder, manifest)
    memory = {"driver": "core", "backing_store": False, "userblock_size": schema.USER_BLOCK}
    with h5py.File(schema.VIEW, "w", **memory) as file:
        for array in _arrays(manifest):
            sources = _sources(array, folder, present, manifest)
            _virtual(file, array, sources, manifest["index"]["rows"])
            if array.name in manifest["layers"]:
                layout = manifest["layers"][array.name]["layout"]
                file[array.name].attrs[schema.LAYOUT] = layout
        file.attrs[schema.MANIFEST_HASH] = np.bytes_(manifest_hash(manifest))
        file.flush()
        return file.id.get_file_image()  # without the user block


def _virtual(
    file: h5py.File, array: _Array, sources: Iterator[tuple[range, str]], total: int
) -> None:
    """Create one virtual array over shards; by HDF5's own calls, since h5py's add the time."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    properties.set_fill_value(array.fill)
    space = h5py.h5s.create_simple((total, *array.shape))
    for rows, source in sources:
        whole = (len(rows), *array.shape)
        space.select_hyperslab((rows.start,) + (0,) * len(array.shape), whole)
        properties.set_virtual(
            space, source.encode(), array.name.encode(), h5py.h5s.create_simple(whole)
        )
    space.select_all()
    group = file.require_group(array.name.rpartition("/")[0] or "/")
    kind = h5py.h5t.py_create(array.fill.dtype)
    h5py.h5d.create(group.id, array.name.rpartition("/")[2].encode(), kind, space, properties)


def _as_expected(
    dataset: h5py.Dataset, array: _Array, folder: Path, present: list[int], manifest: Manifest
) -> bool:
    total = manifest["index"]["rows"]
    if dataset.shape != (total, *array.shape):
        return False
    if dataset.dtype != array.fill.dtype or dataset.fillvalue.tobytes() != array.fill.tobytes():
        return False
    every = range(schema.shard_count(manifest["shard_rows"], total))
    # Bounds are the inclusive corners of what a shard fills; of the shard itself, all is taken.
    first, last = (0,) * len(array.shape), tuple(side - 1 for side in array.shape)
    expected = [
        (source, array.name, ((rows.start, *first), (rows.stop - 1, *last)), h5py.h5s.SEL_ALL)
        for rows, source in _sources(array, folder, every, manifest)
    ]
    # HDF5 keeps an array without sources as a plain one.
    sources = dataset.virtual_sources() if dataset.is_virtual else []
    found = {
        (file, name, space.get_select_bounds(), whole.get_select_type())
        for space, file, name, whole in sources
    }
    return {expected[k] for k in present} <= found <= set(expected)
