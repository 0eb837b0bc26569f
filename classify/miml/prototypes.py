"""A bag as its similarities to prototype instances, the representation of KISAR."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.cluster import KMeans

from features.bags.packed import Bags


class Prototypes(NamedTuple):
    """Prototypes of the training instances.

    Attributes
    ----------
    points : ndarray of shape (K, d)
    widths : ndarray of shape (K,)
        What squared distances are divided by.
    """

    points: np.ndarray
    widths: np.ndarray


def find_prototypes(X: np.ndarray, count: int, width: str, seed: int) -> Prototypes:
    """Cluster instances by k-means; the instance nearest to each center is its prototype.

    Parameters
    ----------
    X : ndarray of shape (N, d)
    count : int
        At most as many clusters as there are distinct instances.
    width : {"mean", "mean_square"}
        Of a cluster: the mean distance between its instances, as in kdis-lab's code, or the mean
        squared distance, which does not depend on the features' scale. A cluster without spread
        gets the mean over all instances of the distance, or squared distance, to their centers.
    seed : int

    Returns
    -------
    Prototypes
    """
    distinct = len(np.unique(X, axis=0))
    means = KMeans(min(count, distinct), n_init=1, random_state=seed).fit(X)
    power = 1 if width == "mean" else 2
    to_center = np.linalg.norm(X - means.cluster_centers_[means.labels_], axis=1)
    widths = np.zeros(len(means.cluster_centers_))
    nearest = np.zeros(len(widths), dtype=np.int64)
    for cluster in range(len(widths)):
        members = np.flatnonzero(means.labels_ == cluster)
        nearest[cluster] = members[to_center[members].argmin()]
        if len(members) > 1:
            widths[cluster] = np.mean(pdist(X[members]) ** power)
    widths[widths <= 0] = float(np.mean(to_center**power)) or 1.0
    return Prototypes(X[nearest], widths)


def similarities(bags: Bags, prototypes: Prototypes) -> np.ndarray:
    """Map bags to exp(-d^2 / width), with d the distance of the nearest instance to a prototype.

    Parameters
    ----------
    bags : Bags
    prototypes : Prototypes
        K of them.

    Returns
    -------
    ndarray of shape (n, K)
    """
    squared = cdist(bags.instances, prototypes.points, "sqeuclidean")
    return np.exp(-np.minimum.reduceat(squared, bags.starts, axis=0) / prototypes.widths)
