"""Rows of scores put in order, with ties against the learner. Knows no metric."""

from typing import NamedTuple

import numpy as np

from features.errors import InputError


class Ranking(NamedTuple):
    """The known labels of each row in descending order of score, unknown ones behind them.

    Attributes
    ----------
    relevant, known : ndarray of bool, shape (n, L)
        Whether the label at a place is in the truth; whether its cell is known at all.
    rank : ndarray of int, shape (n, L)
        How many known labels score at least as high (1 = best). Labels that tie share the worst
        rank of their group, so a constant score earns nothing by the order of the columns.
    hits : ndarray of int, shape (n, L)
        How many of those are in the truth.
    """

    relevant: np.ndarray
    known: np.ndarray
    rank: np.ndarray
    hits: np.ndarray


def rank_rows(Y: np.ndarray, scores: np.ndarray) -> Ranking:
    """Order the labels of each row by score.

    Parameters
    ----------
    Y : ndarray of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    scores : ndarray of shape (n, L)
        Higher is better; infinite scores are allowed.

    Returns
    -------
    Ranking

    Examples
    --------
    >>> rank_rows(np.array([[0, 1, -1]]), np.array([[0.2, 0.2, 9.0]])).rank[:, :2].tolist()
    [[2, 2]]
    """
    known = Y != -1
    descending = np.where(known, -scores, np.nan)  # NaN sorts last and equals nothing
    order = np.argsort(descending, axis=1)
    ordered = np.take_along_axis(descending, order, axis=1)
    relevant = np.take_along_axis(Y == 1, order, axis=1)
    last = _last_of_tie(ordered)
    hits = np.take_along_axis(np.cumsum(relevant, axis=1), last, axis=1)
    return Ranking(relevant, ~np.isnan(ordered), last + 1, hits)


def check_truth(Y, scores) -> tuple[np.ndarray, np.ndarray]:
    """Give truth and scores as arrays, or say what is wrong with them.

    Parameters
    ----------
    Y : array_like of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    scores : array_like of shape (n, L)
        Reals or booleans without NaN.

    Returns
    -------
    Y, scores : ndarray of shape (n, L)
        Booleans in `Y` become int8; integer scores become float64.

    Raises
    ------
    InputError
        For arrays that aren't 2-D or differ in shape, other truth values, or a NaN score.
    """
    Y, scores = np.asarray(Y), np.asarray(scores)
    if Y.ndim != 2 or Y.shape != scores.shape:
        raise InputError(
            f"truth and scores must be 2-D of one shape (images, labels), got {Y.shape} and "
            f"{scores.shape}: give one row an image and one column a label"
        )
    if Y.dtype == bool:
        Y = Y.astype(np.int8)
    if not ((Y == 0) | (Y == 1) | (Y == -1)).all():
        raise InputError(
            "the truth may hold 1 (present), 0 (absent) and -1 (unknown), got also "
            f"{Y[(Y != 0) & (Y != 1) & (Y != -1)][0]}: recode the labels"
        )
    if np.issubdtype(scores.dtype, np.integer):
        scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise InputError(
            f"{np.isnan(scores).sum()} scores are NaN: a metric needs a number for every cell, "
            "so leave out the rows that have none"
        )
    return Y, scores


def _last_of_tie(ordered: np.ndarray) -> np.ndarray:
    """Give, for each place of sorted rows, the last place that holds the same value."""
    n, width = ordered.shape
    ends = np.ones((n, width), dtype=bool)
    ends[:, :-1] = ordered[:, :-1] != ordered[:, 1:]
    places = np.where(ends, np.arange(width), width)
    return np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
