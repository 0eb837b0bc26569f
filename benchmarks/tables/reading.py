"""Read the data of a table: columns of caches side by side, labels, and an official split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables.task import Source, Task
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.labels import read_split_csv
from features.splits import Split


def read_task(
    caches: Sequence[Path],
    data: Path | None = None,
    *,
    split: Path | None = None,
    layers: Sequence[str] | None = None,
) -> Task:
    """Read features, labels and split.

    Parameters
    ----------
    caches : sequence of Path
        Of the same images in the same order; their columns are put side by side.
    data : Path, optional
        The folder with ``labels.csv``, matched to the caches by image id. By default the labels are
        those that the first cache holds.
    split : Path, optional
        A ``split.csv``; its val rows are training rows.
    layers : sequence of str, optional
        Each in one of the caches, and every cache with one of them at least; by default all.

    Returns
    -------
    Task

    Raises
    ------
    InputError
        When the inputs don't fit each other, there are no labels, or a layer isn't there.
    """
    stores = [FeatureCache(Path(cache)) for cache in caches]
    _check_caches(stores, caches)
    chosen = _layers_of_each(stores, layers)
    ids = _same_ids(stores, caches)
    if data is None:
        listed, Y, names = _labels_of_cache(stores[0], caches[0])
    else:
        listed, Y, names = _labels_of_folder(Path(data), stores, caches)
    row_of = {image: row for row, image in enumerate(listed)}
    parts = zip(stores, chosen, strict=True)
    return Task(
        name=Path(data or caches[0]).resolve().name,
        X=np.hstack([store.read(part, store.valid_rows) for store, part in parts]),
        Y=Y[[row_of[image] for image in ids]],
        ids=ids,
        label_names=tuple(names),
        sources=tuple(
            Source(store.manifest_hash, {name: store.layers[name] for name in part})
            for store, part in zip(stores, chosen, strict=True)
        ),
        official=_official_split(Path(split), listed, ids) if split else None,
        notes=tuple(store.excluded for store in stores if store.excluded),
    )


def _check_caches(stores: Sequence[FeatureCache], caches: Sequence[Path]) -> None:
    first: dict[tuple[str, bytes], Path] = {}
    for store, cache in zip(stores, caches, strict=True):
        if not len(store.valid_rows):
            raise InputError(
                f"no row of {cache} holds features ({store.excluded}): its index.csv gives the "
                "reason of each. Give pictures that can be read, then extract again"
            )
        held = store.manifest_hash, np.asarray(store.valid_rows).tobytes()
        if other := first.get(held):
            raise InputError(
                f"{other} and {cache} hold the same features of the same images: give one of them"
            )
        first[held] = cache


def _same_ids(stores: Sequence[FeatureCache], caches: Sequence[Path]) -> tuple[str, ...]:
    """Give the images that all caches hold features of, in their order."""
    ids, *others = (tuple(store.ids[row] for row in store.valid_rows) for store in stores)
    for cache, there in zip(caches[1:], others, strict=True):
        if there != ids:
            raise InputError(
                f"{cache} and {caches[0]} hold features of different images ({len(there)} and "
                f"{len(ids)}, or in another order): extract both from the same folder"
            )
    return ids


def _layers_of_each(
    stores: Sequence[FeatureCache], layers: Sequence[str] | None
) -> list[list[str]]:
    if layers is None or len(stores) == 1:
        return [list(store.resolve(layers)) for store in stores]
    chosen = [[name for name in layers if name in store.layers] for store in stores]
    there = [name for store in stores for name in store.layers]
    if set(layers) - set(there) or not all(chosen):
        raise InputError(
            f"layers {', '.join(layers)}: every one must be in a cache and every cache have one of "
            f"them; there are {', '.join(there)}"
        )
    return chosen


def _labels_of_cache(store: FeatureCache, cache: Path):
    if store.labels is None:
        raise InputError(f"{cache} has no labels: extract from a folder with labels.csv")
    return store.ids, store.labels, store.label_names


def _labels_of_folder(data: Path, stores: Sequence[FeatureCache], caches: Sequence[Path]):
    dataset = load_dataset(data)
    if dataset.labels is None:
        raise InputError(f"{data} has no labels.csv: add one, since a table needs true labels")
    listed = set(dataset.ids)
    for store, cache in zip(stores, caches, strict=True):
        cached = set(store.ids)
        for extra, here, there in ((cached - listed, cache, data), (listed - cached, data, cache)):
            if extra:
                raise InputError(
                    f"{len(extra)} images of {here} are not in {there}, the first is {min(extra)}: "
                    "give the folder that the cache was extracted from, or extract again"
                )
    return dataset.ids, dataset.labels, dataset.label_names


def _official_split(path: Path, listed: Sequence[str], ids: Sequence[str]) -> Split:
    """Read the split that a data set comes with, as positions in `ids`, ascending."""
    parts = read_split_csv(path, listed)
    named = {listed[row]: name for name, rows in parts.items() for row in rows}
    testing = np.array([named[image] == "test" for image in ids])
    split = Split(np.flatnonzero(~testing), np.flatnonzero(testing))
    if not (len(split.train) and len(split.test)):
        raise InputError(
            f"{path} leaves {len(split.train)} training and {len(split.test)} test images: both "
            "are needed"
        )
    return split
