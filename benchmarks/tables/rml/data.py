"""Caches side by side, the labels that are judged, and the splits: what ``tables rml`` is given."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from benchmarks.tables.data import read_features, read_official_split
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.files import sha256_of_text
from features.splits import Split, random_split, splits_hash

Span = tuple[int, int]


class Task(NamedTuple):
    """What every fit sees.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
        The caches' columns side by side, as they are.
    Y : int8 ndarray of shape (n, L)
        1 = present, 0 = absent, -1 = unknown. Every row has a present label.
    ids : tuple of n str
    label_names : tuple of L str
    widths : tuple of int
        Columns of each cache.
    official : Split or None
        The split that all draws share; without it every draw is a random split of its own.
    notes : tuple of str
        What was left out, a line each.
    sources : dict
        Of each cache its layers and the hash of its manifest, for headers.
    """

    X: np.ndarray
    Y: np.ndarray
    ids: tuple[str, ...]
    label_names: tuple[str, ...]
    widths: tuple[int, ...]
    official: Split | None
    notes: tuple[str, ...]
    sources: dict[str, Any]

    def split(self, draw: int) -> Split:
        """Give the rows of a draw; of a random one, 2/3 train."""
        return self.official or random_split(len(self.X), draw)

    def header(self, draws: Sequence[int]) -> dict[str, Any]:
        """State what all results have in common."""
        labels = "\n".join([",".join(self.label_names), *map(str, self.Y.tolist())])
        splits = [self.split(draw) for draw in (draws[:1] if self.official else draws)]
        return {
            "table": "rml",
            **self.sources,
            "rows": len(self.ids),
            "labels": sha256_of_text(labels),
            "splits": splits_hash(splits, self.ids),
            "split": "official" if self.official else "random",
            "seeds": f"{draws[0]} to {draws[-1]}",
        }


def read_task(
    caches: Sequence[Path],
    data: Path,
    *,
    split: Path | None = None,
    labels: int | None = None,
    layers: Sequence[str] | None = None,
) -> Task:
    """Read features, labels and split.

    Parameters
    ----------
    caches : sequence of Path
        Of the same images; their columns are put side by side.
    data : Path
        The folder with ``labels.csv``.
    split : Path, optional
        A ``split.csv``. Its val rows are training rows, as inner validation draws its own; labels
        without a present training and a present test row are left out.
    labels : int, optional
        Keep this many of the labels, those with the most training rows (without `split`: rows).
        Rows that are left without a present label are left out.
    layers : sequence of str, optional
        Each in one of the caches, and every cache with one of them at least; by default all.

    Returns
    -------
    Task

    Raises
    ------
    InputError
        When the caches don't hold the same images in the same order, `layers` are others, or fewer
        than two labels are left.
    """
    chosen = _layers_of_each(caches, layers)
    parts = [
        read_features(Path(cache), Path(data), names)
        for cache, names in zip(caches, chosen, strict=True)
    ]
    for cache, part in zip(caches[1:], parts[1:], strict=True):
        if part.ids != parts[0].ids:
            raise InputError(
                f"{cache} and {caches[0]} hold features of different images ({len(part.ids)} and "
                f"{len(parts[0].ids)}, or in another order): extract both from the same folder"
            )
    first = parts[0]
    given = Split(*(np.arange(len(first.Y)),) * 2)
    if split:
        given = read_official_split(Path(split), load_dataset(Path(data)).ids, first.ids)
    columns = _judged_labels(first.Y, given.train, given.test, labels)
    Y = first.Y[:, columns]
    rows = np.flatnonzero((Y == 1).any(axis=1))
    number = np.full(len(Y), -1)
    number[rows] = np.arange(len(rows))
    official = None
    if split:
        both = (given.train, given.test)
        official = Split(*(number[part][number[part] >= 0] for part in both))
    notes = [part.excluded for part in parts if part.excluded]
    if len(columns) < first.Y.shape[1] or len(rows) < len(Y):
        notes.append(
            f"{len(columns)} of {first.Y.shape[1]} labels are judged; {len(Y) - len(rows)} of "
            f"{len(Y)} images, without any of them, are left out"
        )
    return Task(
        X=np.hstack([part.X[rows] for part in parts]),
        Y=Y[rows],
        ids=tuple(first.ids[row] for row in rows),
        label_names=tuple(first.label_names[column] for column in columns),
        widths=tuple(part.X.shape[1] for part in parts),
        official=official,
        notes=tuple(notes),
        sources={
            "manifests": [part.manifest_hash for part in parts],
            "layers": [list(part.layers) for part in parts],
        },
    )


class BlockScaler(TransformerMixin, BaseEstimator):
    """Divide each block of columns by one number, so that all blocks weigh alike.

    The number is the mean distance of the training rows to their mean, in the block's columns.

    Parameters
    ----------
    widths : sequence of int
        Columns of each block, in their order.

    Attributes
    ----------
    scale_ : float32 array of shape (d,)

    Examples
    --------
    >>> BlockScaler([1, 1]).fit_transform(np.array([[0, 0], [2, 80]], dtype=np.float32)).tolist()
    [[0.0, 0.0], [2.0, 2.0]]
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = widths

    def fit(self, X, y=None):
        """Measure the blocks of X (n, d)."""
        blocks = np.split(X, np.cumsum(self.widths)[:-1], axis=1)
        lengths = [np.linalg.norm(block - block.mean(axis=0), axis=1).mean() for block in blocks]
        self.scale_ = np.repeat(np.array(lengths, dtype=X.dtype), self.widths)
        self.scale_[self.scale_ == 0] = 1
        return self

    def transform(self, X):
        """Divide the columns of X (n, d)."""
        return X / self.scale_


def _layers_of_each(caches: Sequence[Path], layers: Sequence[str] | None) -> list[list[str] | None]:
    if layers is None:
        return [None] * len(caches)
    held = [list(FeatureCache(cache).layers) for cache in caches]
    chosen = [[name for name in layers if name in names] for names in held]
    missing = sorted(set(layers) - {name for names in held for name in names})
    if missing or not all(chosen):
        raise InputError(
            f"layers {', '.join(layers)}: every one must be in a cache and every cache have one of "
            f"them; there are {', '.join(name for names in held for name in names)}"
        )
    return [*chosen]


def _judged_labels(Y, train, test, most: int | None) -> np.ndarray:
    counts = (Y[train] == 1).sum(axis=0)
    columns = np.flatnonzero((counts > 0) & (Y[test] == 1).any(axis=0))
    if len(columns) == 0 or (most is not None and most < 2):
        raise InputError(
            f"{len(columns)} labels are present in both parts, and labels is {most}: tables of "
            "rankings need 2 labels or more"
        )
    if most is not None:
        columns = np.sort(columns[np.argsort(-counts[columns], kind="stable")[:most]])
    return columns
