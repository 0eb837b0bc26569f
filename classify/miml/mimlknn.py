"""MIMLkNN: labels of neighbors and citers, turned into scores by least squares.

Source: Zhang, "A k-nearest neighbor based multi-instance multi-label learning algorithm", ICTAI
2010; steps as in LAMDA's MATLAB code. Unconfirmed: the defaults r = 10 and c = 20.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.miml.base import SHARED
from classify.miml.distance_tagger import PRECOMPUTED, DistanceTagger
from classify.miml.distances import KINDS
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags

_CUTOFF = 1e-10  # singular values below this share of the largest are 0


class MIMLkNN(DistanceTagger):
    """Citation k-nearest neighbors with a linear map between labels.

    The neighborhood of a bag are its `references` nearest training bags and all training bags that
    count it among their `citers` nearest. With delta_l how many of them carry label l, scores are
    F = delta W, where W minimizes |A W - (2 Y - 1)|^2 over the training bags' own delta, A, each
    bag left out of its own neighborhood. W is the minimum-norm solution (MATLAB's backslash gives a
    basic one where A lacks rank). A label is predicted where F >= 0; there is no T-criterion.

    Parameters
    ----------
    references, citers : int
        r and c of the paper; at most as many as there are other training bags.
    count : {"multiset", "union"}
        Whether a bag that is both reference and citer counts twice, as in LAMDA's code.
    distance : {"average", "max", "precomputed"}
        The Hausdorff distance between bags.
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.

    Attributes
    ----------
    weights_ : ndarray of shape (L', L')
        W, for the labels that vary in training.
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> Y = [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> MIMLkNN(references=1, citers=1).fit(bags, Y).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "references": Number(Integral, low=1),
        "citers": Number(Integral, low=1),
        "count": OneOf(("multiset", "union")),
        "distance": OneOf((*KINDS, PRECOMPUTED)),
    }
    preparation = ("scaling", "distance")
    fitted_arrays = ("_furthest", "_labels", "weights_")
    fitted_parts: ClassVar[Mapping[str, type]] = {"_training": Bags}

    def __init__(
        self, *, references=10, citers=20, count="multiset", distance="average", scaling="none"
    ):
        self.references = references
        self.citers = citers
        self.count = count
        self.distance = distance
        self.scaling = scaling

    def predict(self, X) -> np.ndarray:
        """Predict the labels whose score is 0 or more; a bag may get none.

        Parameters
        ----------
        X
            Bags, as for `fit`.

        Returns
        -------
        int ndarray of 0 and 1, shape (n, L)
        """
        return (self.decision_function(X) >= 0).astype(int)

    def _prepare(self, bags) -> tuple[np.ndarray, np.ndarray]:
        """Give the distances between training bags, infinite to itself, and the order of each."""
        self._training = None if self.distance == PRECOMPUTED else bags
        others = np.array(self._within(bags))
        np.fill_diagonal(others, np.inf)
        return others, others.argsort(axis=1, kind="stable")

    def _prepare_new(self, bags) -> tuple[np.ndarray, np.ndarray]:
        distances = self._between(bags, self._training)
        return distances, distances.argsort(axis=1, kind="stable")

    def _fit(self, prepared, Y: np.ndarray, rng: np.random.Generator) -> None:
        others, order = prepared
        n = len(others)
        self._furthest = np.take_along_axis(
            others, order[:, min(self.citers, n - 1) - 1][:, None], axis=1
        )[:, 0]
        references = _marks(order[:, : min(self.references, n - 1)], n)
        cites = _marks(order[:, : min(self.citers, n - 1)], n)
        self._labels = Y
        counts = self._neighborhood(references, cites.T) @ Y.astype(np.float64)
        self.weights_ = np.linalg.lstsq(counts, 2.0 * Y - 1, rcond=_CUTOFF)[0]

    def _neighborhood(self, references: np.ndarray, citers: np.ndarray) -> np.ndarray:
        if self.count == "union":
            return (references | citers).astype(np.float64)
        return references.astype(np.float64) + citers

    def _scores(self, prepared) -> np.ndarray:
        distances, nearest = prepared
        references = _marks(
            nearest[:, : min(self.references, distances.shape[1])], distances.shape[1]
        )
        # A training bag cites a new one that lies nearer than its c-th nearest other training bag.
        citers = distances < self._furthest
        counts = self._neighborhood(references, citers) @ self._labels.astype(np.float64)
        return counts @ self.weights_


def _marks(rows: np.ndarray, n: int) -> np.ndarray:
    """Turn lists of neighbors (m, k) into a boolean matrix (m, n)."""
    marks = np.zeros((len(rows), n), dtype=bool)
    np.put_along_axis(marks, rows, True, axis=1)
    return marks
