"""L1-penalized losses of many labels over one shared matrix, along a path of C.

The labels are dealt out to threads, and all labels of a thread share one matrix product per round.
Each label keeps a small working set of columns, on which a Newton step needs only a Gram matrix of
a hundred columns; the shared product then tells every label which columns to add, and the duality
gap tells when to stop. On the way to the first C, and between values far apart, a label passes
through smaller ones, solved loosely: the columns that matter come in before the fit to the wrong
ones gets expensive.

It knows the loss only by its value, derivatives and dual value.
"""

import numpy as np

from classify.solvers.products import gather, transpose_times, widened_if_small
from classify.solvers.quadratic import minimize_quadratic
from classify.solvers.roots import increasing_root
from classify.solvers.solution import Solution
from classify.solvers.threads import share_labels

_LOOSE = 0.3  # relative gap that is enough at a C on the way
_STRIDE = 10.0  # between values of C on the way
_FIRST = 10.0  # times the C at which the first column enters
_ADDED, _GROWTH = 20, 0.5  # columns added in a round, at most: a number, a share of the support
_NEWTON_STEPS = 3  # of a label in a round
_INNER = 0.3  # a working set is solved to this share of the violation outside it
_MEMORY = 2**30  # bytes of the working sets of the labels on their way at once
_WIDEST = 1000  # columns of a working set, to be expected at most
_MAX_ROUNDS = 1000
_PATIENCE = 3  # rounds without a smaller gap or objective
_ROUNDING = 1e-12  # relative error of an objective


