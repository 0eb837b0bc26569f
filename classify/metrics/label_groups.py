"""Average precision by groups of labels that have about as many annotations.

The labels are put in groups as the interactive learning paper (IMCL) does for Open Images: sorted
by the number of annotations in training, present and absent alike, and cut into equal parts.
Average precision itself is `classify.metrics.label_based.class_average_precision`: unknown cells
are left out label by label.
"""

from typing import Literal, NamedTuple

import numpy as np

from classify.metrics.label_based import class_average_precision
from features.errors import InputError


class GroupScores(NamedTuple):
    """Mean average precision by group and over all labels.

    Attributes
    ----------
    groups : float64 ndarray of shape (g,)
        From the labels with the fewest annotations to those with the most; NaN for a group in which
        every label is left out.
    all : float
        Over all labels. The mean of `groups` where these are of one size and no label is left out.
    evaluable : int
        Labels with a known positive image.
    """

    groups: np.ndarray
    all: float
    evaluable: int


def annotation_groups(counts, n_groups: int = 5) -> list[np.ndarray]:
    """Sort labels by their number of annotations and cut them into groups.

    Parameters
    ----------
    counts : array_like of int, shape (L,)
        Known cells of each label in training. Of equal counts the lower index comes first.
    n_groups : int
        1 to L; the sizes of the groups differ by one at most.

    Returns
    -------
    list of int ndarray
        Label indices of each group, fewest annotations first.

    Raises
    ------
    InputError
        For counts that are no 1-D array, or another number of groups.

    Examples
    --------
    >>> [group.tolist() for group in annotation_groups([5, 1, 9, 3, 7, 2], 3)]
    [[1, 5], [3, 0], [4, 2]]
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or not 1 <= n_groups <= len(counts):
        raise InputError(
            f"n_groups must be 1 to the number of labels, got {n_groups} for counts of shape "
            f"{counts.shape}: give one count a label, and no more groups than labels"
        )
    return np.array_split(np.argsort(counts, kind="stable"), n_groups)


def group_map(
    Y, scores, counts, *, n_groups: int = 5, without_positives: Literal["skip", "zero"] = "skip"
) -> GroupScores:
    """Mean average precision over observed cells, by group of labels and over all.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `classify.metrics.label_based.class_average_precision`.
    counts : array_like of int, shape (L,)
        Known cells of each label in training.
    n_groups : int
    without_positives : {"skip", "zero"}
        Labels without a known positive image are left out of the means, or count 0 as in IMCL's
        released code.

    Returns
    -------
    GroupScores

    Raises
    ------
    InputError
        As the functions that it calls, and for another `without_positives`.

    Examples
    --------
    >>> Y, scores = [[1, 0, 1], [0, 1, 0]], [[2.0, 1.0, 0.0], [1.0, 2.0, 1.0]]
    >>> group_map(Y, scores, [9, 9, 1], n_groups=3).groups.tolist()
    [0.5, 1.0, 1.0]
    """
    if without_positives not in ("skip", "zero"):
        raise InputError(f"without_positives must be skip or zero, got {without_positives!r}")
    values = class_average_precision(Y, scores)
    groups = annotation_groups(counts, n_groups)
    if sum(map(len, groups)) != len(values):
        raise InputError(
            f"counts has {sum(map(len, groups))} labels and Y {len(values)}: give one count a label"
        )
    evaluable = int((~np.isnan(values)).sum())
    if without_positives == "zero":
        values = np.nan_to_num(values)
    means = [_mean(values[group]) for group in groups]
    return GroupScores(np.array(means), _mean(values), evaluable)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
