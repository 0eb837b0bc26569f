"""Labels of a cache's rows from a labels.csv: by image, in whatever order its lines are.

People correct labels with spreadsheets, which sort lines and leave endings of names away.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.inputs.file_names import match_ids
from features.labels import read_labels_csv, some_of

Table = tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]


def read_row_labels(path: Path, ids: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the `labels.csv` of a cache.

    Parameters
    ----------
    path : Path
    ids : sequence of n str
        The images, by rows.

    Returns
    -------
    labels : ndarray of int8, shape (n, L)
        1, 0 or -1; -1 also for images without a line, which a line on stderr counts.
    names : tuple of L str

    Raises
    ------
    InputError
        It is malformed, or lists an image that is none of these.
    """
    table = read_labels_csv(path)
    if table[0] == tuple(ids):
        return table[1:]
    labels, unlisted, foreign = placed(path, table, ids)
    if foreign:
        raise InputError(
            f"{path} lists other images than the cache: {some_of(foreign)}. Take their lines out; "
            "or, to take the data set's labels, move it away and run extract again."
        )
    if unlisted:
        print(
            f"{path} has no line for {some_of(unlisted)} of {len(ids)} images: their labels are "
            "unknown",
            file=sys.stderr,
        )
    return labels, table[2]


def placed(path: Path, table: Table, ids: Sequence[str]) -> tuple[np.ndarray, list[str], list[str]]:
    """Put the lines of a file of labels into the order of rows.

    Parameters
    ----------
    path : Path
        For messages.
    table : tuple
        What `features.labels.read_labels_csv` gave.
    ids : sequence of n str
        The images, by rows.

    Returns
    -------
    labels : ndarray of int8, shape (n, L)
        -1 for images without a line.
    unlisted : list of str
        Images without a line.
    foreign : list of str
        Names of the file that mean none of the images; their lines are left out.

    Raises
    ------
    InputError
        Two names mean one image, or one name may mean two.
    """
    listed, given, names = table
    row_of = {id_: row for row, id_ in enumerate(ids)}
    found, foreign, *_ = match_ids(ids, listed, path)
    lines = [line for line, id_ in enumerate(found) if id_ in row_of]
    labels = np.full((len(ids), len(names)), -1, dtype=np.int8)
    labels[[row_of[found[line]] for line in lines]] = given[lines]
    has_line = set(found)
    return labels, [id_ for id_ in ids if id_ not in has_line], foreign
