"""One label of an L1-penalized loss: its working set, and proximal Newton steps on it.

While the label is far from its optimum, products are as precise as the matrix is, and a Hessian
leaves out the rows that hardly curve the loss: of a rare or a well separated label, most. Near the
optimum, both are exact.

It knows the loss only by its value, derivatives and dual value.
"""

import numpy as np

from classify.solvers.products import wide_times, wide_transpose_times
from classify.solvers.quadratic import minimize_quadratic
from classify.solvers.roots import increasing_root
from classify.solvers.solution import Solution

_LOOSE = 0.3  # relative gap that is enough at a C on the way
_STRIDE = 10.0  # between values of C on the way
_FIRST = 10.0  # times the C at which the first column enters
_ADDED, _GROWTH = 20, 0.5  # columns added in a round, at most: a number, a share of the support
_NEWTON_STEPS = 3  # of a label in a round
_INNER = 0.3  # a working set is solved to this share of the violation outside it
_NEAR = 0.01  # share of a step's gain that isn't worth another linear system
_FINE = 1e-3  # relative gap from which on products are exact
_FLAT = 0.01  # share of the curvature that may be left out before
_LITTLE = 2**18  # values of a working set whose Hessian is cheap
_MOST = 0.7  # share of the rows from which on leaving out the others gains nothing
_MAX_ROUNDS = 1000
_PATIENCE = 3  # rounds without a smaller gap or objective
_ROUNDING = 1e-12  # relative error of an objective


class Label:
    """One label on its way: its working set, the weights on it and the scores they give.

    Parameters
    ----------
    loss : object
        Of this label.
    place : int
        Its number among all labels.
    bias : {"penalized", "unpenalized", "none"}
    shape : (int, int)
        Rows and columns of the matrix.
    kind : dtype
        Of the matrix.

    Attributes
    ----------
    residual : float64 array of shape (n,)
        At the present weights, after `refresh`.
    stages : list of tuple
        Still to come: C, tolerance, and the place of a wanted C or None.
    exact : bool
        Whether the gradient must be exact.
    """

    def __init__(self, loss, place: int, bias: str, shape: tuple[int, int], kind):
        n, self.constant = shape  # the constant column is numbered after the features
        free = int(bias == "unpenalized")
        self.loss = loss
        self.place = place
        self.columns = np.full(free, self.constant)  # (k,)
        self.design = np.ones((free, n), dtype=kind)  # (k, n): the columns, one a row
        self.coef = np.zeros(free)
        self.penalty = np.zeros(free)  # 1, or 0 for a free intercept, which then comes first
        self.scores = np.zeros(n)
        self.stages: list[tuple] = []
        self.started = False
        self.exact = False
        self.n_iter = self.rounds = self.stalled = 0
        self.smallest_gap = self.lowest = np.inf
        self.C = self.excess = 0.0  # of the stage, and by how much its worst column violates

    def refresh(self) -> None:
        """Bring scores and residual up to the weights; a free intercept to its minimum."""
        self.scores = wide_transpose_times(self.design, self.coef)
        if len(self.penalty) and self.penalty[0] == 0:
            shift = increasing_root(self._slope, np.zeros(1))
            self.coef[0] += shift[0]
            self.scores += shift
        self.residual = self.loss.residual(self.scores)

    def _slope(self, shift):
        scores = self.scores + shift
        residual, curvature = self.loss.residual(scores), self.loss.curvature(scores)
        return -residual.sum(keepdims=True), curvature.sum(keepdims=True)

    def start(self, gradient: np.ndarray, Cs, tol: float) -> None:
        """Plan the way to the wanted C from the first gradient, and from no other."""
        if not self.started:
            self.started, self.stages = (
                True,
                _stages(_FIRST / np.abs(gradient).max(initial=1e-300), Cs, tol),
            )

    def ends_stage(self, gradient: np.ndarray) -> bool:
        """Say whether the present stage seems to be at its end."""
        C, tolerance, _ = self.stages[0]
        objective, gap = self._objective_and_gap(C, np.abs(gradient).max(initial=0.0))
        return bool(gap <= max(tolerance, _FINE) * objective)

    def pass_stages(self, gradient: np.ndarray, path) -> None:
        """Leave the stages whose gap is small enough, noting the solution of a wanted C."""
        largest = np.abs(gradient).max(initial=0.0)
        while self.stages:
            C, tolerance, wanted = self.stages[0]
            objective, gap = self._objective_and_gap(C, largest)
            if gap > tolerance * objective and not self._gives_up(objective, gap):
                self.C, self.excess = C, C * largest - 1
                self.exact |= bool(gap <= _FINE * objective) or self.stalled > 0
                break
            if wanted is not None:
                self._note(path[wanted], objective, gap)
            self.stages.pop(0)
            self.exact = False
            self.rounds = self.stalled = 0
            self.smallest_gap = self.lowest = np.inf

    def _objective_and_gap(self, C: float, largest: float) -> tuple[float, float]:
        objective = self._norm(self.coef) + C * self.loss.value(self.scores)
        feasible = self.residual / max(1.0, C * largest)
        return objective, objective - C * self.loss.dual_value(feasible)

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
            gradient = -self.C * self._times(self.loss.residual(self.scores))
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
        coef = minimize_quadratic(self._hessian(), gradient, self.coef, self.penalty, enough=_NEAR)
        move = coef - self.coef
        scores_move = self._transpose_times(move)
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
            self.exact = True  # for the rest of the stage: what was left out bends the loss
        return False

    def _hessian(self) -> np.ndarray:
        """Of the loss by the weights, (k, k)."""
        curvature = self.C * self.loss.curvature(self.scores)
        if self.exact or self.design.size <= _LITTLE:
            weighted = self.design * np.sqrt(curvature)
            return weighted @ weighted.T
        order = np.argsort(curvature)
        left_out = np.searchsorted(np.cumsum(curvature[order]), _FLAT * curvature.sum())
        kept = max(len(order) - left_out, 2 * len(self.coef))  # or else it is singular
        root = np.sqrt(curvature).astype(self.design.dtype)
        if kept > _MOST * len(order):
            weighted = self.design * root
        else:
            rows = np.sort(order[-kept:])
            weighted = self.design[:, rows] * root[rows]
        return weighted @ weighted.T

    def _times(self, v: np.ndarray) -> np.ndarray:
        if self.exact:
            return wide_times(self.design, v)
        return self.design @ v.astype(self.design.dtype)

    def _transpose_times(self, w: np.ndarray) -> np.ndarray:
        if self.exact:
            return wide_transpose_times(self.design, w)
        return w.astype(self.design.dtype) @ self.design

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