def solve_path(X: np.ndarray, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimise ``sum |w| + C loss(X w + b)`` for every label and every C.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    loss : object
        Convex loss of scores (n,) of one label, with the methods ``value``, ``residual``,
        ``curvature`` and ``dual_value``; ``len(loss)`` labels, of which ``take(i)`` gives one.
    Cs : sequence of float
        Weights of the loss, increasing.
    bias : {"penalized", "unpenalized", "none"}
        Whether b counts in the norm, does not, or is 0.
    tol : float
        Stop when the duality gap is at most this share of the objective.

    Returns
    -------
    list over Cs of Solution
        Where rounding ends the progress of a label before `tol`, its gap says so.
    """
    X = widened_if_small(X)
    path = [Solution.zeros(len(loss), X.shape[1]) for _ in Cs]

    def solve(labels: np.ndarray, share: int) -> None:
        _solve_labels(X, loss, labels, Cs, bias, tol, path, _MEMORY // share)

    share_labels(solve, len(loss))
    return path


def _solve_labels(X, loss, labels, Cs, bias: str, tol: float, path, memory: int) -> None:
    """Follow the path for some labels, as many at once as `memory` bytes hold."""
    together = max(1, memory // (8 * len(X) * min(X.shape[1], _WIDEST)))
    active: list[_Label] = []
    waiting = labels[::-1].tolist()
    while active or waiting:
        while waiting and len(active) < together:
            active.append(_Label(loss.take(waiting[-1]), waiting.pop(), bias, X.shape))
        for label in active:
            label.refresh()
        going, chosen = [], []
        for label, gradient in zip(active, _gradients(X, active, bias), strict=True):
            label.pass_stages(gradient, Cs, tol, path)
            if label.stages:
                going.append(label)
                chosen.append(label.choose(gradient))
        for label, columns, design in zip(going, chosen, gather(X, chosen), strict=True):
            label.extend(columns, design)
            label.newton_steps()
        active = going


def _gradients(X, active, bias: str) -> np.ndarray:
    """Gradient of each label's loss by every weight, negated; the constant column comes last."""
    residuals = np.stack([label.residual for label in active], axis=1)
    gradients = transpose_times(X, residuals)
    if bias == "penalized":
        gradients = np.column_stack([gradients, residuals.sum(axis=0)])
    return gradients


class _Label:
    """One label on its way: its working set, the weights on it and the scores they give."""

    def __init__(self, loss, place: int, bias: str, shape: tuple[int, int]):
        n, self.constant = shape  # the constant column is numbered after the features
        free = int(bias == "unpenalized")
        self.loss = loss
        self.place = place
        self.columns = np.full(free, self.constant)  # (k,)
        self.design = np.ones((free, n))  # (k, n): the columns, one a row
        self.coef = np.zeros(free)
        self.penalty = np.zeros(free)  # 1, or 0 for a free intercept, which then comes first
        self.scores = np.zeros(n)
        self.stages: list[tuple] | None = None  # still to come: (C, tolerance, place in Cs or None)
        self.n_iter = self.rounds = self.stalled = 0
        self.smallest_gap = self.lowest = np.inf
        self.C = self.excess = 0.0  # of the stage, and by how much its worst column violates

    def refresh(self) -> None:
        """Bring scores and residual up to the weights; a free intercept to its minimum."""
        self.scores = self.coef @ self.design
        if len(self.penalty) and self.penalty[0] == 0:
            shift = increasing_root(self._slope, np.zeros(1))
            self.coef[0] += shift[0]
            self.scores += shift
        self.residual = self.loss.residual(self.scores)

    def _slope(self, shift):
        scores = self.scores + shift
        residual, curvature = self.loss.residual(scores), self.loss.curvature(scores)
        return -residual.sum(keepdims=True), curvature.sum(keepdims=True)

    def pass_stages(self, gradient: np.ndarray, Cs, tol: float, path) -> None:
        """Leave the stages whose gap is small enough, noting the solution of a wanted C."""
        largest = np.abs(gradient).max(initial=1e-300)
        if self.stages is None:
            self.stages = _stages(_FIRST / largest, Cs, tol)
        norm, value = self._norm(self.coef), self.loss.value(self.scores)
        while self.stages:
            C, tolerance, wanted = self.stages[0]
            objective = norm + C * value
            feasible = self.residual / max(1.0, C * largest)
            gap = objective - C * self.loss.dual_value(feasible)
            if gap > tolerance * objective and not self._gives_up(objective, gap):
                self.C, self.excess = C, C * largest - 1
                break
            if wanted is not None:
                self._note(path[wanted], objective, gap)
            self.stages.pop(0)
            self.rounds = self.stalled = 0
            self.smallest_gap = self.lowest = np.inf

    def _gives_up(self, objective: float, gap: float) -> bool:
        """Whether rounding, or patience, is at its end."""
        self.rounds += 1
        better = gap < self.smallest_gap or objective < self.lowest * (1 - _ROUNDING)
        self.stalled = 0 if better else self.stalled + 1
        self.smallest_gap = min(gap, self.smallest_gap)
        self.lowest = min(objective, self.lowest)
        return self.stalled > _PATIENCE or self.rounds > _MAX_ROUNDS

    def _note(self, solution: Solution, objective: float, gap: float) -> None:
        features = self.columns < self.constant
        solution.coef[self.place, self.columns[features]] = self.coef[features]
        solution.intercept[self.place] = self.coef[~features].sum()
        solution.objective[self.place] = objective
        solution.gap[self.place] = gap
        solution.n_iter[self.place] = self.n_iter

    def choose(self, gradient: np.ndarray) -> np.ndarray:
        """Drop the columns without weight; return those that violate their bound most."""
        kept = (self.coef != 0) | (self.penalty == 0)
        self.columns, self.coef = self.columns[kept], self.coef[kept]
        self.penalty, self.design = self.penalty[kept], self.design[kept]
        size = np.abs(gradient)
        size[self.columns[self.penalty > 0]] = 0.0
        violating = np.flatnonzero(size > 1 / self.C)
        count = max(_ADDED, int(_GROWTH * len(self.columns)))
        if len(violating) > count:
            violating = violating[np.argpartition(-size[violating], count)[:count]]
        return violating

    def extend(self, columns: np.ndarray, design: np.ndarray) -> None:
        """Take columns into the working set."""
        self.columns = np.concatenate([self.columns, columns])
        self.design = np.concatenate([self.design, design])
        self.coef = np.concatenate([self.coef, np.zeros(len(columns))])
        self.penalty = np.concatenate([self.penalty, np.ones(len(columns))])

    def newton_steps(self) -> None:
        """Solve the working set about as well as the columns outside it are."""
        for _ in range(_NEWTON_STEPS):
            gradient = -self.C * (self.design @ self.loss.residual(self.scores))
            if self._violation(gradient) <= _INNER * self.excess or not self._step(gradient):
                break
            self.n_iter += 1

    def _violation(self, gradient: np.ndarray) -> float:
        """Distance from the optimality conditions, of the worst column in the working set."""
        with_weight = np.abs(gradient + self.penalty * np.sign(self.coef))
        without = np.abs(gradient) - self.penalty
        return np.where(self.coef != 0, with_weight, without).max(initial=0.0)

    def _step(self, gradient: np.ndarray) -> bool:
        """Take one proximal Newton step with backtracking; return whether there was one."""
        root = np.sqrt(self.C * self.loss.curvature(self.scores))
        weighted = self.design * root
        coef = minimize_quadratic(weighted @ weighted.T, gradient, self.coef, self.penalty)
        move = coef - self.coef
        scores_move = move @ self.design
        slope = gradient @ move + self.penalty @ (np.abs(coef) - np.abs(self.coef))
        start = self._objective(self.coef, self.scores)
        length = 1.0
        while length > 1e-8 and slope < _ROUNDING * start:
            coef, scores = self.coef + length * move, self.scores + length * scores_move
            bound = start + 0.01 * length * slope + _ROUNDING * start
            if self._objective(coef, scores) <= bound:
                self.coef, self.scores = coef, scores
                return True
            length /= 2
        return False

    def _objective(self, coef, scores) -> float:
        return self._norm(coef) + self.C * self.loss.value(scores)

    def _norm(self, coef) -> float:
        return self.penalty @ np.abs(coef)


def _stages(first: float, Cs, tol: float) -> list[tuple]:
    """Values of C to pass: the wanted ones, and on the way to each some that are solved loosely."""
    stages: list[tuple] = []
    for wanted, C in enumerate(Cs):
        way = []
        step = C / _STRIDE
        while step > first:
            way.append((step, _LOOSE, None))
            step /= _STRIDE
        stages += [*reversed(way), (C, tol, wanted)]
        first = max(first, C)
    return stages
