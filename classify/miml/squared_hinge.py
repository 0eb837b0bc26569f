"""A linear support vector machine with squared hinge loss, solved to its optimum.

Source: Keerthi and DeCoste, "A modified finite Newton method for fast solution of large scale
linear SVMs", JMLR 2005. LIBLINEAR minimizes the same objective and stops earlier.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_STEPS = 200
_NEAR = 1e-10  # gradient, relative to that at 0


class SquaredHinge:
    """Minimize sum_k d_k w_k^2 / 2 + b^2 / 2 + C sum_i max(0, 1 - y_i (w . z_i + b))^2.

    Each Newton step solves the problem exactly for the rows that now violate the margin, and an
    exact line search on the way there makes the steps end after finitely many. A solver that is
    called again with other weights starts from its last solution.

    Parameters
    ----------
    Z : ndarray of shape (n, K + 1)
        Rows, with a last column of ones.
    truth : array of 0 and 1, shape (n,)
    C : float

    Examples
    --------
    >>> Z = np.array([[0.0, 1.0], [1.0, 1.0]])
    >>> SquaredHinge(Z, np.array([0, 1]), C=1e6).solve(np.ones(2)).round(3)
    array([ 2., -1.])
    """

    def __init__(self, Z: np.ndarray, truth: np.ndarray, C: float):
        self._Z, self._signs, self._C = Z, 2.0 * truth - 1, C
        self._w = np.zeros(Z.shape[1])
        self._margins = np.zeros(len(Z))
        self._rows = np.zeros(len(Z), dtype=bool)  # that are in the two sums below
        self._gram = np.zeros((Z.shape[1], Z.shape[1]))
        self._moment = np.zeros(Z.shape[1])

    def solve(self, weights: np.ndarray) -> np.ndarray:
        """Minimize for the weights d, of shape (K + 1,); give w, and b as its last entry."""
        factor = 2 * self._C
        for _ in range(_STEPS):
            active = self._margins < 1
            self._take(active)
            right = factor * self._moment
            gradient = weights * self._w + factor * (self._gram @ self._w) - right
            start = factor * np.linalg.norm(self._Z.T @ self._signs)
            if np.linalg.norm(gradient) <= _NEAR * start:
                break
            hessian = factor * self._gram
            hessian.flat[:: len(hessian) + 1] += weights
            whole = cho_solve(cho_factor(hessian, lower=True, overwrite_a=True), right)
            self._move(whole - self._w, weights)
        return self._w.copy()

    def _take(self, active: np.ndarray) -> None:
        """Bring sums over the active rows up to date, by the rows that came and went."""
        for rows, sign in ((active & ~self._rows, 1.0), (self._rows & ~active, -1.0)):
            if rows.any():
                part = self._Z[rows]
                self._gram += sign * (part.T @ part)
                self._moment += sign * (self._signs[rows] @ part)
        self._rows = active

    def _move(self, step: np.ndarray, weights: np.ndarray) -> None:
        """Go along a step to where the objective is smallest."""
        ahead = self._signs * (self._Z @ step)
        length = _minimum(
            1 - self._margins,
            ahead,
            2 * self._C,
            float(weights * step @ self._w),
            float(weights * step @ step),
        )
        self._w += length * step
        self._margins += length * ahead


def _minimum(slack, ahead, factor: float, linear: float, quadratic: float) -> float:
    """Find t >= 0 with linear + quadratic t = factor sum_i ahead_i max(0, slack_i - t ahead_i).

    The difference of the sides rises with t and is linear between the places where a row begins or
    ceases to count.
    """
    moving = ahead != 0
    slack, ahead = slack[moving], ahead[moving]
    places = slack / ahead
    # a row counts before its place where its margin grows, behind it where the margin falls
    now = np.where(ahead > 0, places > 0, places <= 0)
    value = linear - factor * float(ahead[now] @ slack[now])
    slope = quadratic + factor * float(ahead[now] @ ahead[now])
    later = np.flatnonzero(places > 0)
    later = later[np.argsort(places[later], kind="stable")]
    signs = np.where(ahead[later] > 0, -1.0, 1.0)
    values = value - np.cumsum(signs * ahead[later] * slack[later]) * factor
    slopes = slope + np.cumsum(signs * ahead[later] ** 2) * factor
    values, slopes = np.append(value, values), np.append(slope, slopes)
    ends = np.append(places[later], np.inf)
    roots = -values / np.maximum(slopes, 1e-300)
    return float(roots[np.argmax(roots <= ends)])
