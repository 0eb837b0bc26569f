"""Blocks of whole lines of an `index.csv`, whose fields numpy finds or, if any is quoted, csv.

One pass over all blocks gives the marks: where every 256th row begins.
"""

import csv
import hashlib
import io
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features import schema
from features.files.endless import ENDLESS, is_endless

STRIDE = 256  # rows from one mark to the next
BLOCK_BYTES = 1 << 22  # read at a time
FIELDS = len(schema.INDEX_COLUMNS)
SIZE = schema.INDEX_COLUMNS.index("size")
HEADER = ",".join(schema.INDEX_COLUMNS).encode()
_SEPARATORS = np.frombuffer(b"," * (FIELDS - 1) + b"\n", dtype=np.uint8)


class OpenFile:
    """A file as it was when it was opened, whatever takes its name later.

    Raises
    ------
    OSError
        It can't be opened.
    ValueError
        It has no end.
    """

    def __init__(self, path: Path):
        self.path = path
        if is_endless(path):
            raise ValueError(f"it is {ENDLESS}")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        self._descriptor, found = descriptor, os.fstat(descriptor)
        self.size, self.time = found.st_size, found.st_mtime_ns

    def read(self, start: int, stop: int) -> bytes:
        """Read some bytes; fewer at the end of the file."""
        parts = []
        while start < stop and (part := os.pread(self._descriptor, stop - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)


class Block:
    """Whole lines of an index.

    Parameters
    ----------
    data : bytes
        UTF-8, without the header.

    Raises
    ------
    ValueError, csv.Error
        A line of another number of fields, or bytes that are no UTF-8.
    """

    def __init__(self, data: bytes):
        self.data, self._text = data, data.decode()
        self._ends = _field_ends(data)
        self._records, self._starts = ([], []) if self._is_plain else _parsed(data)

    @property
    def _is_plain(self) -> bool:
        return self._ends is not None

    def __len__(self) -> int:
        return len(self._records) if self._ends is None else len(self._ends)

    @property
    def starts(self) -> np.ndarray:
        """Where each line begins in `data`, int64 (n,)."""
        return self._bounds(0)[0] if self._is_plain else np.array(self._starts, dtype=np.int64)

    def records(self) -> list[list[str]]:
        """Give the fields of each line."""
        return list(csv.reader(io.StringIO(self._text))) if self._is_plain else self._records

    def texts(self, field: int) -> list[str]:
        """Give one field of each line."""
        if not self._is_plain:
            return [record[field] for record in self._records]
        bounds = zip(*(one.tolist() for one in self._bounds(field)), strict=True)
        if len(self._text) == len(self.data):  # ASCII
            return [self._text[start:end] for start, end in bounds]
        return [self.data[start:end].decode() for start, end in bounds]

    def fixed(self, field: int, width: int) -> np.ndarray:
        """Give one field of each line as bytes of one width, zeros at the end: S (n,).

        Raises
        ------
        ValueError
            It is longer in a line.
        """
        if not self._is_plain:
            values = [text.encode() for text in self.texts(field)]
            lengths = np.array([len(value) for value in values], dtype=np.int64)
            _require_fit(field, lengths, width)
            return np.array(values, dtype=f"S{width}")
        starts, ends = self._bounds(field)
        lengths = ends - starts
        _require_fit(field, lengths, width)
        where = np.arange(width)
        at = np.minimum(starts[:, None] + where, len(self.data) - 1)
        found = np.frombuffer(self.data, dtype=np.uint8)[at]
        found[where >= lengths[:, None]] = 0
        return found.view(f"S{width}").ravel()

    def identities(self, count: int) -> bytes:
        """Give what `index.identities_hash` hashes for the first `count` lines.

        Numbers of rows are taken as they are written: another form gives another hash.
        """
        if self._ends is None:
            return b"".join(
                "\0".join([*record[:SIZE], f"{int(record[SIZE])}\n"]).encode()
                for record in self._records[:count]
            )
        count = min(len(self), count)
        if not count:
            return b""
        ends, starts = self._ends[:count], self.starts[:count]
        text = np.frombuffer(self.data, dtype=np.uint8, count=ends[-1, -1] + 1).copy()
        text[ends[:, :SIZE]] = 0
        text[ends[:, SIZE]] = ord("\n")
        kept = ends[:, SIZE] + 1 - starts
        runs = np.stack([kept, ends[:, -1] - ends[:, SIZE]], axis=1).ravel()
        return text[np.repeat(np.tile([True, False], count), runs)].tobytes()

    def _bounds(self, field: int) -> tuple[np.ndarray, np.ndarray]:
        assert self._ends is not None
        if field:
            return self._ends[:, field - 1] + 1, self._ends[:, field]
        return np.concatenate([[0], self._ends[:-1, -1] + 1])[: len(self._ends)], self._ends[:, 0]


def _field_ends(data: bytes) -> np.ndarray | None:
    """Find where each field ends, int64 (n, 7); None if a field is quoted or a line is odd."""
    if b'"' in data or b"\r" in data or not data.endswith(b"\n"):
        return None
    view = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero((view == _SEPARATORS[0]) | (view == _SEPARATORS[-1]))
    if len(ends) % FIELDS or not (view[ends].reshape(-1, FIELDS) == _SEPARATORS).all():
        return None
    return ends.reshape(-1, FIELDS)


def _parsed(data: bytes) -> tuple[list[list[str]], list[int]]:
    """Read lines by csv; where each begins, too."""
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in io.BytesIO(data):
            taken += len(line)
            yield line.decode()

    records, starts, start = [], [], 0
    for record in csv.reader(lines()):
        if len(record) != FIELDS:
            raise ValueError(f"a line of {len(record)} fields, not {FIELDS}")
        records.append(record)
        starts.append(start)
        start = taken
    return records, starts


def _require_fit(field: int, lengths: np.ndarray, width: int) -> None:
    if len(lengths) and lengths.max() > width:
        name = schema.INDEX_COLUMNS[field]
        raise ValueError(f"{name} has {lengths.max()} characters, not at most {width}")


def blocks_of(file: OpenFile) -> Iterator[tuple[int, Block]]:
    """Read an index from its second line on.

    Yields
    ------
    start : int
        Where the block begins in the file.
    block : Block

    Raises
    ------
    OSError, ValueError, csv.Error
        It can't be read, its header is another one, or as `Block`.
    """
    header = file.read(0, 4 * len(HEADER)).partition(b"\n")[0].rstrip(b"\r")
    if header != HEADER:
        raise ValueError(f"its header is not {HEADER.decode()}")
    start = file.read(0, 4 * len(HEADER)).find(b"\n") + 1 or file.size
    rest = b""
    for at in range(start, file.size, BLOCK_BYTES):
        rest += file.read(at, min(at + BLOCK_BYTES, file.size))
        cut = len(rest) if at + BLOCK_BYTES >= file.size else _last_line_end(rest)
        if cut:
            yield start, Block(rest[:cut])
            start, rest = start + cut, rest[cut:]


def _last_line_end(data: bytes) -> int:
    """Find where the last whole line ends, which no quotes are open at; 0 for none."""
    cut = data.rfind(b"\n") + 1
    while cut and data.count(b'"', 0, cut) % 2:
        cut = data.rfind(b"\n", 0, cut - 1) + 1
    return cut


class Marks(NamedTuple):
    """Where rows begin, and the hash of what identifies them.

    Attributes
    ----------
    rows : int
        That are listed.
    hashed : int
        How many of them, the first ones, `sha256` is of.
    sha256 : str
        As the manifest has it.
    offsets : ndarray of int64, shape (ceil(rows / STRIDE) + 1,)
        Of every 256th row in the file, in bytes, and the end of the file.
    """

    rows: int
    hashed: int
    sha256: str
    offsets: np.ndarray


def find_marks(file: OpenFile, rows: int) -> Marks:
    """Read a whole index.

    Parameters
    ----------
    file : OpenFile
    rows : int
        How many to hash.

    Raises
    ------
    OSError, ValueError, csv.Error
        As `blocks_of`.
    """
    digest, listed = hashlib.sha256(), 0
    offsets = [np.zeros(0, dtype=np.int64)]
    for start, block in blocks_of(file):
        offsets.append(start + block.starts[-listed % STRIDE :: STRIDE])
        if listed < rows:
            digest.update(block.identities(rows - listed))
        listed += len(block)
    ends = np.concatenate([*offsets, [file.size]])
    return Marks(listed, min(rows, listed), digest.hexdigest(), ends)
