"""The rows of an `index.csv`, read when they are asked for."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from features import schema
from features.checks.causes import unreadable
from features.columns.blocks import HEADER, STRIDE, Block, Marks, OpenFile, find_marks
from features.errors import InputError, plain_words
from features.schema import Manifest

LARGE = 1 << 24  # bytes of an index from which its marks are kept: .1 s to read
KEPT = 8  # groups of rows that are kept in memory
RUN = 64  # groups that are read at once where all rows are: 16,384 lines, some 2 MB
_ID = schema.INDEX_COLUMNS.index("id")
_SHA256 = schema.INDEX_COLUMNS.index("sha256")


@dataclass(frozen=True)
class IndexRow:
    """One line of `index.csv`; `size` in bytes, `sha256` empty until the file was read."""

    row: int
    id: str
    path: str
    size: int
    sha256: str
    status: str
    message: str


class Index(Sequence[IndexRow]):
    """The rows of a cache's `index.csv`, in order.

    A row is read when it is asked for, 256 lines at a time, so that memory holds a number per 256
    rows and what was read last. It may be used by any number of threads and processes. Equal to a
    list of the same rows.

    Parameters
    ----------
    file : OpenFile
        An `index.csv`.
    marks : Marks
        Where its rows are.
    rows : int, optional
        How many of them, the first ones; by default all.

    Raises
    ------
    InputError
        When rows are read: the file can't be read, or has another form.
    """

    def __init__(self, file: OpenFile, marks: Marks, rows: int | None = None):
        self._file, self._marks = file, marks
        self._rows = marks.rows if rows is None else min(rows, marks.rows)
        self._kept: dict[int, list[IndexRow]] = {}

    def first(self, rows: int) -> "Index":
        """Give the first rows alone, or all if there are fewer."""
        return Index(self._file, self._marks, rows)

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, where: int) -> IndexRow: ...
    @overload
    def __getitem__(self, where: slice) -> list[IndexRow]: ...
    def __getitem__(self, where):
        """Read a row, or the rows of a slice as a list."""
        if isinstance(where, slice):
            return [self[row] for row in range(*where.indices(len(self)))]
        row = range(len(self))[where]
        return self._group(row // STRIDE)[row % STRIDE]

    def __iter__(self) -> Iterator[IndexRow]:
        for block, count in self.blocks():
            yield from self._parsed(block)[:count]

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._file.path, self._rows)

    @property
    def ids(self) -> "Ids":
        """The image of every row."""
        return Ids(self)

    def sha256(self) -> np.ndarray:
        """Read the checksum of every row's file, S64 (n,); empty where it is not known."""
        found = np.zeros(len(self), dtype="S64")
        start = 0
        for block, count in self.blocks():
            with explained(self._file.path):
                found[start : start + count] = block.fixed(_SHA256, found.itemsize)[:count]
            start += count
        return found

    def identities_hash(self) -> str:
        """Hash what identifies the rows, as `index.identities_hash` does."""
        if self._marks.hashed == len(self):
            return self._marks.sha256
        digest = hashlib.sha256()
        for block, count in self.blocks():
            with explained(self._file.path):
                digest.update(block.identities(count))
        return digest.hexdigest()

    def blocks(self) -> Iterator[tuple[Block, int]]:
        """Read all rows: a block at a time, and how many of its lines count."""
        groups = -(-len(self) // STRIDE)
        for group in range(0, groups, RUN):
            block = self._read(group, min(group + RUN, groups))
            yield block, min(len(block), len(self) - group * STRIDE)

    def _group(self, group: int) -> list[IndexRow]:
        found = self._kept.get(group)
        if found is None:
            found = self._parsed(self._read(group, group + 1))
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[group] = found
        return found

    def _parsed(self, block: Block) -> list[IndexRow]:
        with explained(self._file.path):
            return [
                IndexRow(int(row), id_, path, int(size), sha256, status, message)
                for row, id_, path, size, sha256, status, message in block.records()
            ]

    def _read(self, group: int, stop: int) -> Block:
        start, end = self._marks.offsets[[group, stop]].tolist()
        rows = min(stop * STRIDE, self._marks.rows) - group * STRIDE
        with explained(self._file.path):
            block = Block(self._file.read(start, end))
            if len(block) != rows:
                raise ValueError("it was changed while it was read")
        return block


class Ids(Sequence[str]):
    """The image of every row of an index, read when it is asked for; equal to a list of them."""

    def __init__(self, index: Index):
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, where: int) -> str: ...
    @overload
    def __getitem__(self, where: slice) -> list[str]: ...
    def __getitem__(self, where):
        """Read the image of a row, or those of a slice as a list."""
        if isinstance(where, slice):
            return [row.id for row in self._index[where]]
        return self._index[where].id

    def __iter__(self) -> Iterator[str]:
        for block, count in self._index.blocks():
            yield from block.texts(_ID)[:count]

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]


def open_index(path: Path, manifest: Manifest | None = None) -> Index:
    """Open an `index.csv`: by the marks beside it, or else by reading it once.

    Parameters
    ----------
    path : Path
    manifest : dict, optional
        Its cache's; without one, no marks are looked for and none are kept.

    Raises
    ------
    InputError
        It is missing or in another form.
    """
    with explained(path):
        file = OpenFile(path)
        if manifest is None:
            return Index(file, find_marks(file, 0))
        expected = manifest["index"]
        if file.size < LARGE:
            return Index(file, find_marks(file, expected["rows"]))
        from features.columns.marks import keep_marks, read_marks  # only for large ones

        marks = read_marks(file, expected)
        if marks is None:
            marks = find_marks(file, expected["rows"])
            if (marks.rows, marks.sha256) == (expected["rows"], expected["sha256"]):
                keep_marks(file, marks)
        return Index(file, marks)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error while an index is read into one line with the remedy."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run extract again, which rebuilds it.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, csv.Error) as error:
        remedy = "Run" if _is_ours(path) else "Move it away and run"
        raise InputError(
            f"{path} can't be read ({plain_words(error)}). {remedy} extract again, which rebuilds "
            "it."
        ) from error


def _is_ours(path: Path) -> bool:
    """Tell whether extraction replaces a file: another program's is left as it is."""
    if not path.is_file():  # of a pipe, whose writer would be waited for, OpenFile has told
        return False
    with open(path, "rb") as file:
        return file.read(len(HEADER)) == HEADER


def _reopened(path: Path, rows: int) -> Index:
    return open_index(path).first(rows)


def _equal(one: Sequence[Any], other: object) -> bool:
    if not isinstance(other, Sequence) or isinstance(other, str):
        return NotImplemented
    return len(one) == len(other) and all(a == b for a, b in zip(one, other, strict=True))
