"""Labels as numbers for the similarity graphs of IMCL: absent below 0, present up to 1.

It knows no features and no model: scores come in, values go out.
"""

import numpy as np

from classify.base import UNKNOWN

LARGEST_SCORE = 40.0  # beyond it the value is at its limit in float32 and in float64


def label_values(scores, *, asymmetry: float = 2.0, half: bool = False) -> np.ndarray:
    """Map scores to (-1/c, 1) by a_c(x) = (exp(2x) - 1) / (exp(2x) + c).

    The asymmetric sigmoid of IMCL's released code, with which absent labels weigh less than present
    ones; c = 1 is tanh(x).

    Parameters
    ----------
    scores : float array
        Of a logistic model.
    asymmetry : float
        c, above 0.
    half : bool
        Take x/2 instead: with c = 1 that is 2 p - 1 of the probability p, the paper's equation 3,
        and half as steep as the code.

    Returns
    -------
    array of the shape and type of `scores`
        0 where the score is 0.

    Examples
    --------
    >>> label_values(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.4049,  0.    ,  0.6805])
    """
    x = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)
    grown = np.expm1(x if half else 2 * x)
    return grown / (grown + (1 + asymmetry))


def value_slope(values: np.ndarray, *, asymmetry: float = 2.0, half: bool = False) -> np.ndarray:
    """Differentiate `label_values` by the score, given the values themselves."""
    slope = (1 + asymmetry * values) * (1 - values) / (1 + asymmetry)
    return slope if half else 2 * slope


def complete_labels(
    targets: np.ndarray, values: np.ndarray, *, asymmetry: float = 2.0
) -> np.ndarray:
    """Write known labels over predicted values: 1 if present, -1/c if absent.

    Parameters
    ----------
    targets : int8 array of shape (..., L)
        1, 0 and -1 (unknown).
    values : float array of the same shape
        As `label_values` gives them.
    asymmetry : float
        c.

    Returns
    -------
    array of the shape and type of `values`

    Examples
    --------
    >>> complete_labels(np.array([1, 0, -1]), np.array([0.3, 0.3, 0.3]))
    array([ 1. , -0.5,  0.3])
    """
    known = np.where(targets == 1, 1.0, -1.0 / asymmetry).astype(values.dtype)
    return np.where(targets == UNKNOWN, values, known)
