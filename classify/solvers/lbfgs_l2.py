"""L2-penalized losses of many labels over a large matrix, quickly and mostly in float32.

Limited-memory BFGS for all labels side by side (Nocedal and Wright, Numerical Optimization, 2006,
algorithm 7.4), whose first matrix is the inverse of ``1 + c X'X``: the Hessian, were all curvatures
c. A few Cholesky factors, for powers of 4 of c, serve all labels and all C. Where rows are fewer
than columns, weights are combinations of rows, and every product is one of the Gram matrix.

A step needs one product by X and one by its transpose, as a step of conjugate gradients does, but
learns from all steps before it: about a third of the products of Newton's method. The gap is
certified in float64, and labels that float32 left short of it take their last steps in float64.
Where the penalty is weak and rows are fewer than columns, `weak_l2` comes first.
"""

from typing import NamedTuple

import numpy as np

from classify.solvers import weak_l2
from classify.solvers.duality_gap import free_shift, objective_and_gap
from classify.solvers.l2_coordinates import Columns, Rows
from classify.solvers.roots import increasing_root
from classify.solvers.solution import Solution

_MEMORY = 30  # pairs of steps and changes of the gradient
_MAX_STEPS = 200
# Steps in which the expected gain must halve: without much penalty it rises between. Rounding to
# float32 may be what holds it up.
_PATIENCE = {np.dtype(np.float32): 20, np.dtype(np.float64): 60}
_FLAT = 0.5  # a step ends where the slope along it has fallen to this share
_ROUGH = 4  # from which share of the ridge on rounding leaves float32 no chance
_WEAK = 0.01  # from which share on the penalty is too weak for one curvature to stand for all
_SPARE = 0.9  # share of the tolerance that float32 is asked for
_REFRESH = (0, 2, 8, 32)  # steps before which curvatures are looked at again
_TOGETHER = 2**22  # rows times labels side by side: up to a hundred arrays of 16 MiB


