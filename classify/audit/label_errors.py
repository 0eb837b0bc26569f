"""Labels that are most likely wrong: those that out-of-fold probabilities contradict.

The score of a cell is its self-confidence: the probability of the label that is given. Source:
Northcutt, Jiang and Chuang, Confident learning (2021), and, per label, Thyagarajan et al.,
Identifying incorrect annotations in multi-label classification data (2022).
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from classify.base import UNKNOWN
from classify.decisions.calibration import Calibrator
from classify.inputs import scale
from classify.learners import find_learner
from classify.models import TaggerModel
from classify.selection.folds import stratified_folds


class Suspect(NamedTuple):
    """A cell whose label is doubtful.

    Attributes
    ----------
    row, label : int
        Position in the arrays that were given.
    given : int
        1 or 0.
    confidence : float
        Out-of-fold probability of what is given, 0 to 1.
    """

    row: int
    label: int
    given: int
    confidence: float


def self_confidence(scores: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Give the out-of-fold probability of each label that is given.

    Parameters
    ----------
    scores : float array of shape (n, L)
        Out of fold.
    Y : int8 array of shape (n, L)
        1, 0 and -1 (unknown).

    Returns
    -------
    float64 ndarray of shape (n, L)
        NaN for unknown cells.
    """
    P = Calibrator().fit(scores, Y).predict_proba(scores)
    return np.where(Y == UNKNOWN, np.nan, np.where(Y == 1, P, 1 - P))


def out_of_fold(
    model: TaggerModel, X: np.ndarray, Y: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Score every row by a model's own learners, fitted to the other folds.

    Parameters
    ----------
    model : TaggerModel
    X : float array of shape (n, d), or (n, size, d)
        As a cache holds them.
    Y : int8 array of shape (n, L)
    folds, seed : int
        Stratified folds.

    Returns
    -------
    float array of shape (n, L)
    """
    scores = np.zeros(Y.shape)
    for fold in stratified_folds(Y, folds, seed):
        for member in model.members:
            rows = fold.train[find_learner(member.learner).rows_to_train_on(Y[fold.train])]
            scaler = clone(member.scaler).fit(X[rows].reshape(-1, X.shape[-1]))
            estimator = clone(member.estimator).fit(scale(scaler, X[rows]), Y[rows])
            found = estimator.decision_function(scale(scaler, X[fold.test]))
            scores[fold.test] += member.weight * found / len(model.members)
    return scores


def suspects(
    confidence: np.ndarray, Y: np.ndarray, count: int, below: float = 0.5
) -> list[Suspect]:
    """List the cells of the lowest self-confidence, the most doubtful first.

    Parameters
    ----------
    confidence : float array of shape (n, L)
        What `self_confidence` gave.
    Y : int8 array of shape (n, L)
    count : int
        At most so many.
    below : float
        Only cells with a confidence below this.

    Returns
    -------
    list of Suspect

    Examples
    --------
    >>> suspects(np.array([[0.9, 0.1], [0.3, np.nan]]), np.array([[1, 1], [0, -1]]), 5)[0]
    Suspect(row=0, label=1, given=1, confidence=0.1)
    """
    flat = confidence.ravel()
    order = np.argsort(flat, kind="stable")[:count]  # NaN comes last
    places = zip(*np.unravel_index(order, confidence.shape), strict=True)
    return [
        Suspect(int(row), int(label), int(Y[row, label]), float(confidence[row, label]))
        for row, label in places
        if confidence[row, label] < below
    ]
