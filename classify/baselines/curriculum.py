"""Curriculum labeling: labels that a model is sure of join those that are known, round by round.

It turns labels into labels and row weights; the fits are those of ``classify.logistic``.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.base import UNKNOWN, Tagger, check_sample_weight
from classify.logistic import LogisticTagger
from classify.losses.class_weights import class_weights
from classify.parameters import Number, OneOf, check_parameters


def known_share_weight(shares) -> np.ndarray:
    """Weight g(rho) = -4.45 rho + 5.45 of an image by the share rho of its labels that are known.

    From the partial cross-entropy of Durand, Mehrasa and Mori, with the constants that give
    g(.1) = 5 and g(1) = 1: the fewer labels are known, the more each counts.

    Parameters
    ----------
    shares : array_like
        0 to 1.

    Returns
    -------
    float64 array of the same shape

    Examples
    --------
    >>> known_share_weight([0.1, 0.5, 1.0]).round(3)
    array([5.005, 3.225, 1.   ])
    """
    return 5.45 - 4.45 * np.asarray(shares, dtype=float)


class CurriculumTagger(Tagger):
    """Logistic regression on the partial cross-entropy, that labels unknown cells itself.

    Each round fits all labels by L2 logistic regression in which row i counts
    `known_share_weight` of its known share of cells, which is Durand, Mehrasa and Mori's partial
    cross-entropy with an L2 penalty, solved to its optimum. Unknown cells whose score is above
    `score_threshold` then become present, those below its negative absent, and stay so (their
    strategy of a score threshold). It ends when no cell is added or after `rounds` of them.

    Parameters
    ----------
    C : float
        Weight of the loss, as in `classify.logistic.LogisticTagger`.
    score_threshold : float
    rounds : int
        How often cells are added at most; 0 fits the partial cross-entropy alone.
    tol : float, optional
        As in `classify.logistic.LogisticTagger`.
    class_weight, rare_weight
        As in `classify.logistic.LogisticTagger`, by the cells that are known in each round.

    Attributes
    ----------
    coef_ : float64 array of shape (L, d)
    intercept_ : float64 array of shape (L,)
    labels_ : int8 array of shape (n, L)
        What the last fit was trained on.
    known_curve_ : list of int
        Known cells of each fit.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[-9.0], [-4.0], [3.0], [9.0]], [[0, 0], [0, -1], [1, 1], [-1, 1]]
    >>> CurriculumTagger(C=10).fit(X, Y).labels_
    array([[0, 0],
           [0, 0],
           [1, 1],
           [1, 1]], dtype=int8)
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number]] = {
        "C": Number(low=0.0, above=True),
        "score_threshold": Number(low=0.0),
        "rounds": Number(Integral, low=0),
        "tol": Number(low=0.0, above=True, or_none=True),
        "rare_weight": Number(low=0.0, high=1.0, or_none=True),
    }

    def __init__(
        self,
        C=1.0,
        *,
        score_threshold=2.0,
        rounds=3,
        tol=None,
        class_weight=None,
        rare_weight=None,
    ):
        self.C = C
        self.score_threshold = score_threshold
        self.rounds = rounds
        self.tol = tol
        self.class_weight = class_weight
        self.rare_weight = rare_weight

    def fit(self, X, y, sample_weight=None):
        """Fit all labels, round by round.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
        sample_weight : array of shape (n,), optional
            Default 1. A row of weight 0 is given no labels.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, or for X, y or weights that can't be fitted.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        weights = check_sample_weight(sample_weight, len(X))
        self.known_curve_: list[int] = []
        model = self._fit_once(X, targets, weights)
        for _ in range(self.rounds):
            grown = self._label(targets, model.decision_function(X), weights > 0)
            if np.array_equal(grown, targets):
                break
            targets = grown
            model = self._fit_once(X, targets, weights)
        self.labels_ = targets
        self.coef_, self.intercept_ = model.coef_, model.intercept_
        return self

    def _fit_once(self, X, targets, weights) -> LogisticTagger:
        known = targets != UNKNOWN
        self.known_curve_.append(int(known.sum()))
        weights = weights * known_share_weight(known.mean(axis=1))
        options = {"class_weight": self.class_weight, "rare_weight": self.rare_weight}
        by_class = class_weights(targets, weights, self.classes_, **options)
        tagger = LogisticTagger("l2", C=self.C, tol=self.tol, class_weight=by_class)
        return tagger.fit(X, targets, sample_weight=weights)

    def _label(self, targets, scores, usable):
        """Give unknown cells with scores beyond the threshold their labels."""
        sure = (targets == UNKNOWN) & (np.abs(scores) > self.score_threshold) & usable[:, None]
        return np.where(sure, scores > 0, targets).astype(np.int8)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T.astype(X.dtype) + self.intercept_
