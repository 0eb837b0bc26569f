"""Write shards: under a temporary name, renamed when complete.

A killed writer loses the current shard only. Equal rows give equal bytes, in whatever runs they
were written.
"""

import errno
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import h5py
import numpy as np

from features import files, schema
from features.checks.seals import add_seal, check_seal, structure
from features.errors import InputError, plain_words
from features.schema import MESSAGE_BYTES, Manifest
from features.shards import blocks, checksum, dataset_names, kinds, open_shard, shard_length

OVERHEAD_BYTES = 1 << 14  # HDF5's headers of a shard


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
                    if amend and shard_length(target, number, manifest) == len(self.rows):
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
            path = self._temporaries[maps].path
            file.flush()
            spans = structure(file)
            file.close()
            add_seal(path, spans)
            self._temporaries[maps].publish()

    def _discard(self) -> None:
        for file in self._files.values():
            with suppress(OSError, RuntimeError):  # the error that led here is the cause
                file.close()
        for temporary in self._temporaries.values():
            temporary.discard()


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
    if check_seal(file) is not None:
        return True  # whole or damaged
    from features.checks.trial import trial_fault  # no shard of this version needs it

    if trial_fault(Path(file.name)):
        return False
    file.seek(0)
    with h5py.File(file, "r") as content:
        return schema.MANIFEST_HASH in content.attrs


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


def _copy_rows(path: Path, file: h5py.File) -> None:
    """Copy all rows of a shorter shard."""
    with open_shard(path) as short:
        for name in dataset_names(short):
            start = 0
            for block in blocks(short[name]):
                file[name][start : start + len(block)] = block
                start += len(block)


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
            remedy = "Free space or give write permission, then run the same command again."
            if isinstance(error, OSError) and error.errno == errno.EFBIG:
                remedy = (
                    "Files may not be that large there: give another --out, fewer --shard-rows, or "
                    "raise the limit (`ulimit -f`)."
                )
            raise InputError(
                f"Can't write {self._target}: {plain_words(error, known=self._target)}. Finished "
                f"shards are kept. {remedy}"
            ) from error
