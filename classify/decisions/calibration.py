"""Probabilities from scores, per label: Platt's sigmoid or isotonic regression.

Sources: Platt, Probabilistic outputs for support vector machines (1999), with his smoothed targets;
Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates
(2002).
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, logit
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from classify.base import UNKNOWN
from classify.parameters import Number, OneOf, check_parameters
from features.errors import InputError

METHODS = ("platt", "isotonic")
_FURTHEST = 1e6  # bound of an intercept, far beyond what a float64 sigmoid tells from 0 or 1


class Calibrator(BaseEstimator):
    """Map scores to probabilities, each label by its own increasing function.

    Platt's is ``1 / (1 + exp(-(a s + b)))``, whose a and b maximize the likelihood of the targets
    (p + 1)/(p + 2) for the label's p positive and 1/(q + 2) for its q negative rows. A label with
    fewer than `min_rows` positive or negative rows is too rare for a slope of its own: it takes the
    slope a that all labels share, fitted on their cells together, and only b is its own.

    Parameters
    ----------
    method : {"platt", "isotonic"}
        "isotonic" is a step function through the pooled adjacent violators; rare labels take
        Platt's shared slope there too.
    min_rows : int
        Least positive rows, and least negative rows, for a function of its own.

    Attributes
    ----------
    slopes_, intercepts_ : ndarray of shape (L,)
        a and b of each label.
    knots_ : ndarray of shape (2, k)
        Scores and probabilities between which isotonic labels are interpolated, label by label.
    knot_ends_ : int64 ndarray of shape (L,)
        Where each label's knots end; a label without knots takes Platt's sigmoid.
    shared_ : ndarray of bool, shape (L,)
        Labels that took the shared slope.

    Examples
    --------
    >>> scores = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> calibrator = Calibrator(min_rows=2).fit(scores, np.array([[0], [0], [1], [1]]))
    >>> calibrator.predict_proba(np.array([[0.0]])).round(6)
    array([[0.5]])
    """

    fitted_arrays: ClassVar[tuple[str, ...]] = (
        "slopes_",
        "intercepts_",
        "knots_",
        "knot_ends_",
        "shared_",
    )
    _allowed: ClassVar[Mapping[str, OneOf | Number]] = {
        "method": OneOf(METHODS),
        "min_rows": Number(int, low=1),
    }

    def __init__(self, method="platt", *, min_rows=10):
        self.method = method
        self.min_rows = min_rows

    def fit(self, scores: np.ndarray, Y: np.ndarray) -> "Calibrator":
        """Learn from scores that the scored rows had no part in.

        Parameters
        ----------
        scores : float array of shape (n, L)
            Out of fold.
        Y : int8 array of shape (n, L)
            1, 0, and -1 for unknown cells, which are left out.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Shapes that differ, scores that are not finite, or no known cell.
        """
        check_parameters(self, self._allowed)
        scores, Y = _checked(scores, Y)
        present, known = Y == 1, Y != UNKNOWN
        targets = _smoothed(present, known)
        shared_slope = _platt(scores[known], targets[known])[0]
        counts = np.minimum(present.sum(axis=0), (known & ~present).sum(axis=0))
        self.shared_ = counts < self.min_rows
        self.slopes_, self.intercepts_ = np.zeros((2, Y.shape[1]))
        knots = []
        for label in range(Y.shape[1]):
            rows = known[:, label]
            s, t = scores[rows, label], targets[rows, label]
            knots.append(np.empty((2, 0)))
            if self.shared_[label]:
                self.slopes_[label] = shared_slope
                self.intercepts_[label] = _intercept(shared_slope * s, t)
                continue
            self.slopes_[label], self.intercepts_[label] = _platt(s, t)
            if self.method == "isotonic":
                steps = IsotonicRegression(y_min=0, y_max=1).fit(s, present[rows, label])
                knots[-1] = np.array([steps.X_thresholds_, steps.y_thresholds_])
        self.knots_ = np.concatenate(knots, axis=1)
        self.knot_ends_ = np.cumsum([one.shape[1] for one in knots])
        return self

    def predict_proba(self, scores: np.ndarray) -> np.ndarray:
        """Give the probability of every label of every row.

        Parameters
        ----------
        scores : float array of shape (n, L)

        Returns
        -------
        float64 ndarray of shape (n, L)
            Between 0 and 1; within a label never decreasing with the score.
        """
        check_is_fitted(self)
        scores = np.asarray(scores, dtype=np.float64)
        probabilities = expit(self.slopes_ * scores + self.intercepts_)
        start = 0
        for label, end in enumerate(self.knot_ends_):
            if end > start:
                x, y = self.knots_[:, start:end]
                probabilities[:, label] = np.interp(scores[:, label], x, y)
            start = end
        return probabilities

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give what was learned, for a model file."""
        check_is_fitted(self)
        return {name: getattr(self, name) for name in self.fitted_arrays}

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_labels: int) -> "Calibrator":
        """Become a fitted calibrator from what `to_arrays` gave.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or doesn't fit the others.
        """
        for name in self.fitted_arrays:
            setattr(self, name, arrays[name])
        per_label = (self.slopes_, self.intercepts_, self.knot_ends_, self.shared_)
        if any(array.shape != (n_labels,) for array in per_label):
            raise ValueError("its calibration doesn't fit its labels")
        ends = np.concatenate([[0], self.knot_ends_])
        if (np.diff(ends) < 0).any() or self.knots_.shape != (2, ends[-1]):
            raise ValueError("its calibration's knots don't fit together")
        return self


