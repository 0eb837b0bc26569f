"""LIBLINEAR's own logistic regression, one binary problem per label.

It knows nothing of constant labels: every label it is given has both classes. The results do not
depend on the number of jobs, the order of the labels or what was fitted before.
"""

import threading
from dataclasses import replace

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.sparse import csr_matrix

from classify.solvers.duality_gap import objective_and_gap
from classify.solvers.solution import Solution
from features.errors import InputError

DEFAULT_TOL = 0.01  # LIBLINEAR's own for both solvers
_SOLVER = {"l1": 6, "l2": 0}
_BIAS = {"penalized": "-B 1", "unpenalized": "-B 1 -R", "none": "-B -1"}
# LIBLINEAR's L1 solver draws permutations from C's rand(), of which a process has only one.
_rand_lock = threading.Lock()


def solve(
    X: np.ndarray,
    loss,
    *,
    penalty: str,
    C: float,
    bias: str,
    tol: float | None = None,
    n_jobs: int | None = None,
    class_weights: np.ndarray | None = None,
) -> Solution:
    """Fit one LIBLINEAR model per label.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    loss : LogisticLoss
        L labels, each with both classes among its rows of non-zero weight. Weights, divided by
        those of the classes, are whole numbers: how often a row counts.
    penalty : {"l1", "l2"}
    C : float
        Weight of the loss.
    bias : {"penalized", "unpenalized", "none"}
        ``-B 1``, ``-B 1 -R`` or ``-B -1``.
    tol : float, optional
        LIBLINEAR's ``-e``, relative to the gradient at 0. Default 0.01.
    n_jobs : int, optional
        Processes that share the labels.
    class_weights : array of shape (L, 2), optional
        Factors above 0 of the weights of absent and of present cells, LIBLINEAR's ``-wi``.

    Returns
    -------
    Solution
        Its step counts are 0: LIBLINEAR's Python package doesn't tell them.

    Raises
    ------
    InputError
        For a weight that is no whole number; LIBLINEAR's Python package has no instance weights.
    """
    counted = loss if class_weights is None else _counted(loss, class_weights)
    if not np.array_equal(counted.weights, np.rint(counted.weights)):
        raise InputError(
            'solver="liblinear" repeats rows and so takes whole numbers as sample weights only; '
            'use solver="auto" for others'
        )
    stop = DEFAULT_TOL if tol is None else tol
    options = f"-s {_SOLVER[penalty]} -c {C:.17g} -e {stop:.17g} {_BIAS[bias]} -q"
    parts = np.array_split(np.arange(len(loss)), min(len(loss), effective_n_jobs(n_jobs)))
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(_solve_labels)(X, counted.take(part), _options(options, class_weights, part))
        for part in parts
    )
    weights = np.concatenate(fitted)
    coef, intercept = weights[:, : X.shape[1]], np.zeros(len(loss))
    if bias != "none":
        intercept = weights[:, -1]
    every = loss.take(slice(None))
    reached = objective_and_gap(X, every, coef, intercept, penalty=penalty, C=C, bias=bias)
    return Solution(coef, intercept, *reached, np.zeros(len(loss), dtype=int))


def _counted(loss, class_weights: np.ndarray):
    """Give the loss with how often each row counts as its weights."""
    of_cells = np.where(loss.signs > 0, class_weights[:, 1], class_weights[:, 0])
    counts = loss.weights / of_cells
    whole = np.rint(counts)
    return replace(loss, weights=np.where(np.isclose(counts, whole, rtol=1e-9), whole, counts))


def _options(options: str, class_weights: np.ndarray | None, part: np.ndarray) -> list[str]:
    """Write the options of each label of a job."""
    if class_weights is None:
        return [options] * len(part)
    return [f"{options} -w-1 {low:.17g} -w1 {high:.17g}" for low, high in class_weights[part]]


def _solve_labels(X: np.ndarray, loss, options: list[str]) -> np.ndarray:
    """Fit the labels of one job; return (L, d) weights, with the bias as last column if any."""
    from liblinear.liblinear import problem  # here, as it imports numba

    # csr_matrix it must be: csr_array is refused, and of a dense array LIBLINEAR drops the trailing
    # columns that are all zero.
    rows = csr_matrix(X, dtype=np.float64)
    weights = np.broadcast_to(loss.weights, loss.signs.shape)
    every_row_once = problem(loss.signs[:, 0], rows)
    models = []
    for sign, weight, own in zip(loss.signs.T, weights.T, options, strict=True):
        if (weight == 1).all():
            prepared = every_row_once
            np.ctypeslib.as_array(prepared.y, (len(sign),))[:] = sign
        else:
            kept = np.repeat(np.arange(len(sign)), weight.astype(np.intp))
            prepared = problem(sign[kept], rows[kept])
        models.append(_train(prepared, own))
    return np.array(models)


def _train(prepared, options: str) -> np.ndarray:
    from liblinear.liblinear import liblinear
    from liblinear.liblinearutil import train

    with _rand_lock:
        liblinear.srand(1)  # found in the C library that LIBLINEAR itself is linked with
        model = train(prepared, options)
    weights = np.ctypeslib.as_array(model.w, (prepared.n,)).copy()
    # The decision value belongs to the label that LIBLINEAR puts first.
    return weights * model.get_labels()[0]
