"""KISAR: support vector machines that share prototype instances between related labels.

Source: Li, Hu, Jiang, Zhou, "Towards discovering what patterns trigger what labels", AAAI 2012. The
abstract, its references, LAMDA's parameters and the mapping in kdis-lab's code were read; the
objective is deduced from them, prediction and grid are unconfirmed.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.miml.along_c import AlongC
from classify.miml.base import SHARED, BagTagger
from classify.miml.prototypes import Prototypes, find_prototypes, similarities
from classify.miml.scaling import with_constant
from classify.miml.squared_hinge import SquaredHinge
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags

RELATIONS = ("none", "all", "mean", "off_diagonal_mean", "conditional")
_FLOOR = 1e-6  # of the shares eta, so that no column is divided by 0


class KISAR(AlongC, BagTagger):
    """Key instance sharing among related labels.

    With z the similarities of a bag to K prototypes, E the related pairs of labels (each label with
    itself among them) and deg_l the number of pairs with label l, it minimizes

        1/(2K) sum_{(a,b) in E} (sum_k sqrt(w_ak^2/deg_a + w_bk^2/deg_b))^2 + 1/2 sum_l b_l^2
        + C sum_l sum_i max(0, 1 - y_il (w_l . z_i + b_l))^2

    by turns: a squared-hinge machine per label with weighted columns, solved to its optimum, then
    the weights in closed form. It is jointly convex; it stops at a small fall. LAMDA's release has
    LIBLINEAR for the machines, which stops earlier.

    Parameters
    ----------
    C : float
        LAMDA's release has 500; 1 is far better on MSRC v2 and Scene.
    ratio : float
        Prototypes per training bag.
    max_prototypes : int
    relation : {"none", "all", "mean", "off_diagonal_mean", "conditional"}
        Pairs of labels that occur together more often than the mean over all pairs of labels
        (each label's own count included), than the mean over pairs of different labels, or in more
        than a tenth of the rarer label's bags; relation methods 3, 4 and 5 of LAMDA's release.
    width : {"mean", "mean_square"}
        See `classify.miml.prototypes`.
    max_iter : int
    tol : float
        Relative fall of the objective to stop at.
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.
    random_state : int
        Of k-means.

    Attributes
    ----------
    coef_ : ndarray of shape (L', K)
    intercept_ : ndarray of shape (L',)
        For the labels that vary in training.
    objective_curve_ : list of float
        The objective after each round; the last may be a rise, whose coefficients are not kept.
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> KISAR().fit(bags, [[1, 0], [1, 0], [0, 1], [0, 1]]).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "C": Number(low=0.0, above=True),
        "ratio": Number(low=0.0, above=True),
        "max_prototypes": Number(Integral, low=1),
        "relation": OneOf(RELATIONS),
        "width": OneOf(("mean", "mean_square")),
        "max_iter": Number(Integral, low=1),
        "tol": Number(low=0.0),
    }
    preparation = ("scaling", "ratio", "max_prototypes", "width", "random_state")
    fitted_arrays = ("coef_", "intercept_")
    fitted_parts: ClassVar[Mapping[str, type]] = {"prototypes_": Prototypes}

    def __init__(
        self,
        *,
        C=1.0,
        ratio=0.5,
        max_prototypes=1000,
        relation="off_diagonal_mean",
        width="mean",
        max_iter=20,
        tol=1e-3,
        scaling="none",
        random_state=0,
    ):
        self.C = C
        self.ratio = ratio
        self.max_prototypes = max_prototypes
        self.relation = relation
        self.width = width
        self.max_iter = max_iter
        self.tol = tol
        self.scaling = scaling
        self.random_state = random_state

    def _prepare(self, bags: Bags) -> np.ndarray:
        """Find the prototypes and map the training bags to z."""
        count = min(self.max_prototypes, max(1, int(self.ratio * len(bags) + 1e-9)))
        X = bags.instances.astype(np.float64)
        self.prototypes_ = find_prototypes(X, count, self.width, self.random_state)
        return similarities(bags, self.prototypes_)

    def _prepare_new(self, bags: Bags) -> np.ndarray:
        return similarities(bags, self.prototypes_)

    def _fit(self, Z: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> None:
        pairs = related_pairs(Y, self.relation)
        shares = np.full((len(pairs), Z.shape[1]), 1 / Z.shape[1])
        lowest, self.objective_curve_ = np.inf, []
        augmented = with_constant(Z)
        machines = [SquaredHinge(augmented, truth, self.C) for truth in Y.T]
        for _ in range(self.max_iter):
            weights = with_constant(column_weights(shares, pairs, Y.shape[1]))
            found = np.array([one.solve(row) for one, row in zip(machines, weights, strict=True)])
            coef, intercept = found[:, :-1].copy(), found[:, -1].copy()
            value = objective(Z, Y, coef, intercept, pairs, self.C)
            self.objective_curve_.append(value)
            fall = lowest - value
            if fall > 0:
                self.coef_, self.intercept_ = coef, intercept
            if fall < self.tol * abs(lowest) and np.isfinite(lowest):
                break
            lowest, shares = value, shares_of(coef, pairs)

    def _scores(self, Z: np.ndarray) -> np.ndarray:
        return Z @ self.coef_.T + self.intercept_


def related_pairs(Y: np.ndarray, relation: str) -> np.ndarray:
    """List the related pairs (a, b), a <= b, of labels Y (n, L): int array of shape (|E|, 2)."""
    counts = Y.T.astype(np.int64) @ Y
    labels = len(counts)
    own = np.diag(counts)
    if relation == "none":
        related = np.zeros((labels, labels), dtype=bool)
    elif relation == "all":
        related = np.ones((labels, labels), dtype=bool)
    elif relation == "mean":
        related = counts > counts.mean()
    elif relation == "off_diagonal_mean":
        related = counts > (counts.sum() - own.sum()) / max(1, labels * (labels - 1))
    else:
        related = counts > 0.1 * np.minimum.outer(own, own)
    return np.argwhere(np.triu(related | np.eye(labels, dtype=bool)))


def degrees(pairs: np.ndarray, labels: int) -> np.ndarray:
    """Count the pairs that each label is in; a label with itself counts once."""
    others = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.bincount(pairs[:, 0], minlength=labels) + np.bincount(others[:, 1], minlength=labels)


def column_weights(shares: np.ndarray, pairs: np.ndarray, labels: int) -> np.ndarray:
    """Weigh squared coefficients: shares (|E|, K) to (L, K), all ones for equal shares."""
    weights = np.zeros((labels, shares.shape[1]))
    different = pairs[:, 0] != pairs[:, 1]
    np.add.at(weights, pairs[:, 0], 1 / shares)
    np.add.at(weights, pairs[different, 1], 1 / shares[different])
    return weights / (shares.shape[1] * degrees(pairs, labels)[:, None])


def _pair_norms(coef: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Give w_ak^2/deg_a + w_bk^2/deg_b, once for a = b: (|E|, K)."""
    squares = coef**2 / degrees(pairs, len(coef))[:, None]
    different = (pairs[:, 0] != pairs[:, 1])[:, None]
    return squares[pairs[:, 0]] + different * squares[pairs[:, 1]]


def shares_of(coef: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Give the minimizing shares eta of each pair, (|E|, K), each row in the simplex."""
    norms = np.sqrt(_pair_norms(coef, pairs) + 1e-12)
    shares = np.maximum(norms / norms.sum(axis=1, keepdims=True), _FLOOR)
    return shares / shares.sum(axis=1, keepdims=True)


def objective(Z, Y, coef, intercept, pairs, C: float) -> float:
    """Evaluate the objective of `KISAR`.

    Parameters
    ----------
    Z : ndarray of shape (n, K)
    Y : array of 0 and 1, shape (n, L)
    coef : ndarray of shape (L, K)
    intercept : ndarray of shape (L,)
    pairs : int ndarray of shape (|E|, 2)
    C : float

    Returns
    -------
    float
    """
    norms = np.sqrt(_pair_norms(coef, pairs)).sum(axis=1)
    margins = np.maximum(0, 1 - (2.0 * Y - 1) * (Z @ coef.T + intercept))
    penalty = (norms**2).sum() / Z.shape[1] + (intercept**2).sum()
    return float(penalty / 2 + C * (margins**2).sum())
