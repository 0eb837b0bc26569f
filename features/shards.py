"""Shards: fixed ranges of rows in HDF5 files that are complete if they exist.

A shard is written under a temporary name and renamed when it is complete, so a killed writer loses
the current shard only. Everything else in a cache folder (`index.csv`, `features.h5`) is rebuilt
from the shards.
"""

import errno
import hashlib
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import h5py
import numpy as np

from features import files, schema
from features.checks.causes import os_text, unreadable
from features.checks.shards import FOREIGN, misfit
from features.errors import InputError
from features.schema import MESSAGE_BYTES, Manifest

OVERHEAD_BYTES = 1 << 14  # HDF5's headers of a shard
_SHARD_NAME = re.compile(r"shard-([0-9]{5,10})\.h5")
BLOCK_BYTES = 64 << 20  # read at a time when a shard is checked


class ShardWriter:
    """Context manager that writes one shard; its files appear when the block ends without an error.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    number : int
        Number of the shard.
    manifest : dict
        The cache's manifest, which gives the layers, the row ranges and the hash to store.
    amend : bool
        Start from the shard that is there instead of an empty one, to replace some of its rows
        or, after an append to the data set, to add the rows that it lacks.

    Raises
    ------
    InputError
        In `write` or at the end of the block: the disk is full or can't be written.
    """

    def __init__(self, folder: Path, number: int, manifest: Manifest, *, amend: bool = False):
        self.rows = schema.shard_rows(number, manifest["shard_rows"], manifest["index"]["rows"])
        layers = manifest["layers"]
        self._files: dict[bool, h5py.File] = {}
        self._temporaries: dict[bool, files.Temporary] = {}
        self._targets = {
            maps: schema.shard_path(folder, number, maps=maps) for maps in kinds(manifest)
        }
        try:
            for maps, target in self._targets.items():
                require_own_shard(target)
                with _explained(target):
                    self._temporaries[maps] = files.Temporary(target)
                    path = self._temporaries[maps].path
                    if amend and _length(target, number, manifest) == len(self.rows):
                        shutil.copyfile(target, path)
                        self._files[maps] = h5py.File(path, "r+", locking=False)
                        continue
                    _reserve(path, _file_bytes(manifest, len(self.rows), maps=maps))
                    self._files[maps] = _create(path, self.rows, manifest, maps=maps)
                    if amend:
                        _copy_rows(target, self._files[maps])
        except BaseException:
            self._discard()
            raise
        self._maps = {name: schema.is_map(record["shape"]) for name, record in layers.items()}

    def write(
        self,
        rows: Sequence[int] | np.ndarray,
        arrays: Mapping[str, np.ndarray],
        status: np.ndarray,
        messages: Sequence[str],
        digests: Sequence[str],
    ) -> None:
        """Write a run of consecutive rows.

        Parameters
        ----------
        rows : sequence of int, length m
            Consecutive rows of the whole cache that lie in this shard.
        arrays : dict of ndarray, each (m, ...)
            One array per layer; rows that failed hold NaN.
        status : ndarray of uint8, shape (m,)
            A `schema.Status` each.
        messages, digests : sequence of str, length m
            Why a row failed, and the hex SHA-256 of its file (empty when it can't be read).
        """
        start = rows[0] - self.rows.start
        where = slice(start, start + len(rows))
        with _explained(self._targets[False]):
            for name, array in arrays.items():
                self._files[self._maps[name]][name][where] = array
            file = self._files[False]
            file[schema.STATUS][where] = status
            file[schema.MESSAGE][where] = [_clip(message) for message in messages]
            file[schema.DIGEST][where] = [digest.encode() for digest in digests]

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                # Maps come first: a reader that finds the shard relies on its maps.
                for maps in sorted(self._files, reverse=True):
                    self._publish(maps)
        finally:
            self._discard()

    def _publish(self, maps: bool) -> None:
        with _explained(self._targets[maps]):
            file = self._files[maps]
            file.attrs.modify(schema.CHECKSUM, np.bytes_(checksum(file)))
            file.close()
            self._temporaries[maps].publish()

    def _discard(self) -> None:
        for file in self._files.values():
            with suppress(OSError, RuntimeError):  # the error that led here is the cause
                file.close()
        for temporary in self._temporaries.values():
            temporary.discard()


def kinds(manifest: Manifest) -> tuple[bool, ...]:
    """List the files of a shard: vectors always (False), spatial maps (True) if there are any."""
    maps = any(schema.is_map(record["shape"]) for record in manifest["layers"].values())
    return (False, True) if maps else (False,)


def shard_bytes(manifest: Manifest, rows: int) -> int:
    """Size on disk, in bytes, of a shard of `rows` rows with its maps."""
    return sum(_file_bytes(manifest, rows, maps=maps) for maps in kinds(manifest))


def _file_bytes(manifest: Manifest, rows: int, *, maps: bool) -> int:
    """Size of a shard's file, with an upper estimate of HDF5's headers."""
    row = sum(
        math.prod(record["shape"]) * np.dtype(record["dtype"]).itemsize
        for record in manifest["layers"].values()
        if schema.is_map(record["shape"]) == maps
    )
    return rows * (row + (0 if maps else MESSAGE_BYTES + 64 + 1) + 8) + OVERHEAD_BYTES


