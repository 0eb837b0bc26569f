"""Metrics averaged over images: how well each image's labels are ordered and chosen.

The five of the multi-instance multi-label papers (MIMLfast and its predecessors), with the rules
those papers leave open:

- *Ties* count against the learner: equal scores share the worst rank of their group, and a present
  label that ties with an absent one is a mistake. This is scikit-learn's rule too.
- *Images without any present label* have no ranking to evaluate and are left out of everything but
  the Hamming loss; images with every label present are left out of average precision and ranking
  loss as well. scikit-learn scores such images 1 or 0 instead. Where no image is left the result
  is NaN.
- *Unknown cells* (-1) are as if the label didn't exist for that image: ranks run over the known
  labels, coverage is divided by their number, and Hamming loss averages over known cells.
"""

import numpy as np

from classify.metrics.ranking import check_truth, rank_rows
from features.errors import InputError


def hamming_loss(Y, scores) -> float:
    """Share of known image-label cells that are decided wrongly.

    Parameters
    ----------
    Y : array_like of shape (n, L)
        1 = present, 0 = absent, -1 = unknown.
    scores : array_like of shape (n, L)
        A label is predicted where its score is above 0.

    Returns
    -------
    float
        Between 0 (best) and 1.

    Raises
    ------
    InputError
        For arrays that don't fit each other, or a NaN score; so do all functions here.

    Examples
    --------
    >>> hamming_loss([[1, 0], [0, 1]], [[2.0, -1.0], [1.0, 3.0]])
    0.25
    """
    Y, scores = check_truth(Y, scores)
    known = Y != -1
    wrong = (scores > 0) != (Y == 1)
    return _mean(wrong[known])


def one_error(Y, scores) -> float:
    """Share of images whose best-scored known label isn't present.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `hamming_loss`. Images without a present label are left out.

    Returns
    -------
    float
        Between 0 (best) and 1.

    Examples
    --------
    >>> one_error([[1, 0], [0, 1]], [[2.0, -1.0], [1.0, 0.5]])
    0.5
    """
    Y, scores = check_truth(Y, scores)
    top = rank_rows(Y, scores)
    wrong = top.rank[:, :1] != top.hits[:, :1]  # an absent label at, or tied with, the top
    return _mean(wrong[(Y == 1).any(axis=1)])


def coverage(Y, scores) -> float:
    """How far down the ranking the last present label lies, as a share of the labels.

    The mean over images of (worst rank of a present label - 1) / number of known labels. A perfect
    ranking therefore gives (mean number of present labels - 1) / L, not 0.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `hamming_loss`. Images without a present label are left out.

    Returns
    -------
    float
        Between 0 (best) and (L - 1) / L.

    Examples
    --------
    >>> coverage([[1, 0, 0, 1]], [[3.0, 2.0, 1.0, 0.0]])
    0.75
    """
    Y, scores = check_truth(Y, scores)
    ranking = rank_rows(Y, scores)
    deepest = np.where(ranking.relevant, ranking.rank, 0).max(axis=1, initial=0)
    kept = deepest > 0
    return _mean((deepest[kept] - 1) / ranking.known[kept].sum(axis=1))


def ranking_loss(Y, scores) -> float:
    """Share of (present, absent) label pairs of an image that are ordered wrongly.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `hamming_loss`. Images without a present or without an absent label are left out.

    Returns
    -------
    float
        Between 0 (best) and 1. Equals scikit-learn's ``label_ranking_loss`` on the images kept.

    Examples
    --------
    >>> ranking_loss([[1, 0, 0]], [[0.5, 0.5, -1.0]])
    0.5
    """
    Y, scores = check_truth(Y, scores)
    ranking = rank_rows(Y, scores)
    present, absent = (Y == 1).sum(axis=1), (Y == 0).sum(axis=1)
    above = np.where(ranking.relevant, ranking.rank - ranking.hits, 0).sum(axis=1)
    kept = (present > 0) & (absent > 0)
    return _mean(above[kept] / (present * absent)[kept])


def example_ap(Y, scores) -> float:
    """Average precision of the label ranking, averaged over images.

    For each present label the share of present ones among the labels ranked at least as high;
    the mean over an image's present labels, then over images. Not to be confused with the
    class-based mAP of `classify.metrics.label_based`.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `hamming_loss`. Images without a present or without an absent label are left out.

    Returns
    -------
    float
        Between 0 and 1 (best). Equals scikit-learn's ``label_ranking_average_precision_score`` on
        the images kept.

    Examples
    --------
    >>> round(example_ap([[1, 0, 1]], [[3.0, 2.0, 1.0]]), 4)
    0.8333
    """
    Y, scores = check_truth(Y, scores)
    ranking = rank_rows(Y, scores)
    present = (Y == 1).sum(axis=1)
    precision = np.where(ranking.relevant, ranking.hits / ranking.rank, 0.0).sum(axis=1)
    kept = (present > 0) & (Y == 0).any(axis=1)
    return _mean(precision[kept] / present[kept])


def accuracy(Y, scores) -> float:
    """Share of images whose one label has the best score: for single-label sets.

    Parameters
    ----------
    Y : array_like of shape (n, L)
        One-hot: exactly one 1 in a row, the rest 0.
    scores : array_like of shape (n, L)
        Higher is better; a tie at the top is a mistake.

    Returns
    -------
    float
        Between 0 and 1 (best): 1 - one-error.

    Raises
    ------
    InputError
        When a row hasn't exactly one present label, or has an unknown one.

    Examples
    --------
    >>> accuracy([[1, 0], [0, 1]], [[2.0, -1.0], [1.0, 0.5]])
    0.5
    """
    Y, scores = check_truth(Y, scores)
    bad = np.flatnonzero(((Y == 1).sum(axis=1) != 1) | (Y == -1).any(axis=1))
    if len(bad):
        raise InputError(
            f"accuracy needs exactly one present label and no unknown one in every row, row "
            f"{bad[0]} differs: use one_error or example_ap for multi-label sets"
        )
    return 1.0 - one_error(Y, scores)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
