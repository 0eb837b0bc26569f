"""Training rows as IMCL's batches take them, and the candidates among which neighbors are found.

Rows are read a batch at a time, so that a memory-mapped matrix never lies in memory as a whole.
It knows no loss.
"""

from dataclasses import dataclass

import numpy as np

from classify.imcl.joint_omp import Dictionary, Neighbors, joint_omp, refit
from classify.imcl.label_graph import LabelGraph
from classify.imcl.loss import LabelRules, Parameters, Rows

READ_AT_ONCE = 1024  # rows of the dictionary mapped and scored together


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes
    ----------
    X : float array of shape (n, d)
        May be memory-mapped.
    targets : int8 array of shape (n, L)
        May be memory-mapped.
    side : int8 array of shape (n, q)
        Further labels of 1, 0 and -1 (unknown).
    side_weight : float
        Value of a further label that is present.
    center : array of shape (d,)
    scale : float
        Features are given as (X - center) / scale.
    rules : LabelRules
    """

    X: np.ndarray
    targets: np.ndarray
    side: np.ndarray
    side_weight: float
    center: np.ndarray
    scale: float
    rules: LabelRules

    def read(self, rows: np.ndarray) -> Rows:
        """Read some rows, in the order given."""
        features = np.take(self.X, rows, axis=0)
        features -= self.center
        features /= features.dtype.type(self.scale)
        present, absent = self.side_weight, -1 / self.rules.asymmetry
        side = np.choose(np.take(self.side, rows, axis=0) + 1, [0.0, absent, present])
        return Rows(features, np.take(self.targets, rows, axis=0), side.astype(features.dtype))

    def start(
        self, coef: np.ndarray, intercept: np.ndarray, graph: LabelGraph, *, feature_map: bool
    ) -> Parameters:
        """Turn coefficients of features as they are into parameters, in the type of X."""
        d, dtype = coef.shape[1], self.X.dtype
        return Parameters(
            (coef * self.scale).astype(dtype),
            (intercept + coef @ self.center).astype(dtype),
            graph.with_weights(graph.weights.astype(dtype)),
            np.eye(d + 1, d, dtype=dtype) if feature_map else None,
        )

    def linear(self, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
        """Turn parameters into coefficients (L, d) and intercepts of features as they are."""
        coef, intercept = parameters.coef, parameters.intercept
        if parameters.feature_map is not None:
            intercept = intercept + coef @ parameters.feature_map[-1]
            coef = coef @ parameters.feature_map[:-1].T
        coef = coef / self.X.dtype.type(self.scale)
        return coef, intercept - coef @ self.center


@dataclass(frozen=True)
class NeighborSearch:
    """How neighbors are found: the arguments of `classify.imcl.joint_omp.joint_omp`."""

    k: int
    lambda_y: float
    lambda_f: float
    rule: str
    coefficients: str
    balance: bool

    def __call__(self, queries: tuple[np.ndarray, np.ndarray], dictionary, exclude) -> Neighbors:
        """Find the neighbors of queries given by their values and their features."""
        return joint_omp(*queries, dictionary, exclude=exclude, **vars(self))


class NeighborPool:
    """Rows to find neighbors among, with label values that are as old as the last `refresh`.

    Parameters
    ----------
    rows : Rows
        The candidates, in one axis. They are held in memory.
    numbers : int array of shape (D,)
        Row number of each, ascending, so that no row finds itself.
    search : NeighborSearch
    rules : LabelRules
    """

    def __init__(self, rows: Rows, numbers: np.ndarray, search: NeighborSearch, rules: LabelRules):
        self.rows, self.numbers, self.search, self.rules = rows, numbers, search, rules

    def refresh(self, parameters: Parameters) -> None:
        """Predict every candidate's unknown labels; propagate its values over the label graph."""
        n_labels, n_side = self.rows.targets.shape[1], self.rows.side.shape[1]
        dtype = self.rows.features.dtype
        values = np.empty((len(self.numbers), n_labels + n_side), dtype=dtype)
        features = self.rows.features
        if parameters.feature_map is not None:
            features = np.empty_like(features)
        for start in range(0, len(values), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            mapped = parameters.mapped(self.rows.features[part])
            if parameters.feature_map is not None:
                features[part] = mapped
            predicted = self.rules.values(parameters.scores(mapped))
            targets = self.rows.targets[part]
            values[part, :n_labels] = self.rules.propagated(targets, predicted, parameters.graph)
        values[:, n_labels:] = self.rows.side
        self.dictionary = Dictionary(values, features)

    def find(self, parameters: Parameters, batch: Rows, numbers: np.ndarray) -> Neighbors:
        """Find the neighbors of a batch, given its row numbers."""
        place = np.searchsorted(self.numbers, numbers)
        place[place == len(self.numbers)] = 0
        exclude = np.where(self.numbers[place] == numbers, place, -1)
        return self.search(self._queries(parameters, batch), self.dictionary, exclude)

    def weigh(self, parameters: Parameters, batch: Rows, near: Rows, found: Neighbors) -> Neighbors:
        """Fit the weights to the values of now, which have moved on since the last `refresh`."""
        mapped = parameters.mapped(near.features)
        predicted = self.rules.values(parameters.scores(mapped))
        propagated = self.rules.propagated(near.targets, predicted, parameters.graph)
        values = np.concatenate([propagated, near.side], axis=-1)
        completed, features = self._queries(parameters, batch)
        coefficients = self.search.coefficients
        return refit(completed, features, values, mapped, found, coefficients=coefficients)

    def take(self, found: Neighbors) -> Rows:
        """Give the rows that were found, in two axes; any row stands where none was found."""
        return Rows(*(array[found.positions] for array in self.rows))

    def _queries(self, parameters, batch):
        mapped = parameters.mapped(batch.features)
        predicted = self.rules.values(parameters.scores(mapped))
        completed = self.rules.complete(batch.targets, predicted)
        return np.hstack([completed, batch.side]), mapped
