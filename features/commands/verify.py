"""Check a cache: shards against checksums and manifest, and what is made from them against both.

Every fault is one line that names the file, what is wrong and the remedy. Nothing is written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from features import schema
from features.cache import FeatureCache
from features.checks.causes import os_text
from features.checks.shards import lacks_rows, layer_names, misfit
from features.errors import InputError, plain_words
from features.index import IndexRow, index_fault, outcomes, read_index
from features.manifest import Manifest, manifest_hash, read_manifest
from features.shards import (
    DamagedShardError,
    blocks,
    checksum,
    explained_reading,
    kinds,
    open_shard,
)
from features.view import is_replaced, is_sealed, view_fault

#: For a shard that is whole, as far as its checksum tells, and not what the manifest asks for.
_REPLACE = "Restore it, or move it away and run extract again, which makes only this shard anew."


def find_faults(folder: Path) -> Iterator[str]:
    """Check all files of a cache and go on after each fault.

    Reads each shard for its checksum and again for finite values; memory holds the index and one
    block of features.

    Parameters
    ----------
    folder : Path
        The cache's folder.

    Yields
    ------
    str
        One line for each fault: the file, what is wrong with it and the remedy.

    Raises
    ------
    InputError
        The folder holds no manifest that can be read, so there is nothing to check against.
    """
    manifest = read_manifest(folder)
    if not _fits_any_shard(folder, manifest):
        yield (
            f"{folder / schema.MANIFEST}: no shard was made with this manifest, so nothing can be "
            "checked against it. Restore the file, or keep the shards in a folder of their own."
        )
        return
    rebuild = f"Rebuild it with `python -m features merge {folder} {folder}`."
    rows: Sequence[IndexRow] = ()
    index_is_wrong = True
    try:
        found = read_index(folder, manifest)
        fault = index_fault(found, manifest)
        rows = found
        index_is_wrong = bool(fault)
        if fault:
            yield f"{folder / schema.INDEX}: {fault}. Run extract again, which rebuilds it."
    except InputError as error:
        yield str(error)
    stale: list[int] = []
    yield from _shards_faults(folder, manifest, rows, stale)
    if stale:
        yield (
            f"{folder / schema.INDEX}: sha256, status or message of {len(stale)} rows (first "
            f"{stale[0]}) differ from the shards. {rebuild}"
        )
    try:
        if fault := view_fault(folder, manifest):
            aside = "" if is_replaced(folder / schema.VIEW) else "Move it away. "
            yield f"{folder / schema.VIEW}: {fault}. {aside}{rebuild}"
    except InputError as error:
        yield str(error)
    if not index_is_wrong:
        yield from _label_faults(folder)


def summary(folder: Path) -> str:
    """Count in one line what a cache without faults holds."""
    cache = FeatureCache(folder)
    count = schema.shard_count(cache.manifest["shard_rows"], len(cache))
    labels = f", {len(cache.label_names)} labels" if cache.labels is not None else ""
    return (
        f"ok: {folder}: {count} shards, {len(cache)} rows, {len(cache.valid_rows)} with features"
        f", {len(cache.layers) + len(cache.maps)} layers{labels}"
    )


def verify_shard(
    folder: Path, number: int, manifest: Manifest, *, finite: bool = False, short: bool = False
) -> None:
    """Check a finished shard against its checksum and its manifest.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    number : int
        Which shard.
    manifest : dict
        The cache's manifest.
    finite : bool
        Check also that every row with status OK holds finite features.
    short : bool
        Allow the rows of the time before an append.

    Raises
    ------
    InputError
        The first of `shard_faults`.
    """
    if fault := next(shard_faults(folder, number, manifest, finite=finite, short=short), None):
        raise InputError(fault)


def shard_faults(
    folder: Path, number: int, manifest: Manifest, *, finite: bool = False, short: bool = False
) -> Iterator[str]:
    """Check each file of a shard; parameters as in `verify_shard`.

    Yields
    ------
    str
        One line for each faulty file: what is wrong with it and the remedy.
    """
    good: np.ndarray | None = None  # rows that must be finite, as far as they are known
    for maps in kinds(manifest):
        path = schema.shard_path(folder, number, maps=maps)
        try:
            with open_shard(path) as file, explained_reading(path):
                if not short and lacks_rows(file, number, manifest):
                    yield (
                        f"{path}: it lacks the rows that an append gives it. Run extract again, "
                        "which adds them."
                    )
                    continue
                fault = _fault(file, number, manifest, maps=maps)
                if finite and not fault:
                    good = good if maps else np.isin(file[schema.STATUS][:], schema.WITH_FEATURES)
                    if good is not None:
                        fault = _non_finite(file, layer_names(manifest, maps=maps), good)
        except InputError as error:
            yield str(error)
            continue
        if fault:
            yield f"{path}: {fault}"


def _fits_any_shard(folder: Path, manifest: Manifest) -> bool:
    """Tell whether any file was made with this manifest, or there are no shards yet."""
    shards = [path for path in folder.glob("*.h5") if path.name != schema.VIEW]
    return not shards or any(_made_with(path, manifest) for path in [*shards, folder / schema.VIEW])


def _made_with(path: Path, manifest: Manifest) -> bool:
    """Tell whether a file names this manifest; True also where that can't be read now."""
    try:
        is_view = path.name == schema.VIEW
        if is_view and not is_sealed(path):
            return False
        with h5py.File(path, "r") if is_view else open_shard(path) as file:
            found = file.attrs[schema.MANIFEST_HASH].decode()
            return found in map(manifest_hash, schema.states(manifest))
    except DamagedShardError:
        return False
    except (InputError, OSError):
        return True
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError):
        return False


