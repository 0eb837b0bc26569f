"""File names, HDF5 names, attributes, status codes and the manifest's hash of a cache."""

import hashlib
import json
from enum import IntEnum
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]  # what made a cache; `features.manifest` reads and checks one

VERSION = 1  # of the folder's layout; a reader refuses another one

MANIFEST = "manifest.json"
INDEX = "index.csv"
MARKS = "index.marks"  # of a large index: where its rows are; made anew whenever it is not of it
LABELS = "labels.csv"
VIEW = "features.h5"
SHARD = "shard-{:05d}.h5"
MAPS = "maps-{:05d}.h5"  # spatial maps of the same rows, only when asked for

ROW = "row"
STATUS = "status"
MESSAGE = "message"
DIGEST = "sha256"
ROW_DATASETS = (ROW, STATUS, MESSAGE, DIGEST)

CHECKSUM = "checksum"  # root attribute of a shard: SHA-256 over its datasets
MANIFEST_HASH = "manifest_sha256"  # root attribute of a shard: the run it belongs to
EARLIER = "earlier"  # in the manifest's index: its rows and hash before each append
LAYOUT = "layout"  # attribute of a layer: how its columns are ordered

MESSAGE_BYTES = 200  # a fixed width keeps a shard's bytes independent of the order of writes
USER_BLOCK = 512  # bytes before the view's HDF5: hex SHA-256 of what follows them

INDEX_COLUMNS = ("row", "id", "path", "size", "sha256", "status", "message")


class Status(IntEnum):
    """Outcome of a row; only with the codes of `WITH_FEATURES` are its features not NaN."""

    OK = 0
    UNREADABLE = 1  # the file can't be opened: missing, a folder, no permission
    UNDECODABLE = 2  # the bytes are not an image, or only part of one
    TOO_LARGE = 3  # more pixels than a picture has: a decompression bomb
    OVERFLOW = 4  # a feature is not finite, or too large for float16
    DAMAGED = 5  # features of a JPEG of which parts are invented, taken by --accept-damaged
    PENDING = 255  # no shard holds the row yet


WITH_FEATURES = (Status.OK, Status.DAMAGED)


def shard_rows(number: int, rows_per_shard: int, total: int) -> range:
    """Rows of one shard.

    Examples
    --------
    >>> shard_rows(1, 2048, 2100)
    range(2048, 2100)
    """
    return range(number * rows_per_shard, min((number + 1) * rows_per_shard, total))


def shard_count(rows_per_shard: int, total: int) -> int:
    """Count the shards that hold `total` rows."""
    return -(-total // rows_per_shard)


def states(manifest: Manifest) -> list[Manifest]:
    """List the manifests that a cache has had, one before each append; the last is its own."""
    index = manifest["index"]
    earlier = index.get(EARLIER, [])
    past = [{**state, **({EARLIER: earlier[:i]} if i else {})} for i, state in enumerate(earlier)]
    return [{**manifest, "index": state} for state in [*past, index]]


def lengths(manifest: Manifest, number: int) -> list[int]:
    """List how many rows a shard has had, in the order of `states`; 0 before it had any."""
    step = manifest["shard_rows"]
    return [len(shard_rows(number, step, m["index"]["rows"])) for m in states(manifest)]


def shard_hash(manifest: Manifest, number: int, rows: int | None = None) -> str:
    """Hash that a shard carries: of the first manifest under which it has had its rows.

    Parameters
    ----------
    manifest : dict
        The cache's manifest.
    number : int
        Of the shard.
    rows : int, optional
        How many rows it has; by default as many as the manifest says.
    """
    had = lengths(manifest, number)
    return manifest_hash(states(manifest)[had.index(had[-1] if rows is None else rows)])


def rows_by_hash(manifest: Manifest, number: int, carried: str) -> int:
    """Count the rows that a shard has by the hash that it carries; 0 for a hash of others."""
    had = dict.fromkeys(lengths(manifest, number))
    return next((n for n in had if n and shard_hash(manifest, number, n) == carried), 0)


def shard_path(folder: Path, number: int, *, maps: bool = False) -> Path:
    """Path of shard `number`; with `maps`, of its spatial maps."""
    return folder / (MAPS if maps else SHARD).format(number)


def is_map(shape: list[int] | tuple[int, ...]) -> bool:
    """Tell a spatial map (channels, height, width) from a vector (width,)."""
    return len(shape) > 1


def canonical(manifest: Manifest) -> str:
    """Text of a manifest: sorted keys, one form, so that equal manifests have equal bytes."""
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_hash(manifest: Manifest) -> str:
    """Hex SHA-256 of the canonical text.

    Examples
    --------
    >>> manifest_hash({"b": 1, "a": 2}) == manifest_hash({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(manifest).encode("utf-8")).hexdigest()
