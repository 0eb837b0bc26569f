"""The labels of a cache: written once from the data set, and after that the user's to correct."""

import os
from pathlib import Path

import numpy as np

from features import schema
from features.datasets import Dataset
from features.labels import read_labels_csv, write_labels_csv
from features.row_labels import read_row_labels


def write_labels(folder: Path, dataset: Dataset, *, new: int = 0) -> str:
    """Write a cache's `labels.csv`; cells that it has already are kept.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    dataset : Dataset
        The images in the order of the cache's rows. Those that `labels.csv` does not have yet are
        added, with their labels, and so are labels that only the data set names. Its lines may be
        in any order.
    new : int
        How many of the images, the last ones, the cache does not have yet.

    Returns
    -------
    str
        A line for the user about cells in which both differ; empty if there are none.

    Raises
    ------
    InputError
        `labels.csv` is malformed, or lists other images.
    """
    path = folder / schema.LABELS
    if not os.path.lexists(path):
        if dataset.labels is not None:
            write_labels_csv(path, dataset.ids, dataset.labels, dataset.label_names)
        return ""
    ids, kept, names = read_labels_csv(path)
    n = len(ids)
    if tuple(ids) != dataset.ids[:n]:
        n = len(dataset) - new
        kept, names = read_row_labels(path, dataset.ids[:n])
    merged, all_names = _from_dataset(dataset, names)
    if dataset.labels is None:
        differing = 0
    else:
        shared = [names.index(name) for name in names if name in dataset.label_names]
        differing = int((merged[:n, shared] != kept[:, shared]).sum())
    merged[:n, : len(names)] = kept
    if n < len(dataset):
        write_labels_csv(path, dataset.ids, merged, all_names)
    if dataset.labels is not None and n == len(dataset):
        differing += abs(len(dataset.label_names) - len(names)) * n
    return (
        f"{path} is kept: {differing} of its labels differ from the data set's. To take those, "
        "move it away and run again."
        if differing
        else ""
    )


def _from_dataset(dataset: Dataset, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give the data set's labels under a cache's names and its own; -1 where it has none."""
    own = () if dataset.labels is None else dataset.label_names
    all_names = (*names, *(name for name in own if name not in names))
    merged = np.full((len(dataset), len(all_names)), -1, dtype=np.int8)
    if dataset.labels is not None:
        merged[:, [all_names.index(name) for name in own]] = dataset.labels
    return merged, all_names
