"""L1-penalized losses of many labels over one shared matrix, along a path of C.

The labels are distributed over threads; all labels of a thread share one matrix product per round.
Each label keeps a small working set of columns, on which a Newton step needs only a Gram matrix of
a hundred columns; the shared product then tells every label which columns to add, and the duality
gap tells when to stop. On the way to the first C, and between values far apart, a label passes
through smaller ones, solved loosely: the columns that matter come in before the fit to the wrong
ones gets expensive.

Products of a large float32 matrix are in float32 until a label is near its optimum; every gap that
is kept comes from products in float64.

It knows the loss only by its value, derivatives and dual value.
"""

import numpy as np

from classify.solvers.l1_label import Label
from classify.solvers.products import (
    gather,
    rough_transpose_times,
    transpose_times,
    widened_if_small,
)
from classify.solvers.solution import Solution
from classify.solvers.threads import share_labels

_MEMORY = 2**30  # bytes of the working sets of the labels on their way at once
_WIDEST = 1000  # columns of a working set, to be expected at most


def solve_path(X: np.ndarray, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimize ``sum |w| + C loss(X w + b)`` for every label and every C.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    loss : object
        Convex loss of scores (n,) of one label, with the methods ``value``, ``residual``,
        ``curvature`` and ``dual_value``; ``len(loss)`` labels, of which ``take(i)`` gives one.
    Cs : sequence of float
        Weights of the loss, increasing.
    bias : {"penalized", "unpenalized", "none"}
        Whether b counts in the norm, does not, or is 0.
    tol : float
        Stop when the duality gap is at most this share of the objective.

    Returns
    -------
    list over Cs of Solution
        Where rounding ends the progress of a label before `tol`, its gap says so.
    """
    X = widened_if_small(X)
    path = [Solution.zeros(len(loss), X.shape[1]) for _ in Cs]

    def solve(labels: np.ndarray, share: int) -> None:
        _solve_labels(X, loss, labels, Cs, bias, tol, path, _MEMORY // share)

    # The further a label is from one that all rows have, or none has, the more columns it needs.
    zeros = np.zeros(len(X))
    share_labels(
        solve, np.array([loss.take(label).residual(zeros).std() for label in range(len(loss))])
    )
    return path


def _solve_labels(X, loss, labels, Cs, bias: str, tol: float, path, memory: int) -> None:
    """Follow the path for some labels, as many at once as `memory` bytes hold."""
    together = max(1, memory // (X.itemsize * len(X) * min(X.shape[1], _WIDEST)))
    active: list[Label] = []
    waiting = labels[::-1].tolist()
    while active or waiting:
        while waiting and len(active) < together:
            active.append(Label(loss.take(waiting[-1]), waiting.pop(), bias, X.shape, X.dtype))
        for label in active:
            label.refresh()
        going, chosen = [], []
        for label, gradient in zip(active, _gradients(X, active, bias, Cs, tol), strict=True):
            label.pass_stages(gradient, path)
            if label.stages:
                going.append(label)
                chosen.append(label.choose(gradient))
        for label, columns, design in zip(going, chosen, gather(X, chosen), strict=True):
            label.extend(columns, design)
            label.newton_steps()
        active = going


def _gradients(X, active, bias: str, Cs, tol: float) -> np.ndarray:
    """Gradient of each label's loss by every weight, negated; the constant column comes last.

    It is exact where a label is near its optimum or leaves a stage, whose gap is certified so.
    """
    residuals = np.stack([label.residual for label in active], axis=1)
    exact = np.array([X.dtype == np.float64 or label.exact for label in active])
    gradients = np.empty((len(active), X.shape[1] + (bias == "penalized")))
    features = gradients[:, : X.shape[1]]
    if bias == "penalized":
        gradients[:, -1] = residuals.sum(axis=0)
    if not exact.all():
        features[~exact] = rough_transpose_times(X, residuals[:, ~exact])
        for i in np.flatnonzero(~exact):
            active[i].start(gradients[i], Cs, tol)
            exact[i] = active[i].ends_stage(gradients[i])
    if exact.any():
        features[exact] = transpose_times(X, residuals[:, exact])
    for label, gradient in zip(active, gradients, strict=True):
        label.start(gradient, Cs, tol)
    return gradients
