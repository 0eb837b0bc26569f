"""Hide known labels on purpose, to measure what an estimator learns from the rest."""

import numpy as np

from features.errors import InputError, check_choice, check_number

SCHEMES = ("uniform", "stratified")


def hide(Y: np.ndarray, rate: float, seed: int, scheme: str = "uniform") -> np.ndarray:
    """Turn a share of the known cells into unknown ones.

    The cells that one seed hides are nested: a cell that is hidden at one rate is hidden at every
    higher rate.

    Parameters
    ----------
    Y : int array of shape (n, L)
        1 = present, 0 = absent, -1 = unknown; unknown cells stay unknown and are not counted.
    rate : float
        Share of the known cells to hide, 0 to 1. The numbers of cells are rounded, halves up.
    seed : int
    scheme : {"uniform", "stratified"}
        "uniform" hides that share of each image's known cells, as the interactive learning paper
        (IMCL) does on bird attributes; some labels may lose all their positives. "stratified" hides
        that share of each label's positives and of its negatives but keeps at least one of each, as
        a helper of its released code does.

    Returns
    -------
    int8 ndarray of shape (n, L)

    Raises
    ------
    InputError
        The rate or the scheme is not allowed, or Y is not such an array.

    Examples
    --------
    >>> hidden = hide(np.eye(4), 0.5, seed=0)
    >>> (hidden == -1).sum(axis=1)
    array([2, 2, 2, 2])
    """
    Y = np.asarray(Y)
    if Y.ndim != 2 or not np.isin(Y, (-1, 0, 1)).all():
        raise InputError(
            "Y must be a 2-D array of 1, 0 and -1, with one row per image and one column per "
            f"label. Got shape {Y.shape} of {Y.dtype}."
        )
    check_number("rate", rate, low=0, high=1, kind="parameter")
    check_choice("scheme", scheme, SCHEMES, kind="parameter")
    draws = np.random.default_rng(seed).random(Y.shape)
    if scheme == "uniform":
        hidden = _first(draws, Y != -1, rate, keep=0)
    else:
        hidden = _first(draws.T, Y.T == 1, rate, keep=1).T | _first(draws.T, Y.T == 0, rate, 1).T
    return np.where(hidden, -1, Y).astype(np.int8)


def hide_in_rows(
    Y: np.ndarray, rows: np.ndarray, *, missing: float = 0.0, unlabeled: float = 0.0, seed: int
) -> np.ndarray:
    """Hide labels of some rows, and keep those of all others.

    Parameters
    ----------
    Y : int array of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    rows : ndarray of int
        The rows to hide labels of; which labels are hidden depends on their order.
    missing : float
        Share of each row's known labels, as in `hide`.
    unlabeled : float
        Share of the rows whose labels are all hidden; their number is rounded down.
    seed : int

    Returns
    -------
    int8 ndarray of shape (n, L)
        A copy, -1 where hidden.

    Examples
    --------
    >>> Y = np.ones((2, 4), dtype=np.int8)
    >>> hide_in_rows(Y, np.array([1]), missing=0.5, seed=0).sum(axis=1)
    array([4, 0])
    """
    hidden = np.array(Y, dtype=np.int8)
    hidden[rows] = hide(hidden[rows], missing, seed)
    bare = np.random.default_rng([seed, 1]).permutation(rows)[: int(unlabeled * len(rows))]
    hidden[bare] = -1
    return hidden


def _first(draws: np.ndarray, mask: np.ndarray, rate: float, keep: int) -> np.ndarray:
    """Mark, in each row, the share `rate` of the masked cells with the lowest draws.

    `keep` masked cells of a row are never marked, as far as the row has that many.
    """
    ranks = np.where(mask, draws, np.inf).argsort(axis=1).argsort(axis=1)
    totals = mask.sum(axis=1)
    sizes = np.minimum(np.floor(rate * totals + 0.5), np.maximum(totals - keep, 0))
    return mask & (ranks < sizes[:, None])
