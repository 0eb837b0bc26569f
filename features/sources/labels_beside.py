"""Labels in a `labels.csv` that stands beside a list or a file of pictures."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from features.datasets import Dataset
from features.errors import InputError
from features.inputs.file_names import match_listed
from features.labels import read_labels_csv
from features.sources.remote.address import Address
from features.sources.remote.client import read_whole
from features.sources.remote.errors import NetworkFault


def labeled_beside(dataset: Dataset, folders: Sequence[Path]) -> Dataset:
    """Take the labels of the first `labels.csv` that there is.

    Parameters
    ----------
    dataset : Dataset
    folders : sequence of Path
        Where to look, in this order; folders on servers too.

    Returns
    -------
    Dataset
        As it came where no folder has one.

    Raises
    ------
    InputError
        As `labeled` raises, or a server doesn't answer.
    """
    for folder in dict.fromkeys(folders):
        labels_csv = folder / "labels.csv"
        if isinstance(labels_csv, Address):
            with suppress(NetworkFault):  # there are servers that say 403 for what is not there
                return labeled(dataset, labels_csv, read_whole(labels_csv, -1))
        elif labels_csv.is_file():
            return labeled(dataset, labels_csv)
    return dataset


def labeled(dataset: Dataset, labels_csv: Path, content: bytes | None = None) -> Dataset:
    """Take the rows of labels.csv that are of a data set's images.

    Parameters
    ----------
    dataset : Dataset
        Whose own labels, if it has any, are left.
    labels_csv : Path
    content : bytes, optional
        The file, if it lies on a server; `labels_csv` is then for messages.

    Returns
    -------
    Dataset
        Labels of images that it lacks are unknown.

    Raises
    ------
    InputError
        It is malformed, or names an image twice.
    """
    ids, labels, label_names = read_labels_csv(labels_csv, content=content)
    at = {id_: row for row, id_ in enumerate(dataset.ids)}
    found = match_listed(at, dataset.ids, ids, labels_csv)
    rows = [(at[name], row) for row, name in enumerate(found.files) if name in at]
    if not rows:
        note = f"{labels_csv} names none of the listed images: there are no labels"
        return _with(dataset, None, (), note)
    taken = np.full((len(dataset), len(label_names)), -1, dtype=np.int8)
    to, where = zip(*rows, strict=True)
    if len(set(to)) < len(to):
        raise InputError(f"{labels_csv} names a listed image twice. Keep one of its lines.")
    taken[list(to)] = labels[list(where)]
    lacking = len(dataset) - len(rows)
    note = f"{labels_csv} has no line for {lacking} of the listed images" if lacking else ""
    return _with(dataset, taken, label_names, note)


def _with(
    dataset: Dataset, labels: np.ndarray | None, label_names: Sequence[str], note: str
) -> Dataset:
    return Dataset(
        dataset.root, dataset.ids, dataset.paths, labels, tuple(label_names),
        (*dataset.notes, *filter(None, [note])), dataset.archive,
    )  # fmt: skip
