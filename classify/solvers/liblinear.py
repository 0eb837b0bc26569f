"""LIBLINEAR's own logistic regression, one binary problem per label.

It knows nothing of constant labels: every label it is given has both classes. The results do not
depend on the number of jobs, the order of the labels or what was fitted before.
"""

import threading

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.sparse import csr_matrix

from features.errors import InputError

DEFAULT_TOL = 0.01  # LIBLINEAR's own for both solvers
_SOLVER = {"l1": 6, "l2": 0}
_BIAS = {"penalized": "-B 1", "unpenalized": "-B 1 -R", "none": "-B -1"}
# LIBLINEAR's L1 solver draws permutations from C's rand(), of which a process has only one.
_rand_lock = threading.Lock()


def solve(
    X: np.ndarray,
    signs: np.ndarray,
    weights: np.ndarray,
    *,
    penalty: str,
    C: float,
    bias: str,
    tol: float | None = None,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one LIBLINEAR model per label.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    signs : array of shape (n, L)
        +1 or -1; each label has both among its rows of non-zero weight.
    weights : array of shape (n, L)
        Whole numbers: how often a row counts, 0 for a row that the label leaves out.
    penalty : {"l1", "l2"}
    C : float
        Weight of the loss.
    bias : {"penalized", "unpenalized", "none"}
        ``-B 1``, ``-B 1 -R`` or ``-B -1``.
    tol : float, optional
        LIBLINEAR's ``-e``, relative to the gradient at 0. Default 0.01.
    n_jobs : int, optional
        Processes that share the labels.

    Returns
    -------
    coef : float64 array of shape (L, d)
    intercept : float64 array of shape (L,)

    Raises
    ------
    InputError
        For a weight that is no whole number; LIBLINEAR's Python package has no instance weights.
    """
    if not np.array_equal(weights, np.rint(weights)):
        raise InputError(
            'solver="liblinear" repeats rows and so takes whole numbers as sample weights only; '
            'use solver="auto" for others'
        )
    options = f"-s {_SOLVER[penalty]} -c {C!r} -e {tol or DEFAULT_TOL!r} {_BIAS[bias]} -q"
    n_labels = signs.shape[1]
    parts = np.array_split(np.arange(n_labels), min(n_labels, effective_n_jobs(n_jobs)))
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(_solve_labels)(X, signs[:, part], weights[:, part], options) for part in parts
    )
    models = np.concatenate(fitted)
    if bias == "none":
        return models, np.zeros(n_labels)
    return models[:, :-1], models[:, -1]


def _solve_labels(X, signs, weights, options: str) -> np.ndarray:
    """Fit the labels of one job; return (L, d) weights, with the bias as last column if any."""
    from liblinear.liblinear import problem  # here, as it imports numba

    # csr_matrix it must be: csr_array is refused, and of a dense array LIBLINEAR drops the trailing
    # columns that are all zero.
    rows = csr_matrix(X, dtype=np.float64)
    every_row_once = problem(signs[:, 0], rows)
    models = []
    for sign, weight in zip(signs.T, weights.T, strict=True):
        if (weight == 1).all():
            prepared = every_row_once
            np.ctypeslib.as_array(prepared.y, (len(sign),))[:] = sign
        else:
            kept = np.repeat(np.arange(len(sign)), weight.astype(np.intp))
            prepared = problem(sign[kept], rows[kept])
        models.append(_train(prepared, options))
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
