"""Losses of a row of scores against a row of labels, beside WARP: pairs, softmax, cross-entropy.

They take and return what the losses of `classify.losses.warp` do.
"""

import numpy as np
from scipy.special import expit, logsumexp

from classify.losses.logistic import logistic_derivative, logistic_value
from classify.losses.warp import pair_loss, signs_of


def pairwise_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairwise ranking: the hinge of every pair, sum over present j, absent k of H_1(s_j - s_k)."""
    return pair_loss(scores, labels, np.ones(labels.shape), beta=0.0)


def softmax_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multi-label softmax: the mean over present labels of -log softmax(s)_j.

    The softmax runs over the known labels; an image without a present label has loss 0.
    """
    present = labels == 1
    share = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
    log_total, softmax = _softmax(scores, labels >= 0)
    some = present.any(axis=1)
    values = np.where(some, log_total, 0.0) - (share * scores).sum(axis=1)
    return values, np.where(some[:, None], softmax, 0.0) - share


def lsep_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-sum-exp pairwise loss log(1 + sum over present j, absent k of exp(s_k - s_j)).

    The double sum is a product of two sums, so that no pair is visited and none is sampled (Li,
    Song and Luo sample 1000).
    """
    log_absent, absent = _softmax(scores, labels == 0)
    log_present, present = _softmax(-scores, labels == 1)
    total = log_absent + log_present
    return np.logaddexp(0, total), expit(total)[:, None] * (absent - present)


def bce_loss(
    scores: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Binary cross-entropy of the sigmoid, summed over the known labels.

    Optional `class_weights` (L, 2) are factors of each label's absent and present cells.
    """
    signs = signs_of(labels)
    margins = signs * scores
    factors = np.abs(signs)
    if class_weights is not None:
        factors = factors * np.where(labels == 1, class_weights[:, 1], class_weights[:, 0])
        signs = signs * factors
    values = (factors * logistic_value(margins)).sum(axis=1)
    return values, signs * logistic_derivative(margins)


def _softmax(scores: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-sum-exp and softmax of a row's masked entries; -inf and 0 for a row without any."""
    masked = np.where(mask, scores, -np.inf)
    log_total = logsumexp(masked, axis=1)
    shift = np.where(mask.any(axis=1), log_total, 0.0)
    return log_total, np.exp(masked - shift[:, None])
