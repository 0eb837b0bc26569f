"""`index.csv`: which image is in which row, and what became of it.

The file is a view for people and readers: identity comes from the dataset, the rest from the
shards, so it can be made again at any time.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from features import files, schema, shards
from features.datasets import Dataset
from features.errors import InputError
from features.manifest import Manifest


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


def index_hash(dataset: Dataset, sizes: np.ndarray) -> str:
    """Hash what fixes the rows: order, ids, paths and file sizes.

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
    digest = hashlib.sha256()
    for row, (id_, path, size) in enumerate(zip(dataset.ids, dataset.paths, sizes, strict=True)):
        digest.update(f"{row}\0{id_}\0{path}\0{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def write_index(folder: Path, dataset: Dataset, sizes: np.ndarray, manifest: Manifest) -> None:
    """Write `index.csv` from the dataset and whatever shards exist."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(schema.INDEX_COLUMNS)
    outcomes = _outcomes(folder, manifest)
    for row, (id_, path, size) in enumerate(zip(dataset.ids, dataset.paths, sizes, strict=True)):
        sha256, status, message = next(outcomes)
        lines.writerow(astuple(IndexRow(row, id_, path, int(size), sha256, status, message)))
    files.write_text(folder / schema.INDEX, text.getvalue())


def _outcomes(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    step, total = manifest["shard_rows"], manifest["index"]["rows"]
    for k in range(schema.shard_count(step, total)):
        rows = schema.shard_rows(k, step, total)
        if not shards.is_finished(folder, k, manifest):
            yield from [("", schema.Status.PENDING.name.lower(), "")] * len(rows)
            continue
        with shards.open_shard(schema.shard_path(folder, k)) as file:
            columns = [file[name][:] for name in (schema.DIGEST, schema.STATUS, schema.MESSAGE)]
        for digest, status, message in zip(*columns, strict=True):
            yield digest.decode(), schema.Status(status).name.lower(), message.decode()


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
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} can't be read ({error}); run extract again, which rebuilds it"
        ) from error