def _shards_faults(
    folder: Path, manifest: Manifest, rows: Sequence[IndexRow], stale: list[int]
) -> Iterator[str]:
    """Check every shard; add to `stale` the rows of sound shards that differ from `index.csv`."""
    step, total = manifest["shard_rows"], manifest["index"]["rows"]
    for number in tqdm(range(schema.shard_count(step, total)), desc="verify", unit="shard"):
        if faults := list(shard_faults(folder, number, manifest, finite=True)):
            yield from faults
            continue
        span = schema.shard_rows(number, step, total)
        listed = [(row.sha256, row.status, row.message) for row in rows[span.start : span.stop]]
        held = outcomes(folder, number, manifest)
        stale += [row for row, a, b in zip(span, listed, held, strict=False) if a != b]


def _label_faults(folder: Path) -> Iterator[str]:
    try:
        FeatureCache(folder).labels  # noqa: B018
    except (InputError, OSError) as error:
        yield plain_words(error)


def _fault(file: h5py.File, number: int, manifest: Manifest, *, maps: bool) -> str:
    """Say what is wrong with an open shard, and the remedy: deleting it only if it is damaged."""
    if fault := misfit(file, number, manifest, maps=maps):
        return f"{fault}. {_REPLACE}"
    try:
        if file.attrs[schema.CHECKSUM].decode() == checksum(file):
            return ""
        reason = ""
    except OSError as error:
        if error.errno:
            raise
        reason = f" ({os_text(error)})"
    except (RuntimeError, ValueError) as error:  # HDF5's trees of chunks are damaged
        reason = f" ({plain_words(error)})"
    return (
        f"its bytes don't give its checksum{reason}. Delete this file and run extract again, which "
        "makes only this shard anew."
    )


def _non_finite(file: h5py.File, names: list[str], good: np.ndarray) -> str:
    for name in names:
        start = 0
        for block in blocks(file[name]):
            finite = np.isfinite(block).reshape(len(block), -1).all(axis=1)
            wrong = np.flatnonzero(good[start : start + len(block)] & ~finite)
            if len(wrong):
                row = file[schema.ROW][start + wrong[0]]
                return f"{name} is not finite in row {row}. {_REPLACE}"
            start += len(block)
    return ""
