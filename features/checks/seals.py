"""A checksum at the end of a shard over its structure, checked before HDF5 looks at the file.

HDF5 loops without end, or crashes, on some damaged files. The structure is every byte that is no
value of an array: headers, names, attributes, where arrays lie. It is a few KB, and some
hundred KB with thousands of spatial maps, so checking it takes a millisecond. HDF5 reads files with
more bytes at the end, and drops those when it writes to the file: a shard that another program
changed has no seal.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import h5py

_SPAN = struct.Struct("<QQ")  # start and end of bytes that are no values
_TAIL = struct.Struct("<32sQ16s")  # SHA-256, count of spans, the mark
_MARK = b"\0shard's seal 1\n"
_SUPERBLOCK = struct.Struct("<8sB4xB26xQ")  # signature, version, bytes of an offset, file's end
_HDF5 = (b"\x89HDF\r\n\x1a\n", 0, 8)  # as shards begin
_BLOCK = 1 << 20  # bytes read at a time

Spans = list[tuple[int, int]]


def structure(file: h5py.File) -> Spans:
    """List where the bytes of an open file lie that are no values of an array.

    Parameters
    ----------
    file : h5py.File
        Flushed: arrays get their place when they are written.

    Returns
    -------
    list of (int, int)
        Start and end of each run of such bytes, in order. The last goes on to the end of the file,
        which HDF5 may still move when it closes it: its end is 0.
    """
    spans, end = [], 0
    for start, stop in sorted(_values(file)):
        if start > end:
            spans.append((end, start))
        end = max(end, stop)
    return [*spans, (end, 0)]


def _values(file: h5py.File) -> Spans:
    """List where values lie, in any order."""
    found: Spans = []

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.chunks:
            item.id.chunk_iter(
                lambda chunk: found.append((chunk.byte_offset, chunk.byte_offset + chunk.size))
            )
        elif (offset := item.id.get_offset()) is not None:
            found.append((offset, offset + item.id.get_storage_size()))

    file.visititems(look)
    return found


def add_seal(path: Path, spans: Spans) -> None:
    """Append the seal to a closed file that has none.

    Parameters
    ----------
    path : Path
    spans : list of (int, int)
        What `structure` gave.
    """
    with open(path, "r+b") as file:
        end = file.seek(0, 2)
        spans = [*spans[:-1], (spans[-1][0], max(spans[-1][0], end))]
        packed = b"".join(_SPAN.pack(*span) for span in spans)
        digest = _digest(file, spans, packed)
        file.seek(0, 2)
        file.write(packed + _TAIL.pack(digest, len(spans), _MARK))


def is_intact(path: Path) -> bool | None:
    """Tell whether the structure of a file is as it was sealed; None if the file has no seal.

    A file that has lost its end, or only part of its seal, is not intact either.

    Raises
    ------
    OSError
        The file can't be read.
    """
    with open(path, "rb") as file:
        return check_seal(file)


def check_seal(file: BinaryIO) -> bool | None:
    """Do `is_intact` for an open file."""
    size = file.seek(0, 2)
    if size < _TAIL.size:
        return None
    file.seek(size - _TAIL.size)
    digest, count, mark = _TAIL.unpack(file.read(_TAIL.size))
    if mark != _MARK:
        return None if _stated_size(file) in (None, size) else False
    end = size - _TAIL.size - count * _SPAN.size
    if end < 0:
        return False
    file.seek(end)
    packed = file.read(count * _SPAN.size)
    spans = list(_SPAN.iter_unpack(packed))
    return _in_order(spans, end) and _digest(file, spans, packed) == digest


def _stated_size(file: BinaryIO) -> int | None:
    """Read where HDF5 says that the file ends; None for a file that begins otherwise than ours."""
    file.seek(0)
    head = file.read(_SUPERBLOCK.size)
    if len(head) < _SUPERBLOCK.size:
        return None
    *kind, end = _SUPERBLOCK.unpack(head)
    return end if tuple(kind) == _HDF5 else None


def _in_order(spans: Spans, end: int) -> bool:
    bounds = [bound for span in spans for bound in span]
    return bounds == sorted(bounds) and (not bounds or bounds[-1] <= end)


def _digest(file: BinaryIO, spans: Spans, packed: bytes) -> bytes:
    digest = hashlib.sha256(packed)
    for block in _blocks(file, spans):
        digest.update(block)
    return digest.digest()


def _blocks(file: BinaryIO, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for start, stop in spans:
        file.seek(start)
        for at in range(start, stop, _BLOCK):
            yield file.read(min(_BLOCK, stop - at))
