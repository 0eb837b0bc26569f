"""Bring the shards of several runs of one extraction into one cache.

Shards are linked where the file system can, else copied: they are replaced and never changed in
place, so a link is as safe as a copy.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from features import files, schema
from features.commands.verify import verify_shard
from features.errors import InputError, plain_words
from features.files.ownership import make_folder
from features.files.ranges import locked_numbers
from features.index import Index, index_fault, read_index, rewrite_index
from features.manifest import (
    Manifest,
    read_manifest,
    require_equal,
    require_new_or_cache,
    write_or_check,
)
from features.row_labels import read_row_labels
from features.shard_writer import require_own_shard
from features.shards import finished_shards, is_finished, kinds, stored_checksum
from features.view import write_view


def merge(out: Path, caches: Sequence[Path]) -> Path:
    """Gather shards into one cache and rebuild its `index.csv` and `features.h5`.

    Can be killed and run again; what `out` holds already counts as one of the caches. Shards that
    no cache holds stay pending.

    Parameters
    ----------
    out : Path
        The cache's folder, made if absent.
    caches : sequence of Path
        Caches of one manifest, such as the folders of a job array. They are only read.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        Different manifests (every differing key is named), a damaged shard, two versions of one
        shard, different `labels.csv`, an `index.csv` that isn't the manifest's, another run that
        writes there, a file of another kind, or a folder that can't be written. Shards that are in
        `out` by then are kept.
    """
    if out.is_dir():
        require_new_or_cache(out)
    manifest = _common_manifest(caches)
    rows = _rows(caches[0], manifest)
    labels = _common_labels([out, *caches], rows)
    try:
        make_folder(out)
        require_new_or_cache(out)
        files.remove_temporaries(out)
        write_or_check(out, manifest)
        with locked_numbers(out / schema.MANIFEST):
            if labels and not (out / schema.LABELS).exists():
                _place(labels, out / schema.LABELS, link=False)  # unlike shards, people edit it
            try:
                _gather(out, caches, manifest)
            finally:
                rewrite_index(out, rows, manifest)
                write_view(out, manifest)
    except OSError as error:
        reason = plain_words(error, known=out)
        raise InputError(
            f"Merging into {out} stopped: {reason}. Its shards are kept. Free space or give "
            "write permission, then run the same command again."
        ) from error
    return out


def _common_manifest(caches: Sequence[Path]) -> Manifest:
    manifest = read_manifest(caches[0])
    for cache in caches[1:]:
        require_equal(
            read_manifest(cache),
            manifest,
            f"{cache}, unlike {caches[0]},",
            remedy="Merge only caches of the same settings",
        )
    return manifest


def _rows(cache: Path, manifest: Manifest) -> Index:
    rows = read_index(cache, manifest)
    if fault := index_fault(rows, manifest):
        raise InputError(
            f"{cache / schema.INDEX}: {fault}. Run extract again, which rebuilds it, or name "
            "another cache first."
        )
    return rows


def _common_labels(folders: Sequence[Path], rows: Index) -> Path | None:
    """Find the `labels.csv` of the first folder that has one; all that there are must be equal."""
    paths = [path for path in (one / schema.LABELS for one in folders) if os.path.lexists(path)]
    for path in paths[1:]:
        if path.read_bytes() != paths[0].read_bytes():
            raise InputError(
                f"{paths[0]} and {path} differ. Delete the wrong one, or make both the same."
            )
    if not paths:
        return None
    read_row_labels(paths[0], rows.ids)
    return paths[0]


def _gather(out: Path, caches: Sequence[Path], manifest: Manifest) -> None:
    held = {number for cache in (out, *caches) for number in finished_shards(cache, manifest)}
    for number in tqdm(sorted(held), desc="merge", unit="shard"):
        holders = [cache for cache in (out, *caches) if is_finished(cache, number, manifest)]
        distinct = _distinct(holders, number, manifest)
        for cache in distinct:
            verify_shard(cache, number, manifest)
        for cache in distinct[1:]:
            _refuse_versions(distinct[0], cache, number, manifest)
        if holders[0] != out:
            # Maps come first: a reader that finds the shard relies on its maps.
            for maps in sorted(kinds(manifest), reverse=True):
                name = schema.shard_path(out, number, maps=maps).name
                require_own_shard(out / name)
                _place(holders[0] / name, out / name, link=True)


def _distinct(holders: Sequence[Path], number: int, manifest: Manifest) -> list[Path]:
    """Leave out folders whose shard is another's very files, by links or by a second name."""
    known: dict[tuple[tuple[int, int], ...], Path] = {}
    for cache in holders:
        paths = [schema.shard_path(cache, number, maps=maps) for maps in kinds(manifest)]
        identity = tuple((path.stat().st_dev, path.stat().st_ino) for path in paths)
        known.setdefault(identity, cache)
    return list(known.values())


def _refuse_versions(one: Path, other: Path, number: int, manifest: Manifest) -> None:
    for maps in kinds(manifest):
        first, second = (schema.shard_path(cache, number, maps=maps) for cache in (one, other))
        if stored_checksum(first) != stored_checksum(second):
            raise InputError(
                f"{first} and {second} are two versions of one shard (--retry-failed, or an image "
                "that changed). Delete the one you don't want."
            )


def _place(source: Path, target: Path, *, link: bool) -> None:
    """Make `target` a link to or copy of `source`, all or nothing."""
    if target.exists() and target.samefile(source):
        return  # renaming one link onto another of the same file would leave both
    if not (link and files.link(source, target)):
        with files.atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)
