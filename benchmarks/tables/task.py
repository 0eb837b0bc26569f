"""What every table starts from: features, labels, splits, and the header of its result lines."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report.markdown import plain
from features.errors import InputError, check_number
from features.files import sha256_of_text
from features.splits import Split, random_split, splits_hash

Span = tuple[int, int]


class Source(NamedTuple):
    """A cache that features were read from.

    Attributes
    ----------
    manifest : str
        Hash of its manifest.
    widths : dict of str to int
        Columns of each layer that was read.
    """

    manifest: str
    widths: dict[str, int]


@dataclass(frozen=True, eq=False)
class Task:
    """Rows to learn from and to evaluate on.

    Attributes
    ----------
    name : str
        Of the data set, in titles.
    X : float32 ndarray of shape (n, d)
        The columns of all caches side by side.
    Y : int8 ndarray of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    ids : tuple of n str
    label_names : tuple of L str
    sources : tuple of Source
        In the order of their columns.
    official : Split or None
        The split that all seeds share; without it every seed has a random split.
    notes : tuple of str
        What was left out, one line each.
    """

    name: str
    X: np.ndarray
    Y: np.ndarray
    ids: tuple[str, ...]
    label_names: tuple[str, ...]
    sources: tuple[Source, ...]
    official: Split | None = None
    notes: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of columns of each cache."""
        return tuple(sum(source.widths.values()) for source in self.sources)

    @property
    def layer_widths(self) -> list[int]:
        """Number of columns of each layer of each cache, in the order of the columns."""
        return [width for source in self.sources for width in source.widths.values()]

    @property
    def spans(self) -> dict[str, Span]:
        """First column of each layer, and the column after its last."""
        return _spans({name: n for source in self.sources for name, n in source.widths.items()})

    def split(self, seed: int) -> Split:
        """Return the official split, or else the random one of a seed: 2/3 of the rows train."""
        return self.official or random_split(len(self.X), seed)

    def choosing_seed(self, seed: int, first: int) -> int:
        """Give the seed that chooses settings for `seed`: under an official split the first one."""
        return first if self.official else seed

    def header(
        self, table: str, seeds: Sequence[int], packages: Sequence[str], **more: Any
    ) -> dict[str, Any]:
        """State what all result lines of a table have in common.

        Parameters
        ----------
        table : str
        seeds : sequence of int
            Ascending.
        packages : sequence of str
            Distributions whose versions the numbers depend on.
        **more
            JSON values of the table's own.

        Returns
        -------
        dict
            All that the table's page needs beside the lines.
        """
        labels = "\n".join([",".join(self.label_names), *map(str, self.Y.tolist())])
        splits = [self.split(seed) for seed in (seeds[:1] if self.official else seeds)]
        return {
            "table": table,
            "data": self.name,
            "caches": [{"manifest": one.manifest, "layers": one.widths} for one in self.sources],
            "rows": len(self.ids),
            "train_rows": len(splits[0].train),
            "label_names": list(self.label_names),
            "labels_per_image": float((self.Y == 1).sum() / len(self.ids)),
            "labels": sha256_of_text(labels),
            "splits": splits_hash(splits, self.ids),
            "split": "official" if self.official else "random",
            "seeds": f"{seeds[0]} to {seeds[-1]}",
            "versions": {name: version(name) for name in packages},
            **more,
        }


def keep_labels(task: Task, most: int | None = None) -> Task:
    """Leave out labels that can't be evaluated, and optionally all but the most common ones.

    Parameters
    ----------
    task : Task
    most : int, optional
        How many of the labels with the most training rows to keep; all rows count without an
        official split.

    Returns
    -------
    Task
        With the labels that have a present training row and a present test row; without an official
        split, those with a present row.

    Raises
    ------
    InputError
        `most` is below 2, or no label is left.
    """
    if most is not None:
        check_number("n_labels", most, whole=True, low=2)
    rows = task.official or Split(*(np.arange(len(task.Y)),) * 2)
    counts = (task.Y[rows.train] == 1).sum(axis=0)
    kept = np.flatnonzero((counts > 0) & (task.Y[rows.test] == 1).any(axis=0))
    if len(kept) == 0:
        raise InputError("no label has a present image in both parts of the split")
    if most is not None:
        kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:most]])
    return replace(
        task, Y=task.Y[:, kept], label_names=tuple(task.label_names[label] for label in kept)
    )


def keep_labeled_rows(task: Task) -> Task:
    """Leave out rows without a present label, which rankings of labels can't be evaluated on."""
    kept = np.flatnonzero((task.Y == 1).any(axis=1))
    number = np.full(len(task.Y), -1)
    number[kept] = np.arange(len(kept))
    official = task.official and Split(
        *(number[part][number[part] >= 0] for part in (task.official.train, task.official.test))
    )
    return replace(
        task,
        X=task.X[kept],
        Y=task.Y[kept],
        ids=tuple(task.ids[row] for row in kept),
        official=official,
    )


def layers_of(header: Mapping[str, Any]) -> list[str]:
    """List the layers of all caches that a header names."""
    return [layer for cache in header["caches"] for layer in cache["layers"]]


def data_and_layers(header: Mapping[str, Any]) -> tuple[str, str]:
    """Give the data set's name and the names of all layers, for a page."""
    return plain(header["data"]), ", ".join(map(plain, layers_of(header)))


def spans_of(header: Mapping[str, Any]) -> dict[str, Span]:
    """Give each layer's first column, and the column after its last, from a header."""
    return _spans({name: n for cache in header["caches"] for name, n in cache["layers"].items()})


def _spans(widths: Mapping[str, int]) -> dict[str, Span]:
    ends = np.cumsum(list(widths.values())).tolist()
    return {
        name: (end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)
    }


def sources_of(header: Mapping[str, Any]) -> str:
    """State the hashes, seeds and versions of a header as a paragraph."""
    manifests = ", ".join(cache["manifest"] for cache in header["caches"])
    versions = ", ".join(f"{name} {number}" for name, number in header["versions"].items())
    text = (
        f"Cache manifest {manifests}; labels {header['labels']}; splits {header['splits']} "
        f"({header['split']}, seeds {header['seeds']}); {versions}."
    )
    return textwrap.fill(text, 100) + "\n"
