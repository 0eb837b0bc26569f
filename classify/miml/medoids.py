"""k-medoids by alternation, on a matrix of distances."""

import numpy as np

MAX_SWEEPS = 100


def k_medoids(distances: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Move medoids until they stay (Zhou et al., Artificial Intelligence 2012, Table A.2).

    Every point joins its nearest medoid, a medoid itself; the new medoid of a cluster is the member
    with the smallest sum of distances to the members. Ties go to the lowest index.

    Parameters
    ----------
    distances : ndarray of shape (n, n)
    start : ndarray of int, shape (k,)
        Distinct points.

    Returns
    -------
    ndarray of int, shape (k,)
        Ascending; what there is after 100 sweeps at the latest.

    Examples
    --------
    >>> points = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> k_medoids(np.abs(points[:, None] - points), np.array([0, 1]))
    array([1, 4])
    """
    medoids = np.sort(start)
    for _ in range(MAX_SWEEPS):
        cluster = distances[:, medoids].argmin(axis=1)
        cluster[medoids] = np.arange(len(medoids))
        moved = np.sort(
            [_medoid(distances, np.flatnonzero(cluster == c)) for c in range(len(medoids))]
        )
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return medoids


def _medoid(distances: np.ndarray, members: np.ndarray) -> int:
    return int(members[distances[np.ix_(members, members)].sum(axis=1).argmin()])
