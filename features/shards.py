"""Shards: fixed ranges of rows in HDF5 files that are complete if they exist.

`shard_writer` makes them. Everything else in a cache folder (`index.csv`, `features.h5`) is rebuilt
from the shards.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from features import schema
from features.checks.causes import os_text, unreadable
from features.checks.seals import is_intact
from features.checks.shards import FOREIGN, misfit
from features.errors import InputError
from features.inputs.other_kinds import kind_of
from features.schema import Manifest

_SHARD_NAME = re.compile(r"shard-([0-9]{5,10})\.h5")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
BLOCK_BYTES = 64 << 20  # read at a time when a shard is checked


def kinds(manifest: Manifest) -> tuple[bool, ...]:
    """List the files of a shard: vectors always (False), spatial maps (True) if there are any."""
    maps = any(schema.is_map(record["shape"]) for record in manifest["layers"].values())
    return (False, True) if maps else (False,)


def shard_length(path: Path, number: int, manifest: Manifest) -> int:
    """Count the rows of a file of a shard; one that is foreign counts as whole, to be refused."""
    with open_shard(path) as file:
        carried = file.attrs.get(schema.MANIFEST_HASH, b"")
    text = carried.decode("ascii", "replace") if isinstance(carried, bytes) else ""
    return schema.rows_by_hash(manifest, number, text) or schema.lengths(manifest, number)[-1]


def checksum(file: h5py.File) -> str:
    """Hex SHA-256 over the names, types, shapes and bytes of every dataset of an open shard."""
    digest = hashlib.sha256()
    for name in sorted(dataset_names(file)):
        dataset = file[name]
        digest.update(f"{name} {dataset.dtype.str} {dataset.shape};".encode())
        for block in blocks(dataset):
            digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()


def stored_checksum(path: Path) -> str:
    """Read the checksum that a shard was written with."""
    with open_shard(path) as file:
        found = file.attrs.get(schema.CHECKSUM)
    if not isinstance(found, bytes):
        raise InputError(f"{path} holds no checksum. Restore it, or move it away and run extract.")
    return found.decode("ascii", "replace")


def dataset_names(file: h5py.File) -> list[str]:
    """Names of all arrays of an open shard."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    return names


def blocks(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    """Read a dataset in runs of rows of at most `BLOCK_BYTES` (or one row)."""
    row_bytes = max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:])))
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, dataset.shape[0], step):
        yield dataset[start : start + step]


def is_finished(folder: Path, number: int, manifest: Manifest) -> bool:
    """Tell whether all files of a shard exist; existing files are complete by construction.

    After an append to the data set, the shard that was the last one lacks rows until it is
    written anew.
    """
    rows = schema.shard_rows(number, manifest["shard_rows"], manifest["index"]["rows"])
    return rows_held(folder, number, manifest) == len(rows)


def rows_held(folder: Path, number: int, manifest: Manifest) -> int:
    """Count the rows of a shard that are there, from its first on; 0 without one of its files.

    Raises
    ------
    InputError
        A file can't be read.
    """
    paths = [schema.shard_path(folder, number, maps=maps) for maps in kinds(manifest)]
    if not all(path.exists() for path in paths):
        return 0
    had = schema.lengths(manifest, number)
    if set(had) <= {0, had[-1]}:
        return had[-1]  # no append made it longer, and it need not be opened
    return min(shard_length(path, number, manifest) for path in paths)


class DamagedShardError(InputError):
    """A shard whose bytes can all be read, and are no whole HDF5 file."""


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading; what it holds is not checked.

    Its structure is, before HDF5 sees it: by its seal, or without one (older shards, and files that
    another program changed) by a first look in another process.

    Raises
    ------
    DamagedShardError
        The file is truncated or not an HDF5 file, or its seal shows that it is damaged.
    InputError
        It is missing, no regular file, makes HDF5 hang or crash, or can't be read now: locked, no
        permission, too many open files, too little memory, a fault of the disk.
    """
    try:
        _require_file(path)
        if (intact := is_intact(path)) is False:
            raise _damaged(path, "its structure doesn't give its checksum")
        if intact is None:
            _try_first(path)
        return _opened(path)
    except OSError as error:
        if error.errno:
            raise unreadable(path, error) from error
        _read_through(path)
        raise _damaged(path, os_text(error)) from error


def _try_first(path: Path) -> None:
    from features.checks.trial import trial_fault  # no shard of this version needs it

    if fault := trial_fault(path):
        raise InputError(
            f"{path}: {fault}, so it is damaged. Restore it, or move it away and run extract "
            "again, which makes only this shard anew."
        )


def _damaged(path: Path, reason: str) -> DamagedShardError:
    with open(path, "rb") as file:
        start = file.read(512)
    remedy = "Delete this file"
    if start and not start.startswith(_SIGNATURE):  # no part of a shard: perhaps the user's own
        reason = f"it is {kind_of(start)}" if kind_of(start) else reason
        remedy = "Restore it, or move it away"
    return DamagedShardError(
        f"{path} is no whole HDF5 file ({reason}). {remedy} and run extract again, which makes "
        "only this shard anew."
    )


def open_checked(folder: Path, number: int, manifest: Manifest, *, maps: bool = False) -> h5py.File:
    """Open a shard for reading, and check what is cheap to check (`checks.shards.misfit`).

    Raises
    ------
    InputError
        As `open_shard`, or it is not what the manifest asks for.
    """
    path = schema.shard_path(folder, number, maps=maps)
    file = open_shard(path)
    try:
        with explained_reading(path):
            fault = misfit(file, number, manifest, maps=maps)
            if fault == FOREIGN:
                from features.manifest import read_manifest  # only here, and only then

                now = read_manifest(folder)
                if manifest in schema.states(now)[:-1]:  # an append has made the shard longer
                    fault = misfit(file, number, now, maps=maps)
        if fault:
            raise InputError(
                f"{path}: {fault}. `python -m features verify {folder}` checks all files. Restore "
                "it, or move it away and run extract again, which makes only this shard anew."
            )
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def explained_reading(path: Path) -> Iterator[None]:
    """Turn an error of the system while a shard is read into one line with its cause."""
    try:
        yield
    except MemoryError as error:
        raise unreadable(path, OSError(errno.ENOMEM, "")) from error
    except OSError as error:
        if not error.errno:
            raise
        raise unreadable(path, error) from error


def _require_file(path: Path) -> None:
    """Open and close it by the system's own call, whose errors have a number."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path} is no regular file. Move it away and run extract again.")
    finally:
        os.close(descriptor)


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return h5py.File(path, "r", locking=False)  # a file system without locks


def _read_through(path: Path) -> None:
    """Read every byte of a file, so that a fault of the disk is not taken for one of the file."""
    try:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    except OSError as error:
        raise unreadable(path, error) from error


def finished_shards(folder: Path, manifest: Manifest, *, short: bool = False) -> list[int]:
    """Numbers of the shards that exist, in ascending order.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    manifest : dict
        Its manifest.
    short : bool
        Also those that lack the rows that an append gives them.

    Raises
    ------
    InputError
        The folder can't be read.
    """
    count = schema.shard_count(manifest["shard_rows"], manifest["index"]["rows"])
    try:
        there = set(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error
    # By the files, not by the count: an edited manifest may ask for any number of shards.
    numbers = sorted({int(found[1]) for name in there if (found := _SHARD_NAME.fullmatch(name))})
    return [
        k
        for k in numbers
        if k < count
        and all(schema.shard_path(folder, k, maps=maps).name in there for maps in kinds(manifest))
        and (short or is_finished(folder, k, manifest))
    ]
