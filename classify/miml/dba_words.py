"""What the words of DBA's instances are: nearest cluster centers, channels, or given counts."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from features.bags.packed import Bags
from features.errors import InputError

VOCABULARIES = ("kmeans", "channels", "counts")


class Words(NamedTuple):
    """Bags of words.

    Attributes
    ----------
    bags : Bags
        n bags of N instances.
    counts : sparse or dense array of shape (N, V)
        How often each word stands in each instance.
    """

    bags: Bags
    counts: Any

    def __len__(self) -> int:
        return len(self.bags)


def find_centers(X: np.ndarray, words: int, seed: int) -> np.ndarray:
    """Cluster instances (N, d) by k-means, at most as often as they are distinct: (V, d)."""
    count = min(words, len(np.unique(X, axis=0)))
    return KMeans(count, n_init=1, random_state=seed).fit(X).cluster_centers_


def nearest_words(X: np.ndarray, centers: np.ndarray) -> csr_array:
    """Give each instance the word of its nearest center: (N, d) to (N, V)."""
    nearest = pairwise_distances_argmin(X, centers)
    places = (np.ones(len(X)), nearest, np.arange(len(X) + 1))
    return csr_array(places, shape=(len(X), len(centers)))


def channel_unit(X: np.ndarray) -> float:
    """Give the mean positive value of instances, which counts as one word; 1 where none is."""
    positive = X[X > 0]
    return float(positive.mean(dtype=np.float64)) if len(positive) else 1.0


def channel_words(X: np.ndarray, unit: float) -> np.ndarray:
    """Count each column round(max(x, 0) / unit) times: (N, d) to (N, d)."""
    return np.rint(np.maximum(X, 0) / unit).astype(np.float64)


def given_words(X: np.ndarray) -> np.ndarray:
    """Take instances that are counts.

    Raises
    ------
    InputError
        A value is negative or no whole number.
    """
    if (X < 0).any() or (np.rint(X) != X).any():
        raise InputError(
            "vocabulary='counts' takes whole numbers of 0 or more as instances; give word counts, "
            "or vocabulary='kmeans'"
        )
    return X.astype(np.float64)
