"""Two more losses that rank a row's labels, and a threshold for any such loss.

They take what those of ``classify.losses.ranking`` take and give what they give: scores (b, L) and
labels (b, L) of 1, 0 and -1 in, a loss for each image and its gradient by score out.
"""

from collections.abc import Callable

import numpy as np

from classify.compiled import compiled

ImageLoss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def ranknet_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RankNet as in Fast0Tag: the mean over present j and absent k of log(1 + exp(s_k - s_j)).

    Parameters and returns are those of `classify.losses.warp.wsabie_loss`. An image that lacks a
    present or an absent label has loss 0.

    Examples
    --------
    >>> values, gradient = ranknet_loss(np.zeros((1, 3)), np.array([[1, 0, -1]], dtype=np.int8))
    >>> values.round(6), gradient
    (array([0.693147]), array([[-0.5,  0.5,  0. ]]))
    """
    scores = np.ascontiguousarray(scores, dtype=np.float64)
    values, gradient = np.zeros(len(scores)), np.zeros(scores.shape)
    _add_ranknet(scores, np.ascontiguousarray(labels, dtype=np.int8), values, gradient)
    return values, gradient


def with_threshold(loss: ImageLoss) -> ImageLoss:
    """Let a ranking loss rank a virtual label of score 0 below present and above absent labels.

    That is calibrated label ranking (Fürnkranz, Hüllermeier, Loza Mencía and Brinker): the sign of
    a score then has a meaning, and a single label something to be ranked against.

    Parameters
    ----------
    loss : callable
        ``(scores, labels) -> (values, gradient)``.

    Returns
    -------
    callable
        The loss of present labels against absent ones and the threshold, plus that of the threshold
        against absent labels.

    Examples
    --------
    >>> from classify.losses.warp import wsabie_loss
    >>> values, _ = with_threshold(wsabie_loss)(np.zeros((1, 1)), np.ones((1, 1), dtype=np.int8))
    >>> values
    array([1.])
    """

    def thresholded(scores, labels):
        rows = len(scores)
        scores = np.hstack([scores, np.zeros((rows, 1))])
        below = np.hstack([labels, np.zeros((rows, 1), dtype=np.int8)])
        above = np.hstack([np.where(labels == 0, 0, -1), np.ones((rows, 1))]).astype(np.int8)
        first, second = loss(scores, below), loss(scores, above)
        return first[0] + second[0], (first[1] + second[1])[:, :-1]

    return thresholded


@compiled()
def _add_ranknet(scores, labels, values, gradient):
    for i in range(len(scores)):
        present, absent = (labels[i] == 1).sum(), (labels[i] == 0).sum()
        if present == 0 or absent == 0:
            continue
        share = 1.0 / (present * absent)
        for j in range(scores.shape[1]):
            if labels[i, j] != 1:
                continue
            for k in range(scores.shape[1]):
                if labels[i, k] == 0:
                    gap = scores[i, k] - scores[i, j]
                    decay = np.exp(-abs(gap))
                    values[i] += share * (max(gap, 0.0) + np.log1p(decay))
                    slope = share * (1.0 if gap > 0 else decay) / (1.0 + decay)
                    gradient[i, k] += slope
                    gradient[i, j] -= slope
