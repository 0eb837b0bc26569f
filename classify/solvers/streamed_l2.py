"""L2-penalized losses over rows that stay on disk, for many labels and several C at once.

A sample of the rows lies in memory. It gives the start, and at every step a Hessian, as in Newton's
method with subsampled curvature (Erdogdu and Montanari, Convergence rates of sub-sampled Newton
methods, 2015). Where it bends too little or too much, limited-memory BFGS corrects it by what the
steps before have shown (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4).
Gradients, objectives and gaps are those of all rows, read in blocks: one pass over the rows is one
step of all labels and all C side by side. Passes are in float32 until every gap is small enough,
and the gaps that are returned in float64.
"""

import numpy as np

from classify.solvers import l2
from classify.solvers.l2_coordinates import Columns
from classify.solvers.row_passes import Measured, measure
from classify.solvers.row_sample import Sample, draw_sample
from classify.solvers.solution import Solution

_MAX_STEPS = 60
_MEMORY = 10  # pairs of steps and changes of the gradient
_START = 1e-2  # relative gap of the sample's own solution
_SPARE = 0.9  # share of the tolerance that passes in float32 are asked for
_PATIENCE = 6  # passes without a smaller gap
_ENOUGH = 1e-4  # share of the slope along a step by which the objective falls at least
_ROUNDING = {np.float32: 1e-6, np.float64: 1e-12}  # relative error of an objective


