"""Which labels an image gets: a threshold per label for a wished measure, or the k best."""

import numpy as np
from sklearn.metrics import precision_recall_curve

from classify.base import UNKNOWN
from classify.decisions.rules import Rule


def choose_thresholds(rule: Rule, scores: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Choose a threshold per label on scores that the scored rows had no part in.

    Parameters
    ----------
    rule : Rule
        "f1" takes the threshold of the best F1; "precision" the lowest that reaches the wished
        precision, or the one of the best precision where none does; "recall" the highest that
        reaches the wished recall. "zero" and "top" need no choice.
    scores : float array of shape (n, L)
        Out of fold.
    Y : int8 array of shape (n, L)
        1, 0, and -1 for unknown cells, which are left out.

    Returns
    -------
    float64 ndarray of shape (L,)
        A label is present where its score is at least the threshold. Thresholds lie halfway between
        the scores that they part; 0 for a label without a known positive row.

    Examples
    --------
    >>> scores, Y = np.array([[-1.0], [0.2], [0.6], [3.0]]), np.array([[0], [0], [1], [1]])
    >>> choose_thresholds(Rule("f1"), scores, Y)
    array([0.4])
    """
    thresholds = np.zeros(Y.shape[1])
    if rule.kind in ("zero", "top"):
        return thresholds
    for label in range(Y.shape[1]):
        rows = Y[:, label] != UNKNOWN
        s, y = np.asarray(scores[rows, label], dtype=np.float64), Y[rows, label]
        if (y == 1).any():
            thresholds[label] = _threshold(rule, s, y)
    return thresholds


def _threshold(rule: Rule, scores: np.ndarray, y: np.ndarray) -> float:
    precision, recall, places = precision_recall_curve(y, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    if rule.kind == "f1":
        best = int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-300)))
    elif rule.kind == "precision":
        reached = np.flatnonzero(precision >= rule.value)
        best = int(reached[0]) if len(reached) else int(np.argmax(precision))
    else:
        best = int(np.flatnonzero(recall >= rule.value)[-1])
    return _between(scores, places[best])


def _between(scores: np.ndarray, score: float) -> float:
    """Give the middle between a score and the next lower one, itself where there is none."""
    lower = scores[scores < score]
    return float(score if len(lower) == 0 else score / 2 + lower.max() / 2)


def decide(rule: Rule, scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Decide every label of every row.

    Parameters
    ----------
    rule : Rule
    scores : float array of shape (n, L)
    thresholds : ndarray of shape (L,)
        What `choose_thresholds` gave.

    Returns
    -------
    int8 ndarray of shape (n, L)
        1 or 0. "zero" asks for a score above 0, "top" takes the K highest of a row (of equal ones
        the first).

    Examples
    --------
    >>> decide(Rule("top", 1), np.array([[0.5, 2.0, -1.0]]), np.zeros(3))
    array([[0, 1, 0]], dtype=int8)
    """
    if rule.kind == "top":
        chosen = np.argsort(-scores, axis=1, kind="stable")[:, : int(rule.value)]
        decided = np.zeros(scores.shape, dtype=np.int8)
        np.put_along_axis(decided, chosen, 1, axis=1)
        return decided
    present = scores > 0 if rule.kind == "zero" else scores >= thresholds
    return present.astype(np.int8)
