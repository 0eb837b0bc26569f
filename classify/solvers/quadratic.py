"""Minimize a convex quadratic plus a weighted L1 norm in a few hundred variables.

Coordinate descent finds which variables are zero; on the others a linear system gives the minimum
exactly, which on correlated columns would cost coordinate descent thousands of passes.
"""

from functools import cache

import numpy as np
from scipy.linalg import lapack

_PASSES = 20  # of coordinate descent before each linear system
_ROUNDS = 100
# Share added to the diagonal, for columns that are equal.
_EQUAL = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-10}
_LENGTHS = 0.5 ** np.arange(8)  # of the step to its solution, until one pays


def minimize_quadratic(
    hessian: np.ndarray,
    gradient: np.ndarray,
    start: np.ndarray,
    penalty: np.ndarray,
    *,
    enough: float = 0.0,
) -> np.ndarray:
    """Minimize g'(u - s) + (u - s)'H(u - s)/2 + sum_j p_j |u_j| over u.

    Parameters
    ----------
    hessian : float32 or float64 array of shape (k, k)
        Symmetric and positive semidefinite; linear systems are solved in its precision.
    gradient : float64 array of shape (k,)
        Of the quadratic at the start.
    start : float64 array of shape (k,)
    penalty : float64 array of shape (k,)
        Weight of each absolute value, 0 or more.
    enough : float
        Stop where the passes after a linear system add no more than this share of what was gained.

    Returns
    -------
    float64 array of shape (k,)
        The minimum, or a point near it, or after a hundred rounds some point that is no worse than
        the start.
    """

    def gained() -> float:
        slope = (first + gradient) / 2
        return -(slope @ (u - start) + penalty @ (np.abs(u) - np.abs(start)))

    u, first, gradient = start.copy(), gradient, gradient.copy()
    before = 0.0
    for _ in range(_ROUNDS):
        coordinate_descent(hessian, gradient, u, penalty, _PASSES, 1e-4)
        if enough and (now := gained()) - before <= enough * now:
            break
        signs_held = _solve_for_signs(hessian, gradient, u, penalty)
        idle = u == 0
        if signs_held and (np.abs(gradient[idle]) <= penalty[idle] * (1 + 1e-6)).all():
            break
        before = gained()
    return u


def _solve_for_signs(hessian, gradient, u, penalty) -> bool:
    """Move `u` towards the minimum for its present signs; say whether it got there.

    A variable whose sign would change stops at 0. Where that doesn't pay, the step is shortened; on
    a nearly singular system, whose steps are enormous, down to where the first sign changes.
    """
    support = np.flatnonzero(u)
    if len(support) == 0:
        return True
    now, weight = u[support], penalty[support]
    system = hessian.take(support, axis=0).take(support, axis=1)
    right = -(gradient[support] + weight * np.sign(now))
    if (step := _solved(system, right)) is None:
        return False
    move = np.zeros_like(u)
    for length in (*_LENGTHS, _first_turn(now, step, weight)):
        new = now + length * step
        stopping = (new * now <= 0) & (weight > 0)
        new[stopping] = 0.0
        move[support] = new - now
        push = (hessian @ move.astype(hessian.dtype)).astype(np.float64)
        decrease = (gradient + push / 2) @ move + weight @ (np.abs(new) - np.abs(now))
        if decrease <= 0 or not stopping.any():
            u += move
            gradient += push
            break
    return length == 1 and not stopping.any()


def _solved(system: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solve a positive definite system, in its precision; None where rounding makes it another."""
    system.flat[:: len(right) + 1] *= 1 + _EQUAL[system.dtype]
    try:
        factor = _compiled(_cholesky)(system)
    except np.linalg.LinAlgError:
        return None
    (solve,) = lapack.get_lapack_funcs(("potrs",), (factor,))
    return solve(factor.T, right.astype(system.dtype))[0].astype(np.float64)


def _first_turn(now, step, weight) -> float:
    """Length of a step that ends just beyond the first change of a sign: it pays by convexity."""
    towards = (now * step < 0) & (weight > 0)
    reach = np.abs(now[towards] / step[towards])
    return reach.min(initial=1.0) * (1 + 1e-12)


def coordinate_descent(hessian, gradient, u, penalty, passes, tol):
    """Cycle through the variables, updating `u` and `gradient` in place.

    Stops after `passes`, or when a pass moves no variable by more than `tol` times the largest move
    of the first pass, in the norm of the Hessian.
    """
    _compiled(_coordinate_descent)(hessian, gradient, u, penalty, passes, tol)


def _coordinate_descent(hessian, gradient, u, penalty, passes, tol):
    first = 0.0
    for i in range(passes):
        largest = 0.0
        for j in range(len(u)):
            curvature = hessian[j, j]
            if curvature <= 0.0:
                continue
            free = u[j] - gradient[j] / curvature
            new = np.sign(free) * max(abs(free) - penalty[j] / curvature, 0.0)
            step = new - u[j]
            if step != 0.0:
                u[j] = new
                for k in range(len(u)):
                    gradient[k] += step * hessian[j, k]
                largest = max(largest, abs(step) * np.sqrt(curvature))
        if i == 0:
            first = largest
        if largest <= tol * first:
            break


def _cholesky(system):
    """Factorize as numpy does, whose own function takes up to 4 times as long (OpenBLAS 0.3.31).

    scipy's takes as long as this one, but keeps Python's lock.
    """
    return np.linalg.cholesky(system)


@cache
def _compiled(function):
    from classify.compiled import compiled  # here: numba takes as long as many a command

    return compiled()(function)
