"""Losses of margins: value, derivatives and dual value.

They know no features, no weights of a model and no solver.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import entr, expit, xlog1py


def logistic_value(margins: np.ndarray) -> np.ndarray:
    """Logistic loss log(1 + exp(-m)) of each margin m = y z, y in {-1, +1}.

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> float(logistic_value(np.array([0.0]))[0]).__round__(6)
    0.693147
    """
    return np.logaddexp(0.0, -margins)


def logistic_derivative(margins: np.ndarray) -> np.ndarray:
    """First derivative of the logistic loss by the margin: -1 / (1 + exp(m)).

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape, in [-1, 0]
    """
    return -expit(-margins)


def logistic_curvature(margins: np.ndarray) -> np.ndarray:
    """Second derivative of the logistic loss by the margin, in [0, 1/4].

    Parameters
    ----------
    margins : array

    Returns
    -------
    array of the same shape
    """
    return expit(margins) * expit(-margins)


@dataclass(frozen=True)
class LogisticLoss:
    """Weighted logistic losses summed over the rows, for several labels side by side or for one.

    What a solver asks of a loss: `take`, of what it took the other methods, and ``len(loss)``.

    Parameters
    ----------
    signs : array of shape (n, L), or (n,) for one label
        +1 for a present label, -1 for an absent one.
    weights : float64 array of the same shape, or (n, 1) if the labels share their weights
        0 leaves the row out of that label.
    """

    signs: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return self.signs.shape[1]

    def take(self, labels) -> "LogisticLoss":
        """Return the loss of one label (an index) or of some (a slice or an array), widened."""
        shared = self.weights.shape[1] == 1
        weights = self.weights if shared else self.weights[:, labels]
        signs = self.signs[:, labels].astype(np.float64)
        return LogisticLoss(signs, weights[:, 0] if signs.ndim == 1 and shared else weights)

    def cells(self, rows: slice, labels: np.ndarray) -> "LogisticLoss":
        """Return the loss of some rows and labels, widened; a label may come several times."""
        signs = self.signs[rows][:, labels].astype(np.float64)
        weights = self.weights[rows]
        return LogisticLoss(signs, weights if weights.shape[1] == 1 else weights[:, labels])

    def scaled_up(self, rows: np.ndarray) -> "LogisticLoss":
        """Return the loss of a sample of rows; each label's classes weigh as in all rows."""
        signs = self.signs[rows]
        weights = np.broadcast_to(self.weights[rows], signs.shape).astype(np.float64)
        for label in range(len(self)):
            of_all = self.weights[:, min(label, self.weights.shape[1] - 1)]
            for sign in (1, -1):
                here = signs[:, label] == sign
                drawn = weights[here, label].sum()
                if drawn > 0:
                    whole = of_all[self.signs[:, label] == sign].sum()
                    weights[here, label] *= whole / drawn
        return LogisticLoss(signs, weights)

    def value(self, scores: np.ndarray) -> np.ndarray:
        """Sum of the losses, one number per label."""
        return (self.weights * logistic_value(self.signs * scores)).sum(axis=0)

    def residual(self, scores: np.ndarray) -> np.ndarray:
        """Minus the derivative by each score; times the sign it lies between 0 and the weight."""
        return -self.weights * self.signs * logistic_derivative(self.signs * scores)

    def curvature(self, scores: np.ndarray) -> np.ndarray:
        """Second derivative by each score."""
        return self.weights * logistic_curvature(scores)

    def dual_value(self, residual: np.ndarray) -> np.ndarray:
        """Minus the convex conjugate at ``-residual``: the entropy of each row's share.

        With the share p = residual * sign / weight in [0, 1] it is the sum over the rows of
        ``-weight (p log p + (1 - p) log(1 - p))``.
        """
        counted = np.broadcast_to(self.weights > 0, residual.shape)
        share = np.zeros_like(residual)
        np.divide(residual * self.signs, self.weights, where=counted, out=share)
        share = np.minimum(share, 1.0)  # for rounding
        return (self.weights * (entr(share) - xlog1py(1 - share, -share))).sum(axis=0)
