"""`index.csv`: the image of every row, and the outcome of its extraction.

Identities come from the data set and the rest from the shards, so the file can be rebuilt at any
time.
"""

import csv
import hashlib
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features import files, schema, shards
from features.columns.rows import Index, IndexRow, open_index
from features.errors import InputError, plain_words
from features.files.ownership import begins, require_ours
from features.schema import Manifest

if TYPE_CHECKING:
    from features.datasets import Dataset

__all__ = [
    "Index",
    "IndexRow",
    "identities_hash",
    "index_fault",
    "index_hash",
    "outcomes",
    "read_index",
    "rewrite_index",
    "write_index",
]

BLOCK = 4096  # rows that are hashed at a time
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


def index_fault(rows: Index, manifest: Manifest) -> str:
    """Describe how the rows of an `index.csv` differ from a manifest; empty if they don't."""
    total, sha256 = manifest["index"]["rows"], manifest["index"]["sha256"]
    if len(rows) != total:
        return f"it has {len(rows)} rows, the manifest {total}"
    if rows.identities_hash() == sha256:
        return ""
    for expected, row in enumerate(rows):
        if row.row != expected:
            return f"row {row.row} stands where row {expected} belongs"
    if identities_hash((row.id, row.path, row.size) for row in rows) != sha256:
        return "its ids, paths or sizes, or their order, are not those of the manifest"
    return ""  # numbers were written another way


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
                f"{path}: checksums or messages of its rows are no text ({plain_words(error)}). "
                f"`python -m features verify {folder}` checks all files."
            ) from error


def identities_hash(identities: Iterable[Identity]) -> str:
    """Hex SHA-256 of the rows' ids, paths and sizes, as the manifest has it."""
    digest = hashlib.sha256()
    numbered = enumerate(identities)
    while block := [
        f"{row}\0{id_}\0{path}\0{size}\n" for row, (id_, path, size) in islice(numbered, BLOCK)
    ]:
        digest.update("".join(block).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write(folder: Path, identities: Iterable[Identity], manifest: Manifest) -> None:
    path = folder / schema.INDEX
    require_ours(path, begins(",".join(schema.INDEX_COLUMNS).encode()), what="an index")
    count = schema.shard_count(manifest["shard_rows"], manifest["index"]["rows"])
    found = chain.from_iterable(outcomes(folder, k, manifest) for k in range(count))
    with (
        files.atomic_write(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(schema.INDEX_COLUMNS)
        lines.writerows(
            (row, id_, path_, int(size), *outcome)
            for row, ((id_, path_, size), outcome) in enumerate(zip(identities, found, strict=True))
        )
    read_index(folder, manifest)  # which keeps the marks of a large one


def read_index(folder: Path, manifest: Manifest | None = None) -> Index:
    """Open a cache's `index.csv`.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    manifest : dict, optional
        The cache's manifest. An index that is not the manifest's is opened all the same:
        `index_fault` tells.

    Raises
    ------
    InputError
        It is missing or not in the form that `write_index` gives it.
    """
    return open_index(folder / schema.INDEX, manifest)
