"""Metrics averaged over labels (classes) or taken over all cells at once.

Several numbers go by the name of mAP, and two by the name of F1-C; each has a name of its own here:

- ``map``: area under the stepped precision-recall curve (scikit-learn's rule).
- ``map_voc12``: the same under the curve's monotone envelope, as PASCAL VOC 2010 and later and the
  code of the spatial regularization network (SRN) do it; never below ``map``.
- ``map_voc07_11pt``: mean of the envelope at recall 0, 0.1, ..., 1 (PASCAL VOC 2007).
- ``f1_macro``: mean of the labels' F1. ``f1_macro_harmonic``: harmonic mean of the mean precision
  and the mean recall, which is never lower, and which some papers print under the same heading.

Unknown cells (-1) are left out of every count, label by label. Ties in a ranking count against
the learner.
"""

from typing import Literal

import numpy as np

from classify.metrics.ranking import check_truth, rank_rows
from features.errors import InputError

Curve = Literal["plain", "voc12", "voc07_11pt"]

#: Keys of `precision_recall_f1`, in their order.
AVERAGES = (
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "f1_macro_harmonic",
    "precision_micro",
    "recall_micro",
    "f1_micro",
)


def class_average_precision(Y, scores, *, curve: Curve = "plain") -> np.ndarray:
    """Average precision of each label's ranking of the images.

    Parameters
    ----------
    Y : array_like of shape (n, L)
        1 = present, 0 = absent, -1 = unknown (left out of that label's ranking).
    scores : array_like of shape (n, L)
        Higher is better; compared within a column only.
    curve : {"plain", "voc12", "voc07_11pt"}
        How the precision-recall curve is read; see the module.

    Returns
    -------
    ndarray of shape (L,)
        Between 0 and 1; NaN for a label without a known positive image.

    Raises
    ------
    InputError
        For arrays that don't fit each other, a NaN score or an unknown `curve`.

    Examples
    --------
    >>> class_average_precision([[0], [1], [1]], [[3.0], [2.0], [1.0]]).round(4).tolist()
    [0.5833]
    """
    Y, scores = check_truth(Y, scores)
    if curve not in ("plain", "voc12", "voc07_11pt"):
        raise InputError(f"curve must be plain, voc12 or voc07_11pt, got {curve!r}: choose one")
    ranking = rank_rows(Y.T, scores.T)
    positives = ranking.relevant.sum(axis=1)
    precision = np.where(ranking.known, ranking.hits / ranking.rank, 0.0)
    if curve != "plain":
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    if curve == "voc07_11pt":
        area = _mean_at_eleven_recalls(precision, ranking.hits, positives)
    else:
        total = np.where(ranking.relevant, precision, 0.0).sum(axis=1)
        area = total / np.maximum(positives, 1)
    return np.where(positives > 0, area, np.nan)


def mean_average_precision(
    Y, scores, *, without_positives: Literal["skip", "zero"] = "skip"
) -> float:
    """Mean over labels of average precision without interpolation.

    Parameters
    ----------
    Y, scores : array_like of shape (n, L)
        As in `class_average_precision`.
    without_positives : {"skip", "zero"}
        Labels without a known positive image are left out of the mean, or count 0.

    Returns
    -------
    float
        Between 0 and 1 (best); NaN when every label is left out.

    Examples
    --------
    >>> mean_average_precision([[1, 0], [0, 0]], [[2.0, 1.0], [1.0, 2.0]])
    1.0
    >>> mean_average_precision([[1, 0], [0, 0]], [[2.0, 1.0], [1.0, 2.0]], without_positives="zero")
    0.5
    """
    return _mean_ap(Y, scores, "plain", without_positives)


def map_voc12(Y, scores, *, without_positives: Literal["skip", "zero"] = "skip") -> float:
    """Mean area under the envelope over labels; parameters as in `mean_average_precision`."""
    return _mean_ap(Y, scores, "voc12", without_positives)


def map_voc07_11pt(Y, scores, *, without_positives: Literal["skip", "zero"] = "skip") -> float:
    """Mean over labels of 11-point average precision; parameters as in `mean_average_precision`."""
    return _mean_ap(Y, scores, "voc07_11pt", without_positives)


