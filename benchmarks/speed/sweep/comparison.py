"""Solvers against each other on one problem: every setting of every solver, timed and evaluated.

Objective, gap and non-zeros are computed here from the weights, whatever a solver says of itself.
Knows no file format and no target.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from benchmarks.speed.sweep.data import Task
from benchmarks.speed.sweep.points import Point, Timings
from benchmarks.speed.sweep.solver import FitResult, Solver
from classify.logistic import objective_and_gap
from classify.results import Line


@dataclass
class Comparison:
    """One problem for all solvers.

    Attributes
    ----------
    task : Task
    penalty : {"l1", "l2"}
    C : float
    excesses : sequence of float
        Distances from the optimum, such as 1e-3 of it, whose times are wanted.
    nearest : float
        Distance at which a solver has gone far enough.
    timings : dict
        By name of the solver.
    """

    task: Task
    penalty: str
    C: float
    excesses: Sequence[float]
    nearest: float
    timings: dict[str, Timings] = field(default_factory=dict)

    def explore(self, solvers: Iterable[Solver], *, limit: float) -> None:
        """Time every solver once at its default and from loose to tight.

        Parameters
        ----------
        solvers : iterable of Solver
            Those without the penalty are left out.
        limit : float
            Seconds of a setting: a solver that fits label by label is timed on as many labels as
            that allows, and is taken no further where one label needs several times as long.
        """
        running = [c for c in solvers if self.penalty in c.peer.levels]
        for solver in tqdm(running, desc=str(self), unit="solver"):
            one = self.timings[solver.name] = Timings(knob=solver.peer.knob)
            for level in (None, *solver.peer.levels[self.penalty]):
                point = self._first(solver, level, limit)
                one.add(level, point)
                enough = isinstance(point, str) or point.ratio <= 1 + self.nearest
                if enough and level is not None:
                    break

    def repeat(
        self, solvers: Mapping[str, Solver], *, rounds: int, brief: float, longest: float
    ) -> None:
        """Time points again, in interleaved rounds.

        Parameters
        ----------
        solvers : mapping of str to Solver
        rounds : int
        brief, longest : float
            Seconds of a turn: the wanted points are timed again unless they took longer than
            `longest`, and the others of the curve if they took no longer than `brief`.
        """
        chosen = []
        for name, one in self.timings.items():
            wanted = [id(point) for point in one.wanted(self.excesses)]
            for point in one.points:
                if point.seconds[0] <= (longest if id(point) in wanted else brief):
                    chosen.append((solvers[name], point))
        for _ in tqdm(range(rounds), desc=str(self), unit="round"):
            for solver, point in chosen:
                turn = self._turn(solver, point.level, point.labels)
                if isinstance(turn, FitResult):
                    point.seconds.append(turn.seconds)

    def start_again(self, solvers: Mapping[str, Solver]) -> "Comparison":
        """Time the wanted points once, with other solvers; return the comparison between those."""
        comparison = replace(self, timings={})
        for name, one in self.timings.items():
            comparison.timings[name] = Timings(notes=dict(one.notes), knob=one.knob)
            for point in one.wanted(self.excesses) if name in solvers else []:
                again = self._timed(solvers[name], point.level, point.labels)
                comparison.timings[name].add(point.level, again)
        return comparison

    def lines(self) -> Iterator[Line]:
        """Give the result lines of all solvers."""
        for name, one in self.timings.items():
            yield from ({"solver": name, **line} for line in one.lines())

    def __str__(self) -> str:
        return f"{self.task.name}, {self.penalty}"

    def _first(self, solver: Solver, level: float | None, limit: float) -> Point | str:
        """Time one setting: on all labels, or on as many as the limit allows."""
        total = self.task.Y.shape[1]
        if solver.peer.together:
            return self._timed(solver, level, total)
        probe = self._timed(solver, level, 1, limit=3 * limit)
        if isinstance(probe, str):
            return f"{probe} a label" if probe.startswith("over") else probe
        count = min(total, int(limit * total / probe.time))
        return probe if count < 2 else self._timed(solver, level, count)

    def _timed(
        self, solver: Solver, level: float | None, labels: int, *, limit: float | None = None
    ) -> Point | str:
        turn = self._turn(solver, level, labels, limit=limit)
        if isinstance(turn, str):
            return turn
        if not np.isfinite(turn.weights).all():
            return "weights that are no finite numbers"
        some = self.task.some_labels(labels)
        values = evaluate(self.task, turn.weights[0], some, self.penalty, self.C)
        total = self.task.Y.shape[1]
        return Point(level, labels, total, *values, turn.peak_mb, [turn.seconds])

    def _turn(self, solver, level, labels: int, *, limit=None) -> FitResult | str:
        what = {"penalty": self.penalty, "Cs": [self.C], "level": level}
        return solver.fit(**what, labels=self.task.some_labels(labels), limit=limit)


def evaluate(
    task: Task, weights: np.ndarray, labels: Sequence[int], penalty: str, C: float
) -> tuple[float, float, float]:
    """Objective over optimum and relative gap of the worst label, and mean non-zeros.

    Parameters
    ----------
    task : Task
    weights : array of shape (len(labels), d + 1)
        The bias comes last.
    labels : sequence of int
        Columns of the task's Y.
    penalty : {"l1", "l2"}
    C : float
    """
    coef, intercept = weights[:, :-1], weights[:, -1]
    Y = task.Y[:, labels]
    objective, gap = objective_and_gap(task.X, Y, coef, intercept, penalty=penalty, C=C)
    ratio = (objective / task.optimum(penalty, C)[labels]).max()
    nonzeros = float((coef != 0).sum(axis=1).mean())
    return float(ratio), float((gap / objective).max()), nonzeros
