"""Folds that share out each label's positive rows evenly: iterative stratification.

Source: Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data (2011),
algorithm 1. Random folds of few rows leave folds without a positive row of a rare label, where no
precision can be measured.
"""

import numpy as np

from features.errors import InputError
from features.splits import Split


def stratified_folds(Y: np.ndarray, n_folds: int, seed: int) -> list[Split]:
    """Cut rows into folds of equal size with equal shares of every label.

    Parameters
    ----------
    Y : int array of shape (n, L)
        1 is present; absent and unknown cells count alike.
    n_folds : int
        2 to n.
    seed : int
        Of the choice among folds that are equally short.

    Returns
    -------
    list of Split
        Every row is in the test part of exactly one; rows are in ascending order.

    Raises
    ------
    InputError
        There are fewer rows than folds, or fewer than two folds.

    Examples
    --------
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> [Y[fold.test].sum(axis=0).tolist() for fold in stratified_folds(Y, 2, seed=0)]
    [[1, 1], [1, 1]]
    """
    if not 2 <= n_folds <= len(Y):
        raise InputError(
            f"The 'folds' option must be from 2 to the {len(Y)} rows to learn from. Got {n_folds}."
        )
    places = _places(Y == 1, n_folds, np.random.default_rng(seed))
    rows = np.arange(len(Y))
    return [Split(rows[places != k], rows[places == k]) for k in range(n_folds)]


def _places(present: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Give each row its fold, the rows of the rarest label first."""
    n = len(present)
    places = np.full(n, -1)
    wanted = np.full(n_folds, n / n_folds)
    wanted_of_label = np.repeat(present.sum(axis=0)[:, None] / n_folds, n_folds, axis=1)
    left = present.sum(axis=0)
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, n + 1)))
        for row in np.flatnonzero(present[:, label] & (places < 0)):
            fold = _shortest(wanted_of_label[label], wanted, rng)
            places[row] = fold
            wanted[fold] -= 1
            wanted_of_label[present[row], fold] -= 1
            left -= present[row]
    for row in np.flatnonzero(places < 0):  # those without any label
        places[row] = fold = _shortest(wanted, wanted, rng)
        wanted[fold] -= 1
    return places


def _shortest(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> int:
    """Choose a fold by what it still wants; ties by the second array, then at random."""
    best = np.flatnonzero(first == first.max())
    best = best[second[best] == second[best].max()]
    return int(best[0] if len(best) == 1 else rng.choice(best))