def topk(scores, k: int, *, threshold: float | None = None) -> np.ndarray:
    """Predict the `k` best-scored labels of each image.

    Parameters
    ----------
    scores : array_like of shape (n, L)
        Higher is better. Of equal scores the label with the lower index is taken.
    k : int
        1 to L.
    threshold : float, optional
        Keep only those of the `k` whose score is above it. Without it exactly `k` labels are
        predicted; published top-3 tables exist in both versions and can't be compared.

    Returns
    -------
    ndarray of bool, shape (n, L)

    Raises
    ------
    InputError
        When `k` is outside 1 to L, or `scores` isn't 2-D or holds NaN.

    Examples
    --------
    >>> topk([[0.5, -1.0, 2.0]], 2).tolist()
    [[True, False, True]]
    >>> topk([[0.5, -1.0, 2.0]], 2, threshold=1).tolist()
    [[False, False, True]]
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or np.isnan(scores).any():
        raise InputError(
            f"scores must be 2-D (images, labels) without NaN, got {scores.ndim}-D"
            f"{' with NaN' if np.isnan(scores).any() else ''}: give one row an image"
        )
    if not 1 <= k <= scores.shape[1]:
        raise InputError(f"k must be 1 to {scores.shape[1]} (the number of labels), got {k}")
    best = np.argsort(-scores.astype(np.float64, copy=False), axis=1, kind="stable")[:, :k]
    predicted = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(predicted, best, True, axis=1)
    return predicted if threshold is None else predicted & (scores > threshold)


def class_precision_recall_f1(
    Y, predicted, *, zero_division: Literal[0, 1] = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each label.

    Parameters
    ----------
    Y : array_like of shape (n, L)
        1 = present, 0 = absent, -1 = unknown (the cell isn't counted).
    predicted : array_like of bool, shape (n, L)
        From `topk`, or ``scores > 0``.
    zero_division : {0, 1}
        What 0/0 is: the precision of a label that is never predicted, the recall of one that is
        never present, the F1 of one that is neither. 1 is the outcome of SRN's evaluation code,
        which adds a tiny number above and below the line; it inflates the mean precision.

    Returns
    -------
    precision, recall, f1 : ndarray of shape (L,)
        As scikit-learn's ``precision_recall_fscore_support`` gives them.

    Raises
    ------
    InputError
        For arrays that don't fit each other or another `zero_division`.

    Examples
    --------
    >>> class_precision_recall_f1([[1, 0], [1, 0]], [[True, False], [False, False]])[1].tolist()
    [0.5, 0.0]
    """
    true, guessed, present = _counts(Y, predicted)
    _check_zero_division(zero_division)
    return _precision_recall_f1(true, guessed, present, zero_division)


def precision_recall_f1(Y, predicted, *, zero_division: Literal[0, 1] = 0) -> dict[str, float]:
    """Precision, recall and F1, averaged over labels (``_macro``) and over all cells (``_micro``).

    Parameters
    ----------
    Y, predicted, zero_division
        As in `class_precision_recall_f1`.

    Returns
    -------
    dict of str to float
        ``precision_macro``, ``recall_macro``: means over labels; ``f1_macro``: mean of the labels'
        F1; ``f1_macro_harmonic``: harmonic mean of ``precision_macro`` and ``recall_macro``;
        ``precision_micro``, ``recall_micro``, ``f1_micro``: over all cells.

    Raises
    ------
    InputError
        As `class_precision_recall_f1`.

    Examples
    --------
    >>> result = precision_recall_f1([[1, 0], [1, 1]], [[True, False], [False, True]])
    >>> round(result["f1_macro"], 4), round(result["f1_macro_harmonic"], 4)
    (0.8333, 0.8571)
    """
    true, guessed, present = _counts(Y, predicted)
    _check_zero_division(zero_division)
    p, r, f = (part.mean() for part in _precision_recall_f1(true, guessed, present, zero_division))
    sums = [np.atleast_1d(part.sum()) for part in (true, guessed, present)]
    overall = _precision_recall_f1(sums[0], sums[1], sums[2], zero_division)
    harmonic = 2 * p * r / (p + r) if p + r > 0 else 0.0
    values = (p, r, f, harmonic, *(part[0] for part in overall))
    return dict(zip(AVERAGES, map(float, values), strict=True))


def _mean_ap(Y, scores, curve: Curve, without_positives: str) -> float:
    if without_positives not in ("skip", "zero"):
        raise InputError(f"without_positives must be skip or zero, got {without_positives!r}")
    values = class_average_precision(Y, scores, curve=curve)
    if without_positives == "zero":
        return float(np.nan_to_num(values).mean()) if values.size else float("nan")
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _mean_at_eleven_recalls(envelope, hits, positives) -> np.ndarray:
    """Read each row's envelope where recall first reaches 0, 0.1, ..., 1, and average."""
    rows = np.arange(len(envelope))
    total = np.zeros(len(envelope))
    for tenth in range(11):
        first = (10 * hits >= tenth * positives[:, None]).argmax(axis=1)
        total += envelope[rows, first]
    return total / 11


def _counts(Y, predicted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, per label and over known cells, right predictions, predictions, present cells."""
    Y, predicted = check_truth(Y, predicted)
    if predicted.dtype != bool:
        raise InputError(
            f"predictions must be booleans, got {predicted.dtype}: give topk(scores, k) or "
            "scores > 0"
        )
    present, guessed = Y == 1, predicted & (Y != -1)
    return (present & guessed).sum(axis=0), guessed.sum(axis=0), present.sum(axis=0)


def _precision_recall_f1(true, guessed, present, zero_division):
    def share(part, whole):
        return np.divide(part, whole, out=np.full(len(part), float(zero_division)), where=whole > 0)

    return share(true, guessed), share(true, present), share(2 * true, guessed + present)


def _check_zero_division(zero_division) -> None:
    if zero_division not in (0, 1):
        raise InputError(f"zero_division must be 0 or 1, got {zero_division!r}: choose one")