def _reserve(path: Path, size: int) -> None:
    """Reserve `size` bytes, so that a full disk shows before any work."""
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _create(path: Path, rows: range, manifest: Manifest, *, maps: bool) -> h5py.File:
    # The default libver: files of 'latest' can't be opened after a kill. No lock of HDF5's: the
    # temporary has ours.
    file = h5py.File(path, "w", locking=False)
    n = len(rows)
    file[schema.ROW] = np.arange(rows.start, rows.stop, dtype=np.int64)
    if not maps:
        file[schema.STATUS] = np.full(n, schema.Status.PENDING, dtype=np.uint8)
        file[schema.MESSAGE] = np.zeros(n, dtype=f"S{MESSAGE_BYTES}")
        file[schema.DIGEST] = np.zeros(n, dtype="S64")
    file.attrs[schema.CHECKSUM] = np.bytes_(64 * b"0")
    for name in manifest["layer_order"]:
        record = manifest["layers"][name]
        if schema.is_map(record["shape"]) != maps:
            continue
        shape = (n, *record["shape"])
        # Vectors lie contiguous: any choice of rows is then a plain read of the file.
        chunks = (1, *record["shape"]) if schema.is_map(record["shape"]) else None
        dataset = file.create_dataset(name, shape, record["dtype"], chunks=chunks)
        dataset.attrs[schema.LAYOUT] = record["layout"]
    number = rows.start // manifest["shard_rows"]
    file.attrs[schema.MANIFEST_HASH] = np.bytes_(schema.shard_hash(manifest, number))
    return file


def _length(path: Path, number: int, manifest: Manifest) -> int:
    """Count the rows of a file of a shard; one that is foreign counts as whole, to be refused."""
    with open_shard(path) as file:
        carried = file.attrs.get(schema.MANIFEST_HASH, b"")
    text = carried.decode("ascii", "replace") if isinstance(carried, bytes) else ""
    return schema.rows_by_hash(manifest, number, text) or schema.lengths(manifest, number)[-1]


def _copy_rows(path: Path, file: h5py.File) -> None:
    """Copy all rows of a shorter shard."""
    with open_shard(path) as short:
        for name in _datasets(short):
            start = 0
            for block in blocks(short[name]):
                file[name][start : start + len(block)] = block
                start += len(block)


def checksum(file: h5py.File) -> str:
    """Hex SHA-256 over the names, types, shapes and bytes of every dataset of an open shard."""
    digest = hashlib.sha256()
    for name in sorted(_datasets(file)):
        dataset = file[name]
        digest.update(f"{name} {dataset.dtype.str} {dataset.shape};".encode())
        for block in blocks(dataset):
            digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()


def require_own_shard(path: Path) -> None:
    """Refuse to replace a file that has a shard's name and is none; the name may be free.

    Raises
    ------
    InputError
        It is a file of another kind.
    """
    from features.files.ownership import require_ours  # only writers need it

    require_ours(path, _is_shard, what="a shard")


def _is_shard(file: BinaryIO) -> bool:
    with h5py.File(file, "r") as content:
        return schema.MANIFEST_HASH in content.attrs


def stored_checksum(path: Path) -> str:
    """Read the checksum that a shard was written with."""
    with open_shard(path) as file:
        found = file.attrs.get(schema.CHECKSUM)
    if not isinstance(found, bytes):
        raise InputError(f"{path} holds no checksum. Restore it, or move it away and run extract.")
    return found.decode("ascii", "replace")


def _datasets(file: h5py.File) -> list[str]:
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
    return min(_length(path, number, manifest) for path in paths)


class DamagedShardError(InputError):
    """A shard whose bytes can all be read, and are no whole HDF5 file."""


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading; what it holds is not checked.

    Raises
    ------
    DamagedShardError
        The file is truncated or not an HDF5 file.
    InputError
        It is missing, no regular file, or can't be read now: locked, no permission, too many open
        files, too little memory, a fault of the disk.
    """
    try:
        _require_file(path)
        return _opened(path)
    except OSError as error:
        if error.errno:
            raise unreadable(path, error) from error
        _read_through(path)
        raise DamagedShardError(
            f"{path} is no whole HDF5 file ({os_text(error)}). Delete this file and run extract "
            "again, which makes only this shard anew."
        ) from error


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


def _clip(message: str) -> bytes:
    raw = message.encode("utf-8")[:MESSAGE_BYTES]
    return raw.decode("utf-8", errors="ignore").encode("utf-8")


class _explained:
    """Turns a write error into one line that names what is kept and the remedy."""

    def __init__(self, target: Path):
        self._target = target

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, (OSError, RuntimeError)) and not isinstance(error, InputError):
            raise InputError(
                f"Can't write {self._target}: {error}. Finished shards are kept. Free space or "
                "give write permission, then run the same command again."
            ) from error