def _checked(scores, Y) -> tuple[np.ndarray, np.ndarray]:
    scores, Y = np.asarray(scores, dtype=np.float64), np.asarray(Y)
    if scores.shape != Y.shape or Y.ndim != 2:
        raise InputError(
            f"scores have shape {scores.shape} and labels {Y.shape}: give both for the same rows "
            "and labels, (n, L)"
        )
    if not np.isfinite(scores).all():
        raise InputError("scores hold NaN or infinity: they can't be calibrated")
    if not (Y != UNKNOWN).any():
        raise InputError("all labels are unknown: give at least one known cell to calibrate on")
    return scores, Y


def _smoothed(present: np.ndarray, known: np.ndarray) -> np.ndarray:
    p, q = present.sum(axis=0), (known & ~present).sum(axis=0)
    return np.where(present, (p + 1) / (p + 2), 1 / (q + 2))


def _platt(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Find a and b of the least cross-entropy against soft targets; scores are standardized."""
    spread = scores.std()
    if spread == 0:
        return 0.0, _intercept(np.zeros_like(scores), targets)
    center = scores.mean()
    Z = np.column_stack([(scores - center) / spread, np.ones_like(scores)])

    def loss(place: np.ndarray) -> tuple[float, np.ndarray]:
        z = Z @ place
        return -(targets * z + log_expit(-z)).sum(), Z.T @ (expit(z) - targets)

    def curvature(place: np.ndarray) -> np.ndarray:
        p = expit(Z @ place)
        return (Z * (p * (1 - p))[:, None]).T @ Z

    start = np.array([1.0, logit(targets.mean())])
    found = minimize(loss, start, jac=True, hess=curvature, method="trust-exact", tol=1e-10)
    # A label that is scored the wrong way round gets one probability for all rows.
    slope = max(0.0, found.x[0]) / spread
    return slope, _intercept(slope * scores, targets)


def _intercept(shifted: np.ndarray, targets: np.ndarray) -> float:
    """Solve for b, where the mean of ``expit(shifted + b)`` is the mean target."""
    if len(targets) == 0:
        return 0.0
    wanted = targets.mean()
    bound = _FURTHEST + np.abs(shifted).max()
    return float(brentq(lambda b: expit(shifted + b).mean() - wanted, -bound, bound, xtol=1e-12))
