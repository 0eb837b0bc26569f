"""Vectors for labels from how often they come together, where no word vectors are at hand."""

import numpy as np

from classify.base import encode_labels


def ppmi_vectors(Y: np.ndarray, n_components: int) -> np.ndarray:
    """Factorize the labels' positive pointwise mutual information, as Levy and Goldberg do words'.

    PPMI(j, k) = max(0, log(P(j, k) / (P(j) P(k)))) over images in which both labels are known; with
    its singular value decomposition U S V', label j gets row j of U sqrt(S).

    Parameters
    ----------
    Y : array of shape (n, L) of 1, 0 and -1 (unknown)
    n_components : int
        Dimensions; those beyond L stay 0.

    Returns
    -------
    float64 array of shape (L, n_components)
        Each of length 1, but for a label that is never present, whose vector is 0.

    Examples
    --------
    >>> ppmi_vectors(np.array([[1, 1, 0], [0, 0, 1]]), 2).round(3) + 0.0
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    """
    targets, _ = encode_labels(Y)
    present, known = (targets == 1).astype(float), (targets >= 0).astype(float)
    together, seen = present.T @ present, known.T @ known
    alone = present.T @ known  # (j, k): images with j in which k is known
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together * seen / (alone * alone.T))
    information = np.maximum(np.nan_to_num(information, nan=0.0, neginf=0.0), 0)
    # A label that every image has informs about none; the diagonal keeps it from getting no vector.
    information += 1e-6 * np.diag(present.any(axis=0))
    left, sizes, _ = np.linalg.svd(information)
    vectors = np.zeros((len(sizes), n_components))
    width = min(n_components, len(sizes))
    vectors[:, :width] = left[:, :width] * np.sqrt(sizes[:width])
    vectors *= np.sign(vectors.sum(axis=0) + 1e-12)  # the sign of a singular vector is arbitrary
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-8)
