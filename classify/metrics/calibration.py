"""How well probabilities agree with what is there: reliability, calibration error, Brier score.

All take Y (n, L) of 1, 0 and -1 (unknown, left out) and probabilities (n, L), and pool all cells.
"""

from typing import NamedTuple

import numpy as np

from features.errors import InputError


class Reliability(NamedTuple):
    """Mean probability, share of present labels and number of cells, of each bin with any."""

    predicted: np.ndarray
    observed: np.ndarray
    cells: np.ndarray


def reliability_curve(Y: np.ndarray, P: np.ndarray, n_bins: int = 10) -> Reliability:
    """Compare probabilities with frequencies, in bins of equal width.

    Parameters
    ----------
    Y : int array of shape (n, L)
    P : float array of shape (n, L)
        Between 0 and 1.
    n_bins : int

    Returns
    -------
    Reliability
        Of at most `n_bins` bins.

    Raises
    ------
    InputError
        Shapes differ, a probability is not between 0 and 1, or no cell is known.

    Examples
    --------
    >>> reliability_curve(np.array([[0, 1, 1, 1]]), np.array([[0.1, 0.9, 0.9, 0.9]]), 2).observed
    array([0., 1.])
    """
    y, p = _known(Y, P)
    places = np.minimum((p * n_bins).astype(int), n_bins - 1)
    count = np.bincount(places, minlength=n_bins)
    used = count > 0
    predicted, observed = (np.bincount(places, v, minlength=n_bins)[used] for v in (p, y))
    return Reliability(predicted / count[used], observed / count[used], count[used])


def expected_calibration_error(Y: np.ndarray, P: np.ndarray, n_bins: int = 10) -> float:
    """Mean distance between probability and frequency over the cells, in bins of equal width.

    Guo et al., On calibration of modern neural networks (2017), eq. 3.

    Parameters
    ----------
    Y, P, n_bins
        As in `reliability_curve`.

    Returns
    -------
    float
        0 to 1; lower is better.
    """
    curve = reliability_curve(Y, P, n_bins)
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.cells))


def brier_score(Y: np.ndarray, P: np.ndarray) -> float:
    """Mean squared distance between probability and truth over the known cells.

    Parameters
    ----------
    Y, P
        As in `reliability_curve`.

    Returns
    -------
    float
        0 to 1; lower is better.
    """
    y, p = _known(Y, P)
    return float(np.mean((p - y) ** 2))


def _known(Y, P) -> tuple[np.ndarray, np.ndarray]:
    Y, P = np.asarray(Y), np.asarray(P, dtype=np.float64)
    if Y.shape != P.shape:
        raise InputError(f"Y has shape {Y.shape} and P {P.shape}: give one probability per label")
    if np.isnan(P).any():
        raise InputError("P holds NaN: drop those images, or train again")
    if not ((P >= 0) & (P <= 1)).all():
        raise InputError("P holds values that are not between 0 and 1: give probabilities")
    known = Y != -1
    if not known.any():
        raise InputError("Y has no known cell: give labels of 1 or 0")
    return (Y[known] == 1).astype(float), P[known]
