"""Which labels support which: a sparse, weighted graph over the labels, and how it is counted.

It knows label arrays only: no features and no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, csr_array

from classify.base import UNKNOWN
from features.errors import InputError

ROWS_AT_ONCE = 4096  # rows counted together: 80 MB of float32 with 5,000 labels
DENSE_LABELS = 1000  # up to here a dense product takes less time than a sparse one


@dataclass(frozen=True)
class LabelGraph:
    """Edges between L labels, grouped by the label they lead to.

    As a matrix A, `A[i, j]` is how strongly label i supports label j, and label values Y (n, L)
    become ``Y @ A``.

    Attributes
    ----------
    sources : int array of shape (e,)
        The i of every edge.
    targets : int array of shape (e,)
        The j, in ascending order.
    weights : float array of shape (e,)
    n_labels : int
        L.
    """

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    n_labels: int

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> "LabelGraph":
        """Take every non-zero cell of a matrix (L, L) as an edge."""
        targets, sources = np.nonzero(matrix.T)
        return cls(sources, targets, matrix[sources, targets], len(matrix))

    def with_weights(self, weights: np.ndarray) -> "LabelGraph":
        """Give the same edges other weights."""
        return replace(self, weights=weights)

    def matrix(self) -> np.ndarray | csc_array:
        """Build A of shape (L, L), dense where that multiplies faster."""
        shape = (self.n_labels, self.n_labels)
        if self.n_labels > DENSE_LABELS:
            starts = np.searchsorted(self.targets, np.arange(self.n_labels + 1))
            return csc_array((self.weights, self.sources, starts), shape=shape)
        dense = np.zeros(shape, dtype=self.weights.dtype)
        dense[self.sources, self.targets] = self.weights
        return dense

    def propagate(self, values: np.ndarray) -> np.ndarray:
        """Give ``values @ A`` for label values (..., L)."""
        return np.asarray(values.reshape(-1, self.n_labels) @ self.matrix()).reshape(values.shape)

    def propagate_transposed(self, values: np.ndarray) -> np.ndarray:
        """Give ``values @ A.T`` for label values (..., L)."""
        return np.asarray(values.reshape(-1, self.n_labels) @ self.matrix().T).reshape(values.shape)

    def edge_products(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Give ``left.T @ right`` at the edges only: (b, L) and (b, L) to (e,)."""
        if self.n_labels > DENSE_LABELS:
            return np.einsum("be,be->e", left[:, self.sources], right[:, self.targets])
        return (left.T @ right)[self.sources, self.targets]


def identity_graph(n_labels: int) -> LabelGraph:
    """Let every label support itself only, with weight 1.

    Examples
    --------
    >>> identity_graph(2).matrix().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    labels = np.arange(n_labels)
    return LabelGraph(labels, labels, np.ones(n_labels), n_labels)


def given_graph(matrix, n_labels: int) -> LabelGraph:
    """Take a matrix as it is; a label without any supporter of its own gets itself.

    Parameters
    ----------
    matrix : array_like or sparse array of shape (L, L)
        Not negative; row i, column j says how strongly label i supports label j.
    n_labels : int
        L that is expected.

    Returns
    -------
    LabelGraph

    Raises
    ------
    InputError
        For another shape, and for NaN, infinite or negative weights.
    """
    dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    dense = dense.astype(np.float64)
    if dense.shape != (n_labels, n_labels):
        raise InputError(
            f"the label graph has shape {dense.shape}: give ({n_labels}, {n_labels}), "
            "one row and one column for each label of y"
        )
    if not (np.isfinite(dense).all() and (dense >= 0).all()):
        raise InputError(
            "the label graph has a negative, infinite or NaN weight: weights are 0 or more"
        )
    alone = np.flatnonzero(~dense.any(axis=0))
    dense[alone, alone] = 1.0
    return LabelGraph.from_matrix(dense)


def cooccurrence_graph(
    targets: np.ndarray, *, n_neighbors: int = 50, normalize: bool = True
) -> LabelGraph:
    """Let the labels that most often occur with a label support it.

    The weight of i for j is the rate at which i is present where j is, #(i and j) / #(j), over the
    rows where both are known. IMCL's paper names the structure and its released code the sum of
    the columns; the rate is the reading chosen here, as neither defines one.

    Parameters
    ----------
    targets : int8 array of shape (n, L)
        1, 0 and -1 (unknown). May be memory-mapped: it is read in blocks.
    n_neighbors : int
        How many labels with a rate above 0 support a label beside itself; of equal rates those
        with the lower index.
    normalize : bool
        Divide every column by its sum, so that ``Y @ A`` averages.

    Returns
    -------
    LabelGraph
        Every label supports itself too, with weight 1 before the division.

    Examples
    --------
    >>> cooccurrence_graph(np.array([[1, 1], [0, 1]], dtype=np.int8)).matrix().round(3)
    array([[0.5  , 0.333],
           [0.5  , 0.667]], dtype=float32)
    """
    rates = cooccurrence_rates(targets)
    np.fill_diagonal(rates, 0.0)
    n_labels = len(rates)
    best = np.argsort(-rates, axis=0, kind="stable")[: min(n_neighbors, n_labels - 1)]
    kept = np.zeros_like(rates)
    np.put_along_axis(kept, best, np.take_along_axis(rates, best, axis=0), axis=0)
    np.fill_diagonal(kept, 1.0)
    if normalize:
        kept /= kept.sum(axis=0)
    return LabelGraph.from_matrix(kept)


def cooccurrence_rates(targets: np.ndarray) -> np.ndarray:
    """Share of the rows with label j that have label i too, over the rows where both are known.

    Parameters
    ----------
    targets : int8 array of shape (n, L)

    Returns
    -------
    float32 array of shape (L, L)
        Row i, column j; 0 where no row knows.

    Examples
    --------
    >>> cooccurrence_rates(np.array([[1, 1], [0, 1]], dtype=np.int8)).tolist()
    [[1.0, 0.5], [1.0, 1.0]]
    """
    n_labels = targets.shape[1]
    both, known = np.zeros((2, n_labels, n_labels), dtype=np.float32)
    for block in _row_blocks(targets):
        present = block == 1
        here = csr_array(present.T, dtype=np.float32)  # few labels are present in a row
        both += here @ present.astype(np.float32)
        known += here @ (block != UNKNOWN).astype(np.float32)
    return np.divide(both, known, out=both, where=known > 0).T.copy()


def _row_blocks(targets: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(targets), ROWS_AT_ONCE):
        yield targets[start : start + ROWS_AT_ONCE]