def solve_path(X: np.ndarray, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimize ``sum w**2 / 2 + C loss(X w + b)`` for every label and every C, as far as it goes.

    Parameters are those of `classify.solvers.newton_l2.solve_path`.

    Returns
    -------
    list over Cs of Solution
        With certified gaps, of which some may be above `tol`.
    """
    coordinates = (Rows if X.shape[0] <= X.shape[1] else Columns)(X, bias)
    path = [Solution.zeros(len(loss), X.shape[1]) for _ in Cs]
    together = max(1, _TOGETHER // len(X))
    for start in range(0, len(loss), together):
        labels = slice(start, start + together)
        part = loss.take(labels)
        _solve_labels(X, coordinates, part, Cs, tol, [one.take(labels) for one in path])
    return path


def _solve_labels(X, coordinates, loss, Cs, tol: float, path: list[Solution]) -> None:
    """Follow the path for some labels; where one way falls short, the next goes on from there."""
    V = np.zeros((coordinates.size, len(loss)))
    steps = np.zeros(len(loss), dtype=int)
    for C, solution in zip(Cs, path, strict=True):
        short = np.arange(len(loss))
        for minimize, kind in _ways(coordinates, C):
            part = loss.take(short)
            found, more = minimize(coordinates, part, C, V[:, short].astype(kind), tol)
            V[:, short] = np.where(np.isfinite(found).all(axis=0), found, V[:, short])
            steps[short] += more
            solution.put(short, _certified(X, coordinates, part, C, V[:, short], steps[short]))
            short = np.flatnonzero(~(solution.gap <= tol * solution.objective))
            if not len(short):
                break


def _ways(coordinates: Columns | Rows, C: float) -> list[tuple]:
    """Choose functions to minimize with, one after the other, and the precision of the weights."""
    rounding = coordinates.factors.rounding(C / 4)
    ways: list[tuple] = []
    if rounding > _WEAK and isinstance(coordinates, Rows) and coordinates.bias != "unpenalized":
        ways.append((weak_l2.minimize, np.float64))
    if rounding <= _ROUGH:
        ways.append((_minimize, np.float32))
    return [*ways, (_minimize, np.float64)]


def _certified(X, coordinates, loss, C: float, V: np.ndarray, steps: np.ndarray) -> Solution:
    coef, intercept = coordinates.weights(V)
    about = {"penalty": "l2", "C": C, "bias": coordinates.bias}
    objective, gap = objective_and_gap(X, loss, coef, intercept, **about)
    return Solution(coef, intercept, objective, gap, steps.copy())


@np.errstate(over="ignore", invalid="ignore")  # what isn't finite is left
def _minimize(coordinates, loss, C: float, start: np.ndarray, tol: float):
    """Step until each label is near enough or gets no further; return its weights and steps."""
    V, scores = start.copy(), coordinates.times(start)
    steps = np.zeros(len(loss), dtype=int)
    state = _State(coordinates, loss.take(np.arange(len(loss))), C, V, scores)
    labels = np.arange(len(loss))
    for step in range(_MAX_STEPS):
        if step in _REFRESH:
            state.look_at_curvature()
        done = state.advance(tol)
        V[:, labels[done]] = state.V[:, done]
        steps[labels] += 1
        if done.all():
            return V, steps
        if done.any():
            labels, loss_left = labels[~done], loss.take(labels[~done])
            state.keep(~done, loss_left)
    V[:, labels] = state.V
    return V, steps


class _Learned(NamedTuple):
    """A step: move, scores if pairs need them, change of the gradient, 1 over their pair."""

    move: np.ndarray
    moved: np.ndarray | None
    change: np.ndarray
    scale: np.ndarray  # 0 where it is to be passed over

    def take(self, labels: np.ndarray) -> "_Learned":
        moved = None if self.moved is None else self.moved[:, labels]
        return _Learned(self.move[:, labels], moved, self.change[:, labels], self.scale[labels])


class _State:
    """The labels that are still on their way: weights, scores, gradient, and what they learned."""

    def __init__(self, coordinates, loss, C: float, V: np.ndarray, scores: np.ndarray):
        self.coordinates, self.loss, self.C = coordinates, loss, C
        self.V, self.scores = V, scores
        self.learned: list[_Learned] = []
        self.objective = np.full(len(loss), np.inf)
        self.lowest = np.full(len(loss), np.inf)
        self.since = np.zeros(len(loss), dtype=int)
        self.levels = np.zeros(len(loss), dtype=int)
        self.residual = loss.residual(scores)
        self._settle()

    def _settle(self) -> None:
        """Take the gradient at the scores; a free intercept is optimal before."""
        if self.coordinates.bias == "unpenalized":
            shift = free_shift(self.loss, self.scores.astype(np.float64)).astype(self.V.dtype)
            self.V[-1] += shift
            self.scores += shift
            self.residual = self.loss.residual(self.scores)
        pull = self.coordinates.transpose_times((self.C * self.residual).astype(self.V.dtype))
        self.gradient = self.coordinates.penalty(self.V) - pull

    def look_at_curvature(self) -> None:
        """Choose the power of 4 that each label's mean curvature is next to."""
        mean = self.C * self.loss.curvature(self.scores).mean(axis=0)
        self.levels = np.rint(np.log2(np.maximum(mean, 1e-30)) / 2).astype(int)

    def keep(self, going: np.ndarray, loss) -> None:
        """Go on with some of the labels."""
        self.loss = loss
        for name in ("V", "scores", "gradient"):
            setattr(self, name, getattr(self, name)[:, going])
        for name in ("objective", "lowest", "since", "levels"):
            setattr(self, name, getattr(self, name)[going])
        self.learned = [one.take(going) for one in self.learned]

    def advance(self, tol: float) -> np.ndarray:
        """Say which labels are done (L,), and take a step for the others."""
        move, moved = self._direction()
        slope = self.coordinates.pair(move, moved, self.gradient)  # minus the gain expected, twice
        done = self._near_enough(-slope, tol) | ~np.isfinite(slope)
        self.since = np.where(-slope < self.lowest / 2, 0, self.since + 1)
        self.lowest = np.minimum(self.lowest, np.where(self.since == 0, -slope, np.inf))
        done |= self.since > _PATIENCE[self.V.dtype]
        if done.all():
            return done
        length = self._length(move, moved, slope)
        length[done] = 0
        before = self.gradient
        move, moved = length * move, length * moved
        self.V, self.scores = self.V + move, self.scores + moved
        shift = self.V[-1].copy()
        self._settle()
        if self.coordinates.bias == "unpenalized":  # the move of the intercept is part of the step
            more = self.V[-1] - shift
            move[-1] += more
            moved = moved + more
        self._learn(move, moved, self.gradient - before)
        return done

    def _near_enough(self, gain: np.ndarray, tol: float) -> np.ndarray:
        """Compare half the squared length of the gradient, which is the gap, with the objective."""
        near = np.zeros(len(self.loss), dtype=bool)
        asked = np.flatnonzero(gain <= tol * self.objective)
        if len(asked):
            part, V, scores = self.loss.take(asked), self.V[:, asked], self.scores[:, asked]
            value = self.C * part.value(scores)
            norm = self.coordinates.pair(V, scores, self.coordinates.penalty(V)) / 2
            self.objective[asked] = norm + value
            gap = self.coordinates.square(self.gradient[:, asked]) / 2
            near[asked] = gap <= _SPARE * tol * self.objective[asked]
        return near

    def _direction(self) -> tuple[np.ndarray, np.ndarray]:
        """Multiply minus the gradient by the inverse Hessian as learned; give its scores, too."""
        by_scores, pair, down = self.coordinates.by_scores, self.coordinates.pair, -self.gradient
        shares = []
        for one in self.learned[::-1]:
            share = one.scale * pair(one.move, one.moved, down)
            down -= share * one.change
            shares.append(share)
        move = self.coordinates.solve(down, self.levels)
        moved = self.coordinates.times(move) if by_scores else None
        for one, share in zip(self.learned, shares[::-1], strict=True):
            rest = share - one.scale * pair(move, moved, one.change)
            move += rest * one.move
            if by_scores:
                moved += rest * one.moved
        return move, self.coordinates.times(move) if moved is None else moved

    def _length(self, move: np.ndarray, moved: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Give the length of each label's step: 1, if that is near the lowest point along it."""
        penalty, near = self.coordinates.penalty, _FLAT * np.abs(slope)
        linear = self.coordinates.pair(move, moved, penalty(self.V))
        square = self.coordinates.pair(move, moved, penalty(move))
        self.residual = self.loss.residual(self.scores + moved)
        reached = linear + square - self.C * (self.residual * moved).sum(axis=0)
        length = np.ones(len(slope), dtype=self.V.dtype)
        far = np.flatnonzero(~(np.abs(reached) <= near))
        if len(far):
            loss, scores, ahead = self.loss.take(far), self.scores[:, far], moved[:, far]

            def along(length):
                at = scores + length * ahead
                first = (loss.residual(at) * ahead).sum(axis=0)
                second = (loss.curvature(at) * ahead**2).sum(axis=0)
                slopes = linear[far] + length * square[far] - self.C * first
                return slopes, square[far] + self.C * second

            length[far] = increasing_root(along, length[far], near=near[far], max_iter=30)
            at = scores + length[far] * ahead
            self.residual[:, far] = loss.residual(at)
        return length

    def _learn(self, move: np.ndarray, moved: np.ndarray, change: np.ndarray) -> None:
        pair, kept = self.coordinates.pair, moved if self.coordinates.by_scores else None
        bend, least = (pair(move, moved, G) for G in (change, self.coordinates.penalty(move)))
        # Less than the penalty bends is rounding.
        scale = np.divide(1, bend, where=bend > least / 2, out=np.zeros_like(bend))
        self.learned = [*self.learned[1 - _MEMORY :], _Learned(move, kept, change, scale)]
