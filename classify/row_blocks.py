"""Rows of a matrix block by block, and their mean and mean norm."""

import numpy as np

ROWS_AT_ONCE = 512  # read together where order does not matter: 4 MiB of 2,048 float32 columns


def row_blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Cut an array of row numbers, or one that goes with it, into what is read at once."""
    return np.split(rows, range(ROWS_AT_ONCE, len(rows), ROWS_AT_ONCE))


def mean_row(X: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of some rows of `X` (n, d), read in blocks; `weights` has one number a row.

    Examples
    --------
    >>> mean_row(np.array([[3.0, 4.0], [0.0, 1.0]]), np.array([0, 1]), np.array([1.0, 2.0]))
    array([1., 2.])
    """
    total, shares = np.zeros(X.shape[1]), (weights / weights.sum()).astype(X.dtype)
    for block, share in zip(row_blocks(rows), row_blocks(shares), strict=True):
        total += share @ X[block]
    return total.astype(X.dtype)


def mean_norm(
    X: np.ndarray, rows: np.ndarray, weights: np.ndarray, center: np.ndarray | None = None
) -> float:
    """Weighted mean Euclidean distance of some rows of `X` (n, d) to `center`, read in blocks.

    Without `center` it is that to the origin, the mean length; 1 in place of 0.

    Examples
    --------
    >>> mean_norm(np.array([[3.0, 4.0], [0.0, 1.0]]), np.array([0, 1]), np.ones(2))
    3.0
    """
    norms = []
    for block in row_blocks(rows):
        away = X[block] if center is None else X[block] - center
        norms.append(np.sqrt(np.einsum("ij,ij->i", away, away)))
    return float(np.average(np.concatenate(norms), weights=weights)) or 1.0
