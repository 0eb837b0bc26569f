"""Losses of margins as pure functions: value, first and second derivative.

They know no features, no weights of a model and no solver.
"""

import numpy as np
from scipy.special import expit


def logistic_value(margins: np.ndarray) -> np.ndarray:
    """Logistic loss log(1 + exp(-m)) of each margin m = y z, y in {-1, +1}.

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> float(logistic_value(np.array([0.0]))[0]).__round__(6)
    0.693147
    """
    return np.logaddexp(0.0, -margins)


def logistic_derivative(margins: np.ndarray) -> np.ndarray:
    """First derivative of the logistic loss by the margin: -1 / (1 + exp(m)).

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape, in (-1, 0)
    """
    return -expit(-margins)


def logistic_curvature(margins: np.ndarray) -> np.ndarray:
    """Second derivative of the logistic loss by the margin, in (0, 1/4].

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape
    """
    return expit(margins) * expit(-margins)
