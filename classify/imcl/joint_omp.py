"""Joint non-negative orthogonal matching pursuit: few images that explain labels and features both.

For each query it picks, one after the other, candidates of a dictionary whose label values resemble
what is left of the query's label values and whose features resemble what is left of its features.
All queries take a round together, so that nearly all work lies in two matrix products a round.
It knows no images: a candidate is a position in the dictionary.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from classify.compiled import compiled

CELLS_AT_ONCE = 2**22  # inner products of queries and candidates held at once: twice 16 MiB
SMALLEST_NORM = 1e-8  # a candidate shorter than this is left out
STOP = 1e-9  # an inner product up to this counts as none
ACCEPT = 1e-6  # smallest score that the rule "signs" accepts, as in the code for CUB
RIDGE = 1e-6  # times the mean of the diagonal, on the small systems
RULES = ("break", "signs")
COEFFICIENTS = ("clip", "nnls", "plain")


class Dictionary:
    """Candidates with what every query asks of them.

    Parameters
    ----------
    values : float array of shape (D, L)
        Label values, propagated over the label graph.
    features : float array of shape (D, d)
    """

    def __init__(self, values: np.ndarray, features: np.ndarray):
        self.values, self.features = values, features
        self.usable = (_squares(values) >= SMALLEST_NORM**2) & (
            _squares(features) >= SMALLEST_NORM**2
        )

    def __len__(self) -> int:
        return len(self.values)

    def gains(self, rows: np.ndarray, weight: float) -> np.ndarray:
        """Weight over squared length of each of the `rows`; 0 for a candidate that is left out."""
        gains = np.zeros(len(rows), dtype=rows.dtype)
        return np.divide(weight, _squares(rows), out=gains, where=self.usable)


class Neighbors(NamedTuple):
    """What was picked for B queries.

    Attributes
    ----------
    positions : int array of shape (B, k)
        In the dictionary, in the order picked; -1 where the pursuit had stopped.
    label_weights, feature_weights : float arrays of shape (B, k)
        The c and c-bar of IMCL's paper; 0 where `positions` is -1.
    """

    positions: np.ndarray
    label_weights: np.ndarray
    feature_weights: np.ndarray


def joint_omp(
    values: np.ndarray,
    features: np.ndarray,
    dictionary: Dictionary,
    *,
    k: int,
    lambda_y: float = 1.0,
    lambda_f: float = 0.5,
    exclude: np.ndarray | None = None,
    rule: str = "break",
    coefficients: str = "clip",
    balance: bool = False,
) -> Neighbors:
    """Approximate label values and features of each query by the same few candidates.

    Algorithm 2 of IMCL's paper. With residuals r_y and r_f, a round scores each candidate (z, f) by
    ``lambda_y <r_y, z>**2 / |z|**2 + lambda_f <r_f, f>**2 / |f|**2``, adds the best one, and fits
    the label values and the features anew, each by least squares over all candidates picked.

    Parameters
    ----------
    values : float array of shape (B, L)
    features : float array of shape (B, d)
        Of the queries; products are taken in their types, float32 being meant.
    dictionary : Dictionary
    k : int
        Most candidates for a query.
    lambda_y, lambda_f : float
        Weights of labels and features in the score; none is found where all scores are 0.
    exclude : int array of shape (B,), optional
        A position that the query may not pick, such as itself; -1 for none.
    rule : {"break", "signs"}
        "break": stop at a best candidate that has no positive inner product with both residuals
        (the paper; its listing prints y where z is meant). "signs": multiply the score by the sum
        of the two inner products' signs, of those whose weight is above 0, and stop below 1e-6
        (its released code).
    coefficients : {"clip", "nnls", "plain"}
        Least squares with negative coefficients set to 0 (the paper), non-negative least squares,
        or least squares as it is (the released code).
    balance : bool
        Divide each part of the score by its largest value over the candidates, as the code does in
        one of its settings.

    Returns
    -------
    Neighbors

    Examples
    --------
    >>> dictionary = Dictionary(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0], [1.0]]))
    >>> found = joint_omp(np.array([[0.5, 0.0]]), np.array([[1.0]]), dictionary, k=1)
    >>> found.positions[:, 0], found.label_weights.round(3), found.feature_weights.round(3)
    (array([0]), array([[0.5]]), array([[0.5]]))
    """
    exclude = np.full(len(values), -1) if exclude is None else exclude
    gains = (
        dictionary.gains(dictionary.values, lambda_y),
        dictionary.gains(dictionary.features, lambda_f),
    )
    size = max(1, CELLS_AT_ONCE // max(1, len(dictionary)))
    parts = []
    for start in range(0, len(values), size):
        part = slice(start, start + size)
        pursuit = _Pursuit(values[part], features[part], dictionary, gains, k, coefficients)
        pursuit.run(exclude[part], rule == "signs", balance)
        parts.append((pursuit.positions, pursuit.values.weights, pursuit.features.weights))
    return Neighbors(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Pursuit:
    """One block of queries."""

    def __init__(self, values, features, dictionary, gains, k, coefficients):
        self.positions = np.full((len(values), k), -1)
        self.values = _Fit(values, dictionary.values, gains[0], k, coefficients)
        self.features = _Fit(features, dictionary.features, gains[1], k, coefficients)

    def run(self, exclude, by_signs, balance):
        live = np.arange(len(self.positions))
        for round_ in range(self.positions.shape[1]):
            inner_y, inner_f = self.values.inner(live), self.features.inner(live)
            gains = self.values.gains, self.features.gains
            picked = _pick(
                inner_y, inner_f, *gains, self.positions[live], exclude[live], by_signs, balance
            )
            live, picked = live[picked >= 0], picked[picked >= 0]
            if len(live) == 0:
                return
            self.positions[live, round_] = picked
            self.values.add(live, picked, round_)
            self.features.add(live, picked, round_)


class _Fit:
    """Least squares of one kind of rows, label values or features, over the candidates picked."""

    def __init__(self, queries, candidates, gains, k, coefficients):
        self.queries, self.candidates, self.gains = queries, candidates, gains
        self.coefficients = coefficients
        self.residuals = queries.copy()
        self.chosen = np.zeros((len(queries), k, queries.shape[1]), dtype=queries.dtype)
        self.weights = np.zeros((len(queries), k), dtype=queries.dtype)

    def inner(self, live):
        """Inner products of residuals and candidates: the products that can't be avoided."""
        return self.residuals[live] @ self.candidates.T

    def add(self, live, picked, round_):
        """Take one more candidate for each query that is `live`, and fit anew."""
        size, queries = round_ + 1, self.queries[live]
        self.chosen[live, round_] = self.candidates[picked]
        chosen = self.chosen[live, :size]
        weights = _least_squares(queries, chosen, self.coefficients)
        self.weights[live, :size] = weights
        self.residuals[live] = queries - np.matmul(weights[:, None, :], chosen)[:, 0]


