"""Roots of increasing functions, for several labels at once: step lengths and free intercepts.

It knows no loss and no penalty: only values and slopes.
"""

from collections.abc import Callable

import numpy as np


def increasing_root(
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    start: np.ndarray,
    *,
    near: np.ndarray | float = 0.0,
    max_iter: int = 200,
) -> np.ndarray:
    """Find where increasing functions cross zero, by Newton steps held inside a bracket.

    Parameters
    ----------
    function : callable
        Takes points (k,), returns values (k,) and slopes (k,) of k functions.
    start : array of shape (k,)
    near : array of shape (k,), or float
        Absolute values that count as zero. Without it only rounding ends the search.
    max_iter : int

    Returns
    -------
    array of shape (k,)

    Examples
    --------
    >>> increasing_root(lambda x: (x**3 - 8, 3 * x**2), np.array([1.0]))
    array([2.])
    """
    x = np.array(start, dtype=np.float64)
    low, high = np.full_like(x, -np.inf), np.full_like(x, np.inf)
    for _ in range(max_iter):
        value, slope = function(x)
        low, high = np.where(value <= 0, x, low), np.where(value >= 0, x, high)
        reach = 4 * (1 + np.abs(x))  # where the slope vanishes, a Newton step knows no measure
        with np.errstate(over="ignore"):
            step = np.clip(-value / np.maximum(slope, 1e-300), -reach, reach)
        new = x + step
        middle = (low + high) / 2  # finite where it is needed, as x is at one end
        new = np.where((new < low) | (new > high), middle, new)
        resting = (np.abs(value) <= near) | (np.abs(new - x) <= 1e-14 * (1 + np.abs(x)))
        if resting.all():
            break
        x = np.where(np.abs(value) <= near, x, new)
    return x
