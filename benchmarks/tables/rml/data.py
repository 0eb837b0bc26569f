"""What ``tables rml`` is given: labels that can be ranked, and caches at one scale."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from benchmarks.tables.reading import read_task
from benchmarks.tables.task import Task, keep_labeled_rows, keep_labels


def read_ranking_task(
    caches: Sequence[Path],
    data: Path,
    *,
    split: Path | None = None,
    n_labels: int | None = None,
    layers: Sequence[str] | None = None,
) -> Task:
    """Read a task and leave out the labels and rows that rankings can't be evaluated on.

    Parameters
    ----------
    caches, data, split, layers
        As for `benchmarks.tables.experiment.read_task`.
    n_labels : int, optional
        Keep this many labels, those with the most training rows (without `split`: rows).

    Returns
    -------
    Task
        Every row has a present label.

    Raises
    ------
    InputError
        As `read_task` and `keep_labels`.
    """
    whole = read_task(caches, data, split=split, layers=layers)
    task = keep_labeled_rows(keep_labels(whole, n_labels))
    labels, rows = len(task.label_names), len(task.ids)
    if labels == len(whole.label_names) and rows == len(whole.ids):
        return task
    note = (
        f"{labels} of {len(whole.label_names)} labels are evaluated; {len(whole.ids) - rows} of "
        f"{len(whole.ids)} images, without any of them, are left out"
    )
    return replace(task, notes=(*task.notes, note))


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
