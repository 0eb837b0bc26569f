"""Objective and duality gap of any weights, whatever solver they come from."""

import numpy as np

from classify.solvers.products import times, transpose_times
from classify.solvers.roots import increasing_root


def objective_and_gap(
    X: np.ndarray,
    loss,
    coef: np.ndarray,
    intercept: np.ndarray,
    *,
    penalty: str,
    C: float,
    bias: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Value of ``norm(w) + C loss(X w + b)``, and how far above the minimum it is at most.

    The residual of the loss is made feasible for the dual problem (Fenchel's): for the L1 norm by
    scaling it down, for a free intercept by shifting the scores until it sums to 0.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    loss : object
        Convex loss of scores (n, L) with ``value``, ``residual``, ``curvature``, ``dual_value``.
    coef : array of shape (L, d)
    intercept : array of shape (L,)
    penalty : {"l1", "l2"}
        ``sum |w|`` or ``sum w**2 / 2``.
    C : float
    bias : {"penalized", "unpenalized", "none"}
        Whether b counts in the norm, does not, or is 0.

    Returns
    -------
    objective, gap : float64 arrays of shape (L,)
    """
    scores = times(X, coef.T) + intercept
    weights = np.column_stack([coef, intercept]) if bias == "penalized" else coef
    norm = np.abs(weights).sum(axis=1) if penalty == "l1" else (weights**2).sum(axis=1) / 2
    objective = norm + C * loss.value(scores)
    if bias == "unpenalized":
        scores += free_shift(loss, scores)
    residual = loss.residual(scores)
    pull = C * transpose_times(X, residual)
    if bias == "penalized":
        pull = np.column_stack([pull, C * residual.sum(axis=0)])
    if penalty == "l1":
        shrink = 1 / np.maximum(1.0, np.abs(pull).max(axis=1))
        dual = C * loss.dual_value(shrink * residual)
    else:
        dual = C * loss.dual_value(residual) - (pull**2).sum(axis=1) / 2
    return objective, objective - dual


def free_shift(loss, scores: np.ndarray) -> np.ndarray:
    """Shift of each label's scores (n, L) at which its residual sums to 0: a free intercept."""

    def slope(shift):
        moved = scores + shift
        return -loss.residual(moved).sum(axis=0), loss.curvature(moved).sum(axis=0)

    return increasing_root(slope, np.zeros(scores.shape[1]))
