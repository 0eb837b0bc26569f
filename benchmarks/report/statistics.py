"""Means and standard deviations over splits, and how published values stand beside them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classify.metrics import METRICS

HEADINGS = {
    "example_ap": "average precision",
    "coverage": "coverage",
    "hamming_loss": "Hamming loss",
    "one_error": "one-error",
    "ranking_loss": "ranking loss",
}


class Quoted(NamedTuple):
    """A printed mean and standard deviation over 30 random splits."""

    mean: float
    std: float


def heading(metric: str) -> str:
    """Name a metric for people, with an arrow to where better values lie.

    Examples
    --------
    >>> heading("one_error")
    'one-error ↓'
    """
    return f"{HEADINGS[metric]} {'↑' if METRICS[metric].higher_is_better else '↓'}"


def over_splits(values: Sequence[float | None]) -> Quoted:
    """Give the mean of some splits' values and their standard deviation.

    Parameters
    ----------
    values : sequence of float or None
        One a split; None is undefined and makes the mean undefined as well.

    Returns
    -------
    Quoted
        ddof is 1, and the std of one split is NaN.

    Examples
    --------
    >>> over_splits([1.0, 3.0]).mean
    2.0
    """
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    std = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
    return Quoted(float(numbers.mean()), std)
