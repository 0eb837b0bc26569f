"""MIMLSVM: distances to medoid bags as features of one Gaussian SVM per label.

Source: Zhou, Zhang, Huang, Li, "Multi-instance multi-label learning", Artificial Intelligence 2012,
section 4.2 and Table A.2; defaults as in LAMDA's MATLAB code.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.svm import SVC

from classify.miml.along_c import AlongC
from classify.miml.base import SHARED
from classify.miml.distance_tagger import PRECOMPUTED, DistanceTagger
from classify.miml.distances import KINDS
from classify.miml.medoids import k_medoids
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags


class MIMLSVM(AlongC, DistanceTagger):
    """Medoid bags, then a support vector machine per label.

    A bag becomes z, its distances to k = floor(ratio n) medoids of the training bags; each label is
    a C-SVC on z with kernel exp(-gamma |z - z'|^2) or z . z', without class weights. Label sets
    follow the T-criterion.

    Parameters
    ----------
    ratio : float
        Medoids per training bag; at least one medoid is taken.
    C : float
        Weight of the hinge loss.
    gamma : float
        Of the Gaussian kernel.
    relative_gamma : bool
        Divide `gamma` by the mean squared distance between the z of the training bags.
    kernel : {"rbf", "linear"}
        The paper takes the Gaussian for images, the linear one for text.
    distance : {"max", "average", "precomputed"}
        The Hausdorff distance between bags; the paper's is "max".
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.
    random_state : int
        Draws the first medoids.

    Attributes
    ----------
    medoids_ : ndarray of int, shape (k,)
        Numbers of the training bags.
    gamma_ : float
        What the kernel used.
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> MIMLSVM(ratio=0.5).fit(bags, [[1, 0], [1, 0], [0, 1], [0, 1]]).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "ratio": Number(low=0.0, high=1.0, above=True),
        "C": Number(low=0.0, above=True),
        "gamma": Number(low=0.0, above=True),
        "relative_gamma": Flag(),
        "kernel": OneOf(("rbf", "linear")),
        "distance": OneOf((*KINDS, PRECOMPUTED)),
    }
    preparation = ("scaling", "distance", "ratio", "random_state")
    fitted_arrays = ("gamma_", "_mapped", "_weights", "_intercept", "medoids_")
    fitted_parts: ClassVar[Mapping[str, type]] = {"_medoid_bags": Bags}

    def __init__(
        self,
        *,
        ratio=0.2,
        C=1.0,
        gamma=0.2,
        relative_gamma=False,
        kernel="rbf",
        distance="max",
        scaling="none",
        random_state=0,
    ):
        self.ratio = ratio
        self.C = C
        self.gamma = gamma
        self.relative_gamma = relative_gamma
        self.kernel = kernel
        self.distance = distance
        self.scaling = scaling
        self.random_state = random_state

    def _prepare(self, bags) -> np.ndarray:
        """Find the medoids and map the training bags to z."""
        distances = self._within(bags)
        k = max(1, int(self.ratio * len(distances) + 1e-9))
        start = self._rng().choice(len(distances), size=k, replace=False)
        self.medoids_ = k_medoids(distances, start)
        self._medoid_bags = None if self.distance == PRECOMPUTED else bags.take(self.medoids_)
        return np.asarray(distances[:, self.medoids_], dtype=np.float64)

    def _prepare_new(self, bags) -> np.ndarray:
        z = self._between(bags, self._medoid_bags, self.medoids_)
        return np.asarray(z, dtype=np.float64)

    def _fit(self, z: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> None:
        self._mapped = z
        self.gamma_ = self.gamma
        if self.relative_gamma:
            self.gamma_ = self.gamma / (np.mean(pdist(z, "sqeuclidean")) or 1.0)
        kernel = self._kernel(z)  # one for all labels
        self._weights, self._intercept = np.zeros((len(z), Y.shape[1])), np.zeros(Y.shape[1])
        for label, truth in enumerate(Y.T):
            machine = SVC(C=self.C, kernel="precomputed").fit(kernel, truth)
            self._weights[machine.support_, label] = machine.dual_coef_[0]
            self._intercept[label] = machine.intercept_[0]

    def _kernel(self, z: np.ndarray) -> np.ndarray:
        if self.kernel == "linear":
            return z @ self._mapped.T
        return np.exp(-self.gamma_ * cdist(z, self._mapped, "sqeuclidean"))

    def _scores(self, z: np.ndarray) -> np.ndarray:
        return self._kernel(z) @ self._weights + self._intercept
