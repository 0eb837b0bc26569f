"""Hausdorff distances between bags, from blocked matrix products of their instances.

The squared distances of two blocks of bags come from one product of instances with their squared
lengths appended: (-2a, |a|^2, 1) . (b, 1, |b|^2). A compiled loop then takes the minima of each
pair of bags while the block is in the processor's cache, so that square roots are taken of minima
only. Beside bags and result, memory holds one panel of prepared blocks and one block of products.
"""

from collections.abc import Iterator

import numpy as np

from classify.compiled import compiled
from features.bags.packed import Bags
from features.errors import InputError, check_choice

KINDS = ("max", "average")
_BLOCK = 1024  # instances; a block of squared distances has about the square of it
_PANEL = 16  # blocks of columns that are prepared together


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
    distances = np.zeros((len(A), len(B)), dtype)
    blocks = list(_blocks(B.sizes))
    for first in range(0, len(blocks), _PANEL):
        panel = blocks[first : first + _PANEL]
        rights = [_augmented(_rows_of(B, columns) - center, False) for columns in panel]
        for rows in _blocks(A.sizes):
            if symmetric and rows.start > panel[-1].start:
                break
            left = _augmented(_rows_of(A, rows) - center, True)
            for columns, right in zip(panel, rights, strict=True):
                if symmetric and columns.start < rows.start:
                    continue
                _fill(distances, left, right, A, B, rows, columns, kind)
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


def _rows_of(bags: Bags, block: slice) -> np.ndarray:
    """Give the instances of a block of bags."""
    last = bags.starts[block.stop - 1] + bags.sizes[block.stop - 1]
    return bags.instances[bags.starts[block.start] : last]


def _fill(distances, left, right, A: Bags, B: Bags, rows: slice, columns: slice, kind: str) -> None:
    """Write the distances between two blocks of bags, whose instances are `left` and `right`."""
    _reduce(
        left @ right.T,
        A.starts[rows] - A.starts[rows.start],
        A.sizes[rows],
        B.starts[columns] - B.starts[columns.start],
        B.sizes[columns],
        kind == "max",
        distances,
        rows.start,
        columns.start,
    )


# Minima of finite numbers in any order: what vector instructions need.
@compiled(fastmath={"nnan", "ninf", "nsz", "reassoc"})
def _reduce(squared, starts_a, sizes_a, starts_b, sizes_b, maximal, out, top, left):
    """Write the distance of each pair of bags into `out`, from squared distances of instances.

    `top` and `left` are the place of the first pair. A part of `out` would have two layouts, each
    of which takes as long to compile, as array expressions do.
    """
    longest = 0
    for size in sizes_b:
        longest = max(longest, size)
    nearest = np.empty(longest, squared.dtype)
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
                for c in range(size):
                    column[c] = row[c] if r == 0 else min(column[c], row[c])
            for c in range(size):
                least = max(column[c], 0)
                total = max(total, least) if maximal else total + np.sqrt(least)
            out[top + i, left + j] = np.sqrt(total) if maximal else total / (sizes_a[i] + size)
