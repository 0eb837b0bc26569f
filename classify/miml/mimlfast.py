"""MIMLfast: labels as sub-concepts in a shared space, ranked by sampled pairs.

Source: Huang, Gao, Zhou, "Fast multi-instance multi-label learning", AAAI 2014 (first page read);
steps as in LAMDA's MATLAB code. Unconfirmed: the grid.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.miml.base import SHARED, BagTagger
from classify.miml.mimlfast_epoch import run_epoch
from classify.miml.scaling import with_constant
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags


class MIMLfast(BagTagger):
    """Fast multi-instance multi-label learning.

    With a shared map V (m, d) and K sub-concepts w_lk per label, f_l(x) = max_k w_lk . V x and
    F_l = max_x f_l(x). For each present label of a bag, absent labels are drawn until one violates
    the margin of 1; after v of c draws the step has weight 1 + 1/2 + ... + 1/floor(c/v), as in
    WARP. A dummy label, above the absent and below the present ones, is trained alike. V and the w
    are averaged over the descent, each by itself. Instances get a constant column of ones.

    Parameters
    ----------
    dimensions : int
        m.
    concepts : int
        K.
    max_norm : float
        Norm of every w_lk and every column of V: exactly at the start, at most afterwards.
    epochs : int
    learning_rate : float
        gamma0 of the step gamma0 / (1 + decay gamma0 t) after t updates.
    decay : float
    average_every : int
        Pairs from one term of the averages to the next.
    margin : float
        A label is predicted when it exceeds the dummy by more than this; 1 in LAMDA's code, 0 as
        the paper's text is recalled. Scores are minus the dummy's and this margin.
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.
    random_state : int
        Draws the start, the order of pairs and the absent labels.

    Attributes
    ----------
    projection_ : ndarray of shape (d + 1, m)
        V transposed.
    concepts_ : ndarray of shape (L' + 1, K, m)
        For the labels that vary in training; the dummy is the last.
    n_updates_ : int
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> MIMLfast().fit(bags, [[1, 0], [1, 0], [0, 1], [0, 1]]).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "dimensions": Number(Integral, low=1),
        "concepts": Number(Integral, low=1),
        "max_norm": Number(low=0.0, above=True),
        "epochs": Number(Integral, low=1),
        "learning_rate": Number(low=0.0, above=True),
        "decay": Number(low=0.0),
        "average_every": Number(Integral, low=1),
        "margin": Number(low=0.0),
    }
    fitted_arrays = ("projection_", "concepts_")

    def __init__(
        self,
        *,
        dimensions=100,
        concepts=5,
        max_norm=1.0,
        epochs=15,
        learning_rate=0.005,
        decay=1e-5,
        average_every=10,
        margin=1.0,
        scaling="standard",
        random_state=0,
    ):
        self.dimensions = dimensions
        self.concepts = concepts
        self.max_norm = max_norm
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.decay = decay
        self.average_every = average_every
        self.margin = margin
        self.scaling = scaling
        self.random_state = random_state

    def _fit(self, bags: Bags, Y: np.ndarray, rng: np.random.Generator) -> None:
        X = with_constant(bags.instances.astype(np.float64))
        Y = np.ascontiguousarray(Y)  # loops are compiled anew for every layout
        V, W = self._start(X.shape[1], Y.shape[1], rng)
        sums = (np.zeros_like(V), np.zeros_like(W))
        harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, Y.shape[1] + 2))])
        pairs, updates, terms = pairs_of(Y), 0, 0
        options = (harmonic, self.learning_rate, self.decay, self.max_norm, self.average_every)
        for _ in range(self.epochs):
            updates, added = run_epoch(
                X,
                bags.starts,
                bags.sizes,
                Y,
                rng.permutation(pairs),
                V,
                W,
                sums,
                *options,
                updates,
                rng,
            )
            terms += added
        self.n_updates_ = int(updates)
        if terms:
            V, W = sums[0] / terms, sums[1] / terms
        self.projection_, self.concepts_ = V, W

    def _start(self, width: int, labels: int, rng) -> tuple[np.ndarray, np.ndarray]:
        spread = 1 / np.sqrt(width)
        V = rng.normal(0, spread, (width, self.dimensions))
        W = rng.normal(0, spread, (labels + 1, self.concepts, self.dimensions))
        for vectors in (V, W):
            vectors *= self.max_norm / np.linalg.norm(vectors, axis=-1, keepdims=True)
        return V, W

    def _scores(self, bags: Bags) -> np.ndarray:
        scores = model_scores(bags, self.projection_, self.concepts_)
        return scores[:, :-1] - scores[:, -1:] - self.margin


def pairs_of(Y: np.ndarray) -> np.ndarray:
    """List each bag with each of its labels and with the dummy: int array of shape (p, 2)."""
    dummy = np.ones((len(Y), 1), dtype=Y.dtype)
    return np.argwhere(np.hstack([Y, dummy]) == 1)


def model_scores(bags: Bags, projection: np.ndarray, concepts: np.ndarray) -> np.ndarray:
    """Score labels and dummy: (n, L + 1).

    Parameters
    ----------
    bags : Bags
        Scaled, without the constant column.
    projection : ndarray of shape (d + 1, m)
    concepts : ndarray of shape (L + 1, K, m)
    """
    vectors = concepts.reshape(-1, concepts.shape[2]) @ projection.T
    scores = with_constant(bags.instances) @ vectors.T
    best = scores.reshape(len(scores), *concepts.shape[:2]).max(axis=2)
    return np.maximum.reduceat(best, bags.starts, axis=0)
