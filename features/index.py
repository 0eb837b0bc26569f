"""`index.csv`: the image of every row, and the outcome of its extraction.

Identities come from the data set and the rest from the shards, so the file can be rebuilt at any
time.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features import files, schema, shards
from features.checks.causes import unreadable
from features.errors import InputError
from features.files.ownership import begins, require_ours
from features.schema import Manifest

if TYPE_CHECKING:
    from features.datasets import Dataset


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


Identity = tuple[str, str, int]  # id, path and size in bytes: what identifies a row


def index_hash(dataset: "Dataset", sizes: np.ndarray) -> str:
    """Hash what identifies the rows: order, ids, paths and file sizes.

    Parameters
    ----------
    dataset : Dataset
        n images.
    sizes : ndarray of int64, shape (n,)
        File sizes in bytes.

    Returns
    -------
    str
        Hex SHA-256. File contents are hashed row by row during extraction instead, so that
        a job over millions of images reads each of them once.
    """
    return identities_hash(zip(dataset.ids, dataset.paths, sizes, strict=True))


def index_fault(rows: Sequence[IndexRow], manifest: Manifest) -> str:
    """Describe how the rows of an `index.csv` differ from a manifest; empty if they don't."""
    total = manifest["index"]["rows"]
    if len(rows) != total:
        return f"it has {len(rows)} rows, the manifest {total}"
    for expected, row in enumerate(rows):
        if row.row != expected:
            return f"row {row.row} stands where row {expected} belongs"
    if identities_hash((row.id, row.path, row.size) for row in rows) != manifest["index"]["sha256"]:
        return "its ids, paths or sizes, or their order, are not those of the manifest"
    return ""


def write_index(folder: Path, dataset: "Dataset", sizes: np.ndarray, manifest: Manifest) -> None:
    """Write `index.csv` from the data set and the shards that exist."""
    _write(folder, zip(dataset.ids, dataset.paths, sizes, strict=True), manifest)


def rewrite_index(folder: Path, rows: Iterable[IndexRow], manifest: Manifest) -> None:
    """Write `index.csv` from the ids, paths and sizes of another one and the shards that exist."""
    _write(folder, ((row.id, row.path, row.size) for row in rows), manifest)


def outcomes(folder: Path, number: int, manifest: Manifest) -> list[tuple[str, str, str]]:
    """Read the checksum, status and message of each row of a shard, as `index.csv` lists them.

    Raises
    ------
    InputError
        The shard exists and can't be read.
    """
    rows = schema.shard_rows(number, manifest["shard_rows"], manifest["index"]["rows"])
    held = shards.rows_held(folder, number, manifest)
    pending = [("", schema.Status.PENDING.name.lower(), "")] * (len(rows) - held)
    if not held:
        return pending
    path = schema.shard_path(folder, number)
    with shards.open_checked(folder, number, manifest) as file, shards.explained_reading(path):
        try:
            names = (schema.DIGEST, schema.STATUS, schema.MESSAGE)
            columns = [file[name][:held] for name in names]
            found = [
                (digest.decode(), schema.Status(status).name.lower(), message.decode())
                for digest, status, message in zip(*columns, strict=True)
            ]
            return found + pending
        except (ValueError, KeyError) as error:
            raise InputError(
                f"{path}: checksums or messages of its rows are no text ({error}). `python -m "
                f"features verify {folder}` checks all files."
            ) from error


def identities_hash(identities: Iterable[Identity]) -> str:
    """Hex SHA-256 of the rows' ids, paths and sizes, as the manifest has it."""
    digest = hashlib.sha256()
    for row, (id_, path, size) in enumerate(identities):
        digest.update(f"{row}\0{id_}\0{path}\0{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write(folder: Path, identities: Iterable[Identity], manifest: Manifest) -> None:
    require_ours(
        folder / schema.INDEX, begins(",".join(schema.INDEX_COLUMNS).encode()), what="an index"
    )
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(schema.INDEX_COLUMNS)
    count = schema.shard_count(manifest["shard_rows"], manifest["index"]["rows"])
    found = chain.from_iterable(outcomes(folder, k, manifest) for k in range(count))
    for row, ((id_, path, size), outcome) in enumerate(zip(identities, found, strict=True)):
        lines.writerow(astuple(IndexRow(row, id_, path, int(size), *outcome)))
    files.write_text(folder / schema.INDEX, text.getvalue())


def read_index(folder: Path) -> list[IndexRow]:
    """Read a cache's `index.csv`.

    Raises
    ------
    InputError
        It is missing or not in the form that `write_index` gives it.
    """
    path = folder / schema.INDEX
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            if tuple(next(lines, ())) != schema.INDEX_COLUMNS:
                raise ValueError("its header is not " + ",".join(schema.INDEX_COLUMNS))
            return [
                IndexRow(int(row), id_, path_, int(size), sha256, status, message)
                for row, id_, path_, size, sha256, status, message in lines
            ]
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run extract again, which rebuilds it.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{path} can't be read ({error}). Run extract again, which rebuilds it."
        ) from error
