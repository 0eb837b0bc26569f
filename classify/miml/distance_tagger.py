"""Base of the methods that see bags through their distances only: MIMLSVM and MIMLkNN."""

from typing import Any

import numpy as np

from classify.miml.base import BagTagger
from classify.miml.distances import bag_distances
from features.bags.packed import Bags
from features.errors import InputError

PRECOMPUTED = "precomputed"


class DistanceTagger(BagTagger):
    """Takes bags, or with ``distance="precomputed"`` a matrix in their place.

    The matrix is (n, n) between the training bags in `fit`, and (m, n) between m bags and the
    training bags afterwards. Distances do not depend on labels, so one matrix per data set serves
    all splits and folds.
    """

    distance: str
    scaling: str

    def __sklearn_tags__(self):
        """Tell that a precomputed matrix has training bags as its columns."""
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.distance == PRECOMPUTED
        return tags

    def _checked(self, X) -> Any:
        if self.distance != PRECOMPUTED:
            return super()._checked(X)
        matrix = np.asarray(X)
        if matrix.ndim != 2 or matrix.dtype.kind not in "iuf" or not len(matrix):
            raise InputError(
                f"precomputed distances must be a matrix of numbers, got {matrix.dtype} of shape "
                f"{matrix.shape}"
            )
        if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
            raise InputError(
                "precomputed distances must be finite and 0 or more; compute them again"
            )
        return matrix

    def _fit_scaling(self, bags) -> Any:
        if self.distance != PRECOMPUTED:
            return super()._fit_scaling(bags)
        if self.scaling != "none":
            raise InputError(
                "The 'scaling' parameter must be none where distances are precomputed. Got "
                f"{self.scaling!r}."
            )
        if bags.shape[0] != bags.shape[1]:
            raise InputError(f"distances of the training bags must be square, got {bags.shape}")
        self.n_features_in_ = bags.shape[1]
        return bags

    def _checked_new(self, X) -> Any:
        if self.distance != PRECOMPUTED:
            return super()._checked_new(X)
        matrix = self._checked(X)
        if matrix.shape[1] != self.n_features_in_:
            raise InputError(
                f"distances have {matrix.shape[1]} columns, but {type(self).__name__} was fitted "
                f"with {self.n_features_in_} bags: give one column per training bag"
            )
        return matrix

    def _within(self, bags) -> np.ndarray:
        """Distances between the training bags, (n, n)."""
        if self.distance == PRECOMPUTED:
            return bags
        return bag_distances(bags, kind=self.distance)

    def _between(self, bags, training: Bags | None, columns=slice(None)) -> np.ndarray:
        """Distances to some of the training bags, which `training` holds unless precomputed."""
        if self.distance == PRECOMPUTED:
            return bags[:, columns]
        assert training is not None
        return bag_distances(bags, training, kind=self.distance)
