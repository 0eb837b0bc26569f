"""Find images whose bytes have changed since a cache read them, though their size has not."""

import hashlib
from pathlib import Path

from extract.decoding.reasons import ImageFailure
from extract.decoding.sources import reading
from features import schema
from features.datasets import Dataset
from features.errors import InputError
from features.index import outcomes
from features.labels import some_of
from features.manifest import Manifest, read_manifest
from features.shards import finished_shards
from features.sources.base import Source

_WITH_FEATURES = tuple(status.name.lower() for status in schema.WITH_FEATURES)


def require_unchanged(folder: Path, dataset: Dataset) -> None:
    """Refuse images with other bytes than the cache has features of.

    A file is read and compared with its checksum if its time of change, or of modification, is
    later than that of the shard that holds its row: others cost no more than a look at their times.

    Parameters
    ----------
    folder : Path
        The cache's folder, which need not exist yet.
    dataset : Dataset
        The images in the order of the cache's rows; it may have more.

    Raises
    ------
    InputError
        Images have changed, or a shard can't be read.
    """
    if not (folder / schema.MANIFEST).exists():
        return
    manifest = read_manifest(folder)
    changed = [
        dataset.ids[row]
        for number in finished_shards(folder, manifest, short=True)
        for row in _changed_rows(folder, number, dataset, manifest)
    ]
    if changed:
        raise InputError(
            f"{some_of(changed)} images have other bytes than when {folder} was made, with the "
            "same size. Put them back, give new images new names, or give another --out."
        )


def _changed_rows(folder: Path, number: int, dataset: Dataset, manifest: Manifest) -> list[int]:
    made = schema.shard_path(folder, number).stat().st_mtime_ns
    rows = schema.shard_rows(number, manifest["shard_rows"], manifest["index"]["rows"])
    source = dataset.source
    paths = dataset.paths[rows.start : rows.stop]
    later = [i for i, path in enumerate(paths) if source.changed(path) > made]
    if not later:
        return []
    held = outcomes(folder, number, manifest)
    return [
        rows[i]
        for i in later
        if held[i][1] in _WITH_FEATURES and _checksum(paths[i], source) != held[i][0]
    ]


def _checksum(path: str, source: Source) -> str:
    """Hex SHA-256 of a file; empty if it can't be read."""
    try:
        with reading(source, path) as raw:
            return hashlib.sha256(raw).hexdigest()
    except ImageFailure:
        return ""
