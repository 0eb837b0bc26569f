"""L2-penalized losses: float32 first where a matrix is large, and Newton's method for the rest."""

import numpy as np

from classify.solvers import lbfgs_l2, newton_l2
from classify.solvers.solution import Solution

_LARGE = 1000  # rows and columns from which on an eigenbasis costs more than a few Cholesky factors
_LARGEST = 8192  # of the smaller side: the factors are held in memory
_SHORT = 3  # values of C: a longer path is worth its eigenbasis
_COARSE = 1e-5  # relative gap that float32 reaches


def solve_path(X: np.ndarray, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimize ``sum w**2 / 2 + C loss(X w + b)`` for every label and every C.

    Parameters are those of `classify.solvers.newton_l2.solve_path`, and so is what it returns.
    """
    if not _LARGE <= min(X.shape) <= _LARGEST or len(Cs) > _SHORT or tol < _COARSE:
        return newton_l2.solve_path(X, loss, Cs, bias=bias, tol=tol)
    path = lbfgs_l2.solve_path(X, loss, Cs, bias=bias, tol=tol)
    short = np.any([~(one.gap <= tol * one.objective) for one in path], axis=0)
    if short.any():
        labels = np.flatnonzero(short)
        rest = newton_l2.solve_path(X, loss.take(labels), Cs, bias=bias, tol=tol)
        for one, other in zip(path, rest, strict=True):
            one.put(labels, other)
    return path
