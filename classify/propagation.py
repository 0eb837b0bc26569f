"""Labels for unlabelled rows: those of the nearest labelled row, trusted less the farther it is.

The search is exact. It knows no learner.
"""

from typing import NamedTuple

import numpy as np

from features.errors import InputError

ROWS_AT_ONCE = 512  # unlabelled rows a product: 8 MiB of float32 against 4,000 labelled ones
PAIRS_AT_ONCE = 256  # differences of rows held at once: 4 MiB of 2,048 float64 columns
TEMPERATURES = ("mean_all", "mean_unlabelled")


class Propagation(NamedTuple):
    """What the unlabelled rows got.

    Attributes
    ----------
    labels : int8 array of shape (u, L)
    weights : float64 array of shape (u,)
        exp(-distance / temperature), in (0, 1].
    nearest : int array of shape (u,)
        The labelled row each took its labels from, as a row of X.
    distances : float64 array of shape (u,)
    temperature : float
    """

    labels: np.ndarray
    weights: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    temperature: float


def propagate_labels(
    X: np.ndarray,
    Y: np.ndarray,
    labelled: np.ndarray,
    unlabelled: np.ndarray,
    *,
    temperature: str | float = "mean_all",
) -> Propagation:
    """Give every unlabelled row the labels of its nearest labelled row and a heat-kernel weight.

    The weight is exp(-d / t) with d the Euclidean distance, not its square (the ramp-loss WARP
    paper).

    Parameters
    ----------
    X : array of shape (n, d)
        May be memory-mapped: only the labelled rows are held in memory.
    Y : int8 array of shape (n, L)
    labelled, unlabelled : int arrays of shape (l,) and (u,)
        Rows to take labels from and rows to give them to.
    temperature : {"mean_all", "mean_unlabelled"} or float
        t. The mean of d over all l + u rows, a labelled one counting 0 (the paper's released code);
        the mean over the unlabelled rows; or a number above 0, in units of X.

    Returns
    -------
    Propagation

    Raises
    ------
    InputError
        For another temperature.

    Examples
    --------
    >>> X, Y = np.array([[0.0], [4.0], [1.0]]), np.array([[1, 0], [0, 1], [-1, -1]], dtype=np.int8)
    >>> result = propagate_labels(X, Y, np.array([0, 1]), np.array([2]), temperature=1.0)
    >>> result.labels, result.weights.round(6)
    (array([[1, 0]], dtype=int8), array([0.367879]))
    """
    nearest, distances = nearest_rows(X, labelled, unlabelled)
    value = _temperature(temperature, distances, len(labelled))
    # All distances are 0 where the value is: every row is a copy, and its labels are certain.
    weights = np.exp(-distances / value) if value else np.ones(len(distances))
    return Propagation(Y[nearest], weights, nearest, distances, value)


def nearest_rows(
    X: np.ndarray, references: np.ndarray, queries: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of the reference rows of X for each query row, exactly.

    One matrix product gives all distances up to a known rounding error; the few references that it
    can't tell apart are then compared by their differences in float64.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    references, queries : int arrays of shape (l,) and (u,)
        Rows of X.

    Returns
    -------
    nearest : int array of shape (u,)
        Rows of X; of equally near references the first in `references`.
    distances : float64 array of shape (u,)
        Euclidean.

    Raises
    ------
    InputError
        If features are so large that their squares overflow.
    """
    known = X[references]
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", known, known)
    positions = np.empty(len(queries), dtype=np.intp)
    distances = np.empty(len(queries))
    for start in range(0, len(queries), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        block = X[queries[part]]
        with np.errstate(over="ignore", invalid="ignore"):
            bound = _rounding_bound(block, squares)
        if not np.isfinite(bound).all():
            raise InputError(
                f"squared distances overflow {X.dtype} at features as large as "
                f"{max(np.abs(block).max(), np.abs(known).max()):g}: divide X by a constant"
            )
        positions[part], distances[part] = _nearest_in_block(block, known, squares, bound)
    return references[positions], distances


def _nearest_in_block(block, known, squares, bound):
    # Half of ||x - z||^2 without ||x||^2, which is the same for every reference.
    partial = block @ known.T
    np.subtract(squares / 2, partial, out=partial)
    limits = partial.min(axis=1) + 2 * bound
    rows, candidates = np.nonzero(partial <= limits[:, None])
    exact = _squared_distances(block, rows, known, candidates)
    order = np.lexsort((candidates, exact, rows))
    first = order[np.searchsorted(rows[order], np.arange(len(block)))]
    return candidates[first], np.sqrt(exact[first])


def _rounding_bound(block, squares):
    """Largest error of a `partial` in each row, from that of a dot product of d terms."""
    unit = np.finfo(block.dtype).eps * (block.shape[1] + 4)
    largest = squares.max()
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
    return unit * (largest / 2 + lengths * np.sqrt(largest))


def _squared_distances(block, rows, known, candidates):
    exact = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        difference = np.subtract(block[rows[part]], known[candidates[part]], dtype=np.float64)
        exact[part] = np.einsum("ij,ij->i", difference, difference)
    return exact


def _temperature(rule, distances, n_labelled):
    if rule == "mean_all":
        return float(distances.sum() / (len(distances) + n_labelled))
    if rule == "mean_unlabelled":
        return float(distances.mean())
    if isinstance(rule, str) or not 0 < rule < np.inf:
        raise InputError(
            f"temperature must be one of {', '.join(TEMPERATURES)} or a number above 0, "
            f"got {rule!r}"
        )
    return float(rule)