def solve_path(X, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimize ``sum w**2 / 2 + C loss(X w + b)`` for every label and every C.

    Parameters
    ----------
    X : matrix of shape (n, d), float32
        Whose slices and ``take`` give rows, such as `features.rows.CacheRows`.
    loss, Cs, bias, tol
        As for `classify.solvers.newton_l2.solve_path`; the loss has the method ``cells`` too.

    Returns
    -------
    list over Cs of Solution
        Some gaps may be above `tol` where rounding or patience ended the progress.
    """
    sample = draw_sample(X, loss)
    if sample.whole:
        return l2.solve_path(sample.X, loss, Cs, bias=bias, tol=tol)
    starts = l2.solve_path(sample.X, sample.loss, Cs, bias=bias, tol=max(tol, _START))
    labels = np.tile(np.arange(len(loss)), len(Cs))
    strengths = np.repeat(np.asarray(Cs, dtype=np.float64), len(loss))
    coef = np.concatenate([one.coef for one in starts])
    intercept = np.concatenate([one.intercept for one in starts])
    descent = _Descent(X, loss, labels, strengths, bias, sample, (coef, intercept))
    for kind, share in ((np.float32, _SPARE), (np.float64, 1.0)):
        descent.run(kind, share * tol)
    path = []
    for i in range(len(Cs)):
        part = slice(i * len(loss), (i + 1) * len(loss))
        path.append(descent.solution(part))
    return path


class _Descent:
    """All labels at all C, one column each: the best weights so far and the step to try next."""

    def __init__(self, X, loss, labels, strengths, bias: str, sample: Sample, start):
        self.X, self.loss, self.bias, self.sample = X, loss, bias, sample
        self.labels, self.strengths = labels, strengths
        self.coordinates = Columns(sample.X, bias)
        self.steps = np.zeros(len(labels), dtype=int)
        self.V = self.coordinates.place(*start)
        self.move = np.zeros_like(self.V)
        self.length, self.slope = np.zeros((2, len(labels)))
        self.pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.found: Measured
        self.gradient: np.ndarray

    def run(self, kind, tol: float) -> None:
        """Step until every gap is at most `tol` of its objective, or gets no smaller."""
        everything = np.arange(len(self.labels))
        self.length[:] = 0.0  # the first pass measures where the columns are
        self.found = self._measure(everything, self.V, kind)
        self.gradient = self._gradient(everything)
        smallest, stalled = self.found.gap.copy(), np.zeros(len(everything), dtype=int)
        self._direct(everything)
        for _ in range(_MAX_STEPS):
            far = self.found.gap > tol * self.found.objective
            going = np.flatnonzero(far & (stalled <= _PATIENCE))
            if len(going) == 0:
                return
            trial = self.V[:, going] + self.length[going] * self.move[:, going]
            seen = self._measure(going, trial, kind)
            self.steps[going] += 1
            taken = self._taken(going, seen, kind)
            self._move_to(going[taken], trial[:, taken], seen.take(taken))
            better = self.found.gap[going] < smallest[going]
            stalled[going] = np.where(better, 0, stalled[going] + 1)
            smallest[going] = np.minimum(smallest[going], self.found.gap[going])
            self._direct(going[taken])
            self._shorten(going[~taken], seen.objective[~taken])

    def solution(self, part: slice) -> Solution:
        """Give some columns, as they were last measured."""
        coef, intercept = self.coordinates.weights(self.V[:, part])
        found = self.found
        return Solution(
            coef, intercept, found.objective[part], found.gap[part], self.steps[part].copy()
        )

    def _measure(self, columns, V, kind) -> Measured:
        coef, intercept = self.coordinates.weights(V)
        found = measure(
            self.X, self.loss, self.labels[columns], self.strengths[columns], coef, intercept,
            bias=self.bias, kind=kind,
        )  # fmt: skip
        return found

    def _taken(self, columns, seen: Measured, kind) -> np.ndarray:
        """Say which trial points are low enough."""
        before = self.found.objective[columns]
        fall = _ENOUGH * self.length[columns] * self.slope[columns]
        return seen.objective <= before + fall + _ROUNDING[kind] * before

    def _move_to(self, columns: np.ndarray, V: np.ndarray, seen: Measured) -> None:
        """Take trial points, and remember how the gradient changed on the way."""
        step, change = np.zeros((2, *self.V.shape))
        step[:, columns] = V - self.V[:, columns]
        self.V[:, columns] = V
        self.found.put(columns, seen)
        gradient = self._gradient(columns)
        change[:, columns] = gradient - self.gradient[:, columns]
        self.gradient[:, columns] = gradient
        product = _dots(step, change)
        weight = np.divide(1.0, product, where=product > 0, out=np.zeros_like(product))
        self.pairs = [*self.pairs[1 - _MEMORY :], (step, change, weight)]

    def _gradient(self, columns: np.ndarray) -> np.ndarray:
        penalty = self.coordinates.ridge[:, None] * self.V[:, columns]
        found = self.found
        return penalty - self.coordinates.pulled(found.pull[:, columns], found.total[columns])

    def _direct(self, columns: np.ndarray) -> None:
        """Choose directions, by the sample's Hessian and what is remembered; full length first."""
        if len(columns) == 0:
            return
        Q = self.gradient[:, columns].copy()
        pairs = [(S[:, columns], Y[:, columns], rho[columns]) for S, Y, rho in self.pairs]
        shares = []
        for step, change, weight in reversed(pairs):
            shares.append(weight * _dots(step, Q))
            Q -= shares[-1] * change
        move = self.sample.newton_direction(
            self.coordinates, self.labels[columns], self.strengths[columns], self.V[:, columns], Q
        )
        for (step, change, weight), share in zip(pairs, reversed(shares), strict=True):
            move -= (share + weight * _dots(change, move)) * step
        self.move[:, columns] = move
        self.slope[columns] = _dots(move, self.gradient[:, columns])
        self.length[columns] = 1.0

    def _shorten(self, columns: np.ndarray, above: np.ndarray) -> None:
        """Go to the lowest point of the parabola through what is known along the step."""
        length, slope = self.length[columns], self.slope[columns]
        rise = above - self.found.objective[columns] - length * slope
        best = -slope * length**2 / (2 * np.maximum(rise, 1e-300))
        self.length[columns] = np.clip(best, 0.1 * length, 0.5 * length)


def _dots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", A, B)
