"""Choose images to label: by the model's margins, by diversity, or by both.

Arrays in, positions out: nothing here knows a cache or a model.
"""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize

POOL = 100  # candidates per image to choose: with 10 of them Corel5k lost what clusters gain
ROUNDS = 20  # of k-means, at most
BLOCK = 1024  # rows compared with all centers at once


def cell_margins(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Give how far each probability is from where the decision would turn.

    Parameters
    ----------
    probabilities : array of shape (n, L)
    thresholds : array of shape (L,)
        Probabilities from which a label is present.

    Returns
    -------
    float array of shape (n, L)
        0 to 1; the lower, the less sure.
    """
    return np.abs(probabilities - thresholds)


def top_margins(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Give how far each probability is from where its label would enter or leave the k best.

    Parameters
    ----------
    probabilities : array of shape (n, L)
    k : int
        Labels that each image gets, from 1.

    Returns
    -------
    float array of shape (n, L)
        The threshold of a row lies halfway between its k-th and next probability; 1 for all where
        every label is among the k best.

    Examples
    --------
    >>> top_margins(np.array([[0.9, 0.5, 0.3]]), 1).round(2)
    array([[0.2, 0.2, 0.4]])
    """
    if k >= probabilities.shape[1]:
        return np.ones_like(probabilities)
    falling = -np.sort(-probabilities, axis=1)
    return np.abs(probabilities - falling[:, k - 1 : k + 1].mean(axis=1, keepdims=True))


def image_margins(margins: np.ndarray) -> np.ndarray:
    """Give the margin of each image (n,): the least of its cells' (n, L).

    Margin sampling, of the label that is least sure: Brinker, On active learning in multi-label
    classification, 2006, and Settles, Active learning literature survey, 2009, section 3.1.
    """
    return margins.min(axis=1)


def most_uncertain(margins: np.ndarray, count: int) -> np.ndarray:
    """List the positions of the `count` lowest margins (n,), the lowest first, ties by position.

    Examples
    --------
    >>> most_uncertain(np.array([0.5, 0.1, 0.1, 0.9]), 3)
    array([1, 2, 0])
    """
    return np.argsort(margins, kind="stable")[:count]


def farthest_first(features: np.ndarray, count: int, centers: np.ndarray) -> np.ndarray:
    """Choose rows one by one, each the farthest from all rows chosen so far and from `centers`.

    The greedy k-center algorithm (Gonzalez, Clustering to minimize the maximum intercluster
    distance, 1985) as it is used on features in Sener and Savarese, Active learning for
    convolutional neural networks: a core-set approach, 2018. Rows are divided by their length.

    Parameters
    ----------
    features : float array of shape (n, d)
        Of the candidates, the first of which is taken first where there are no centers.
    count : int
        At most n.
    centers : float array of shape (m, d)
        Of rows that are labeled; m may be 0.

    Returns
    -------
    int array of shape (min(count, n),)
        Positions among the candidates, in the order of choice; of equal distances the first.

    Examples
    --------
    >>> rows = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [1.0, 1.0]])
    >>> farthest_first(rows, 3, np.empty((0, 2)))
    array([0, 2, 3])
    """
    rows = normalize(features)
    nearest = np.full(len(rows), np.inf)
    for start in range(0, len(centers), BLOCK):
        cosines = rows @ normalize(centers[start : start + BLOCK]).T
        nearest = np.minimum(nearest, 2 - 2 * cosines.max(axis=1))
    chosen = np.empty(min(count, len(rows)), dtype=int)
    for place in range(len(chosen)):
        chosen[place] = best = int(np.argmax(nearest))
        nearest = np.minimum(nearest, 2 - 2 * (rows @ rows[best]))
        nearest[chosen[: place + 1]] = -np.inf  # equal rows may still be chosen, none twice
    return chosen


def cluster_picks(features: np.ndarray, margins: np.ndarray, count: int) -> np.ndarray:
    """Cluster rows, the unsure ones weighing most, and choose the row nearest to each center.

    Weighted k-means of Zhdanov, Diverse mini-batch active learning, 2019; a row's weight is the
    largest margin minus its own. Rows are divided by their length.

    Parameters
    ----------
    features : float array of shape (n, d)
    margins : array of shape (n,)
    count : int
        Clusters.

    Returns
    -------
    int array of shape (min(count, n),)
        Positions, the lowest margin first.

    Examples
    --------
    >>> rows = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> cluster_picks(rows, np.array([0.1, 0.4, 0.3, 0.0]), 2)
    array([3, 0])
    """
    if count >= len(features):
        return most_uncertain(margins, count)
    rows = normalize(features)
    weights = margins.max() - margins + 1e-9  # equal margins are equal weights
    clusters = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of rows that are equal
        distances = clusters.fit(rows, sample_weight=weights / weights.max()).transform(rows)
    chosen = np.empty(count, dtype=int)
    for place in range(count):
        chosen[place] = best = int(np.argmin(distances[:, place]))
        distances[best] = np.inf
    return chosen[np.argsort(margins[chosen], kind="stable")]


def choose(
    method: str, features: np.ndarray, margins: np.ndarray, count: int, centers: np.ndarray
) -> np.ndarray:
    """Choose among candidates by a method of `candidates`.

    Parameters
    ----------
    method : {"margin+diversity", "margin", "diversity"}
    features : float array of shape (n, d)
        Of the candidates, not read for "margin".
    margins : array of shape (n,)
    count : int
    centers : float array of shape (m, d)
        Of the labeled rows, for "diversity".

    Returns
    -------
    int array of shape (min(count, n),)
        Positions in the order of choice.
    """
    if method == "margin":
        return most_uncertain(margins, count)
    if method == "diversity":
        return farthest_first(features, count, centers)
    return cluster_picks(features, margins, count)


def candidates(margins: np.ndarray, count: int, method: str, pool: int = POOL) -> np.ndarray:
    """List the positions that a method chooses among, the least sure first.

    Parameters
    ----------
    margins : array of shape (n,)
    count : int
        Images to choose.
    method : {"margin+diversity", "margin", "diversity"}
        The `pool` x `count` least sure, the `count` least sure, or all.
    pool : int
    """
    number = {"margin+diversity": pool * count, "margin": count, "diversity": len(margins)}[method]
    return most_uncertain(margins, number)
