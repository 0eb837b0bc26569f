"""Hausdorff distances between bags, from blocked matrix products of their instances.

The squared distances of two blocks of bags come from one product of instances with their squared
lengths appended: (-2a, |a|^2, 1) . (b, 1, |b|^2). A compiled loop then takes the minima of each
pair of bags while the block is in the processor's cache, so that memory stays at one block and
square roots are taken of minima only.
"""

from collections.abc import Iterator

import numpy as np
from numba import njit

from features.bags.packed import Bags
from features.errors import InputError, check_choice

KINDS = ("max", "average")
_BLOCK = 1024  # instances; a block of squared distances has about the square of it


def bag_distances(A: Bags, B: Bags | None = None, kind: str = "max") -> np.ndarray:
    """Compute Hausdorff distances between bags, with Euclidean distances d between instances.

    Parameters
    ----------
    A : Bags
        n bags.
    B : Bags, optional
        m bags of the same width; by default `A`, of which only one triangle is computed.
    kind : {"max", "average"}
        "max" is max(h(A, B), h(B, A)) with h(A, B) = max_a min_b d(a, b) (MIMLSVM, Zhou et al.,
        Artificial Intelligence 2012, equation 2). "average" is (sum_a min_b d + sum_b min_a d) /
        (|A| + |B|) (MIMLkNN, as in the toolbox of kdis-lab).

    Returns
    -------
    ndarray of shape (n, m)
        float32 if both have float32 instances, else float64. The diagonal of one set is exactly 0.

    Raises
    ------
    InputError
        For another kind, and bags of different widths.

    Examples
    --------
    >>> bags = Bags.from_list([[[0.0, 0.0]], [[0.0, 1.0], [3.0, 4.0]]])
    >>> bag_distances(bags).tolist()
    [[0.0, 5.0], [5.0, 0.0]]
    """
    check_choice("kind", kind, KINDS, kind="parameter")
    symmetric = B is None
    B = A if B is None else B
    if A.width != B.width:
        raise InputError(f"bags of {A.width} and {B.width} columns have no distances")
    dtype = np.result_type(A.instances, B.instances)
    center = B.instances.mean(axis=0, dtype=np.float64).astype(dtype)
    left, right = _augmented(A.instances - center, True), _augmented(B.instances - center, False)
    distances = np.zeros((len(A), len(B)), dtype)
    for rows in _blocks(A.sizes):
        for columns in _blocks(B.sizes):
            if symmetric and columns.start < rows.start:
                continue
            _fill(distances, left, right, A.starts, A.sizes, B.starts, B.sizes, rows, columns, kind)
    if symmetric:
        upper = np.triu(distances, 1)
        return upper + upper.T
    return distances


def _augmented(X: np.ndarray, left: bool) -> np.ndarray:
    squares = np.einsum("ij,ij->i", X, X)[:, None]
    ones = np.ones_like(squares)
    return np.hstack([-2 * X, squares, ones] if left else [X, ones, squares])


def _blocks(sizes: np.ndarray) -> Iterator[slice]:
    """Cut bags into consecutive blocks of about `_BLOCK` instances, at least one bag each."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start] - sizes[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


def _fill(distances, left, right, starts_a, sizes_a, starts_b, sizes_b, rows, columns, kind):
    first_a, first_b = starts_a[rows.start], starts_b[columns.start]
    last_a = starts_a[rows.stop - 1] + sizes_a[rows.stop - 1]
    last_b = starts_b[columns.stop - 1] + sizes_b[columns.stop - 1]
    squared = left[first_a:last_a] @ right[first_b:last_b].T
    _reduce(
        squared,
        starts_a[rows] - first_a,
        sizes_a[rows],
        starts_b[columns] - first_b,
        sizes_b[columns],
        kind == "max",
        distances[rows, columns],
    )


# Minima of finite numbers in any order: what vector instructions need.
@njit(nogil=True, fastmath={"nnan", "ninf", "nsz", "reassoc"})
def _reduce(squared, starts_a, sizes_a, starts_b, sizes_b, maximal, out):
    """Write the distance of each pair of bags into `out`, from squared distances of instances."""
    nearest = np.empty(sizes_b.max(), squared.dtype)
    for i in range(len(starts_a)):
        for j in range(len(starts_b)):
            size = sizes_b[j]
            column = nearest[:size]
            total = squared.dtype.type(0)
            for r in range(sizes_a[i]):
                row = squared[starts_a[i] + r, starts_b[j] : starts_b[j] + size]
                least = row[0]
                for c in range(size):
                    least = min(least, row[c])
                least = max(least, 0)
                total = max(total, least) if maximal else total + np.sqrt(least)
                if r == 0:
                    column[:] = row
                else:
                    for c in range(size):
                        column[c] = min(column[c], row[c])
            for c in range(size):
                least = max(column[c], 0)
                total = max(total, least) if maximal else total + np.sqrt(least)
            out[i, j] = np.sqrt(total) if maximal else total / (sizes_a[i] + size)