def refit(
    values: np.ndarray,
    features: np.ndarray,
    near_values: np.ndarray,
    near_features: np.ndarray,
    found: Neighbors,
    *,
    coefficients: str = "clip",
) -> Neighbors:
    """Weigh the same neighbors anew, after values or features have changed.

    Parameters
    ----------
    values, features : float arrays of shape (B, L) and (B, d)
        Of the queries.
    near_values, near_features : float arrays of shape (B, k, L) and (B, k, d)
        Of their neighbors; what stands where none was found does not matter.
    found : Neighbors
    coefficients : {"clip", "nnls", "plain"}
        As in `joint_omp`.

    Returns
    -------
    Neighbors

    Examples
    --------
    >>> found = Neighbors(np.array([[3, -1]]), np.zeros((1, 2)), np.zeros((1, 2)))
    >>> y, near = np.array([[1.0, 0.0]]), np.array([[[2.0, 0.0], [1.0, 1.0]]])
    >>> refit(y, y, near, near, found).label_weights.round(3)
    array([[0.5, 0. ]])
    """
    chosen = (found.positions >= 0)[:, :, None]
    return Neighbors(
        found.positions,
        _least_squares(values, near_values * chosen, coefficients),
        _least_squares(features, near_features * chosen, coefficients),
    )


def _least_squares(queries, rows, coefficients):
    """Weights (B, k) of rows (B, k, m) that give queries (B, m); 0 for a row of zeros."""
    gram = np.matmul(rows, rows.transpose(0, 2, 1)).astype(np.float64)
    correlations = np.matmul(rows, queries[:, :, None]).astype(np.float64)
    diagonal = np.einsum("bii->bi", gram)
    count = np.maximum((diagonal > 0).sum(axis=1), 1)
    ridge = RIDGE * diagonal.sum(axis=1) / count
    diagonal += np.where(ridge > 0, ridge, 1.0)[:, None]
    weights = np.linalg.solve(gram, correlations)[:, :, 0]
    if coefficients == "clip":
        weights = np.maximum(weights, 0.0)
    if coefficients == "nnls":
        for row in np.flatnonzero((weights < 0).any(axis=1)):
            root = cholesky(gram[row])  # |root w - q|^2 is the squared residual, a constant apart
            weights[row] = nnls(root, solve_triangular(root, correlations[row, :, 0], trans="T"))[0]
    return weights.astype(queries.dtype)


def _squares(rows):
    return np.einsum("ij,ij->i", rows, rows)


@compiled()
def _pick(inner_y, inner_f, gain_y, gain_f, chosen, exclude, by_signs, balance):
    """Best candidate of each query, or -1 to stop. It writes zeros over what may not be picked."""
    picked = np.full(len(inner_y), -1)
    for row in range(len(inner_y)):
        for j in chosen[row]:
            if j >= 0:
                inner_y[row, j] = inner_f[row, j] = 0.0
        if exclude[row] >= 0:
            inner_y[row, exclude[row]] = inner_f[row, exclude[row]] = 0.0
        scale_y = scale_f = 1.0
        if balance:
            scale_y, scale_f = _scale(inner_y[row], gain_y), _scale(inner_f[row], gain_f)
        best, top = -1, 0.0
        for j in range(len(gain_y)):
            y, f = inner_y[row, j], inner_f[row, j]
            score = scale_y * gain_y[j] * y * y + scale_f * gain_f[j] * f * f
            if by_signs:
                sign_y = np.sign(y) if gain_y[j] > 0 else 0.0
                sign_f = np.sign(f) if gain_f[j] > 0 else 0.0
                score *= sign_y + sign_f
            if score > top:
                best, top = j, score
        if best >= 0:
            if by_signs:
                accepted = top >= ACCEPT
            else:
                accepted = inner_y[row, best] > STOP and inner_f[row, best] > STOP
            if accepted:
                picked[row] = best
    return picked


@compiled()
def _scale(inner, gain):
    largest = 0.0
    for j in range(len(inner)):
        largest = max(largest, gain[j] * inner[j] * inner[j])
    return 1.0 / largest if largest > 0 else 1.0
