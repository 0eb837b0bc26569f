"""Products of one shared feature matrix in float64, whatever its own type, without a copy of it.

Rows are widened a block at a time, so the matrix may be float32, and a memory map larger than
memory.
"""

from collections.abc import Iterator, Sequence

import numpy as np

_BLOCK = 2**21  # values widened at a time: 16 MiB
_SMALL = 2**24  # values of a matrix that is widened once and for all: 128 MiB


def widened_if_small(X: np.ndarray) -> np.ndarray:
    """Return a float64 copy of a small float32 matrix, a larger one as it is."""
    return X.astype(np.float64) if X.size <= _SMALL else X


def row_blocks(X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Give the rows of `X` (n, d) as float64 blocks, each with its place."""
    step = max(1, _BLOCK // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(X[rows], dtype=np.float64)


def times(X: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return ``X @ B`` of shape (n, k) for B of shape (d, k)."""
    result = np.empty((len(X), B.shape[1]))
    for rows, block in row_blocks(X):
        np.matmul(block, B, out=result[rows])
    return result


def transpose_times(X: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Return ``(X.T @ R).T``, of shape (k, d), for R of shape (n, k)."""
    blocks = row_blocks(X)
    rows, block = next(blocks)
    result = R[rows].T @ block
    for rows, block in blocks:
        result += R[rows].T @ block
    return result


def row_gram(X: np.ndarray) -> np.ndarray:
    """Return ``X @ X.T`` of shape (n, n)."""
    result = np.zeros((len(X), len(X)))
    step = max(1, _BLOCK // max(1, len(X)))
    for start in range(0, X.shape[1], step):
        block = X[:, start : start + step].astype(np.float64)
        result += block @ block.T
    return result


def column_gram(X: np.ndarray) -> np.ndarray:
    """Return ``X.T @ X`` of shape (d, d)."""
    result = np.zeros((X.shape[1], X.shape[1]))
    for _, block in row_blocks(X):
        result += block.T @ block
    return result


def gather(X: np.ndarray, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return ``X[:, c].T`` for each `c` of `columns`, reading the rows once.

    A column numbered after the last one is constant 1.
    """
    parts = [np.ones((len(chosen), len(X)), dtype=X.dtype) for chosen in columns]
    real = [chosen < X.shape[1] for chosen in columns]
    step = max(1, _BLOCK // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        block = X[start : start + step]
        for part, chosen, inside in zip(parts, columns, real, strict=True):
            part[inside, start : start + step] = block[:, chosen[inside]].T
    return parts


def rough_transpose_times(X: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Return ``(X.T @ R).T`` in the precision of X, of shape (k, d), for R of shape (n, k)."""
    R = R.astype(X.dtype)
    result = np.zeros((R.shape[1], X.shape[1]))
    step = max(1, 2 * _BLOCK // max(1, X.shape[1]))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        result += R[rows].T @ X[rows]
    return result


def wide_times(columns: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return ``columns @ v`` of shape (k,) in float64, for v of shape (n,)."""
    parts = [block @ v for _, block in row_blocks(columns)]
    return np.concatenate(parts) if parts else np.zeros(0)


def wide_transpose_times(columns: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return ``w @ columns`` of shape (n,) in float64, for w of shape (k,)."""
    result = np.zeros(columns.shape[1])
    for rows, block in row_blocks(columns):
        result += w[rows] @ block
    return result
