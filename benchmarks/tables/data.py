"""A cache and a labelled folder to one matrix of features and one of labels, row by row."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.labels import read_split_csv
from features.splits import Split


class Features(NamedTuple):
    """What the learners see: the rows of a cache that hold features.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    ids : tuple of n str
    label_names : tuple of L str
    layers : tuple of str
        In the order of their columns in `X`.
    spans : dict of str to (int, int)
        First column of each layer, and the column after its last.
    excluded : str
        One line on the cache's rows without features; empty if there are none.
    manifest_hash : str
        Of the cache.
    """

    X: np.ndarray
    Y: np.ndarray
    ids: tuple[str, ...]
    label_names: tuple[str, ...]
    layers: tuple[str, ...]
    spans: dict[str, tuple[int, int]]
    excluded: str
    manifest_hash: str


def read_features(cache: Path, data: Path, layers: Sequence[str] | None = None) -> Features:
    """Read a cache's features and its images' labels.

    Parameters
    ----------
    cache : Path
        A folder that ``python -m extract`` wrote.
    data : Path
        The folder with ``labels.csv``; its rows are matched to the cache's by image id.
    layers : sequence of str, optional
        Default: all, in the cache's order.

    Returns
    -------
    Features

    Raises
    ------
    InputError
        When the two don't hold the same images, there are no labels, or a layer isn't there.
    """
    dataset, store = load_dataset(data), FeatureCache(cache)
    if dataset.labels is None:
        raise InputError(
            f"{data} has no labels.csv: add one, since a table needs labels to judge by"
        )
    cached, valid = store.ids, store.valid_rows
    _refuse_other_images(set(cached), set(dataset.ids), cache, data)
    row_of = {image: row for row, image in enumerate(dataset.ids)}
    ids = tuple(cached[row] for row in valid)
    layers = store.resolve(layers)
    return Features(
        X=store.read(layers, valid),
        Y=dataset.labels[[row_of[image] for image in ids]],
        ids=ids,
        label_names=dataset.label_names,
        layers=tuple(layers),
        spans=_spans(layers, [store.layers[name] for name in layers]),
        excluded=store.excluded,
        manifest_hash=store.manifest_hash,
    )


def _spans(layers: Sequence[str], widths: Sequence[int]) -> dict[str, tuple[int, int]]:
    ends = np.cumsum(widths).tolist()
    return {name: (end - width, end) for name, width, end in zip(layers, widths, ends, strict=True)}


def _refuse_other_images(cached: set[str], listed: set[str], cache: Path, data: Path) -> None:
    for extra, here, there in ((cached - listed, cache, data), (listed - cached, data, cache)):
        if extra:
            raise InputError(
                f"{len(extra)} images of {here} are not in {there}, the first is {min(extra)}: "
                "give the folder that the cache was extracted from, or extract again"
            )


def read_official_split(path: Path, listed: Sequence[str], ids: Sequence[str]) -> Split:
    """Read the split that a data set comes with.

    Parameters
    ----------
    path : Path
        Its split.csv. What is not for testing is for training, validation rows too.
    listed : sequence of str
        All images of the data set: those without features have a split as well.
    ids : sequence of str
        Those that are used.

    Returns
    -------
    Split
        Positions in `ids`, ascending.

    Raises
    ------
    InputError
        As `features.labels.read_split_csv`, and when a part is empty.
    """
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
