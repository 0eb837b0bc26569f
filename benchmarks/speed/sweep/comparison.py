"""Solvers against each other on one problem: every setting of every solver, timed and evaluated.

Objective, gap and non-zeros are computed here from the weights, whatever a solver says of itself.
Knows no file format and no target.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from benchmarks.report.plots import Trace
from benchmarks.report.targets import Report
from benchmarks.speed.sweep.data import OPTIMUM, Task
from benchmarks.speed.sweep.solver import FitResult, Solver
from classify.logistic import objective_and_gap


@dataclass
class Point:
    """One setting of one solver: what it reached, and the seconds of every round.

    Attributes
    ----------
    level : float or None
        Setting of the solver's knob; None is its default.
    labels : list of int
        Those it was timed on.
    ratio, gap : float
        Of the worst label: the objective over the optimum, the duality gap over the objective.
    nonzeros : float
        Mean number of columns with weight.
    peak_mb : float
    seconds : list of float
        For all labels, scaled to them where it was timed on fewer.
    """

    level: float | None
    labels: list[int]
    ratio: float
    gap: float
    nonzeros: float
    peak_mb: float
    seconds: list[float] = field(default_factory=list)

    @property
    def time(self) -> float:
        """Median of the rounds, in seconds for all labels."""
        return statistics.median(self.seconds)


@dataclass
class Timings:
    """Points of one solver; `notes` are its settings that gave none, with the reason."""

    points: list[Point] = field(default_factory=list)
    notes: dict[float | None, str] = field(default_factory=dict)

    @property
    def default(self) -> Point | None:
        """The point of its default setting."""
        return next((point for point in self.points if point.level is None), None)

    def add(self, level: float | None, made: "Point | str") -> None:
        """Take a point, or the reason why a setting gave none."""
        if isinstance(made, Point):
            self.points.append(made)
        else:
            self.notes[level] = made

    def wanted(self, excesses: Sequence[float]) -> list[Point]:
        """Its default, and its fastest way to each excess."""
        points = [self.default, *(self.within(excess) for excess in excesses)]
        return list({id(point): point for point in points if point is not None}.values())

    def within(self, excess: float) -> Point | None:
        """Fastest point whose worst label is so near to its optimum, such as 1e-3."""
        near = [point for point in self.points if point.ratio <= 1 + excess]
        return min(near, key=lambda point: point.time, default=None)


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
            one = self.timings[solver.name] = Timings()
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
                seconds = point.seconds[0] / self._scale(point.labels)
                if seconds <= (longest if id(point) in wanted else brief):
                    chosen.append((solvers[name], point))
        for _ in tqdm(range(rounds), desc=str(self), unit="round"):
            for solver, point in chosen:
                turn = self._turn(solver, point.level, point.labels)
                if isinstance(turn, FitResult):
                    point.seconds.append(turn.seconds * self._scale(point.labels))

    def start_again(self, solvers: Mapping[str, Solver]) -> "Comparison":
        """Time the wanted points once, with other solvers; return the comparison between those."""
        comparison = replace(self, timings={})
        for name, one in self.timings.items():
            comparison.timings[name] = Timings(notes=dict(one.notes))
            for point in one.wanted(self.excesses) if name in solvers else []:
                again = self._timed(solvers[name], point.level, point.labels)
                comparison.timings[name].add(point.level, again)
        return comparison

    def __str__(self) -> str:
        return f"{self.task.name}, {self.penalty}"

    def _first(self, solver: Solver, level: float | None, limit: float) -> Point | str:
        """Time one setting: on all labels, or on as many as the limit allows."""
        total = self.task.Y.shape[1]
        if solver.peer.together:
            return self._timed(solver, level, self.task.some_labels(total))
        probe = self._timed(solver, level, self.task.some_labels(1), limit=3 * limit)
        if isinstance(probe, str):
            return f"{probe} a label" if probe.startswith("over") else probe
        count = min(total, int(limit * total / probe.time))
        if count < 2:
            return probe
        return self._timed(solver, level, self.task.some_labels(count))

    def _timed(
        self,
        solver: Solver,
        level: float | None,
        labels: list[int],
        *,
        limit: float | None = None,
    ) -> Point | str:
        turn = self._turn(solver, level, labels, limit=limit)
        if isinstance(turn, str):
            return turn
        values = evaluate(self.task, turn.weights[0], labels, self.penalty, self.C)
        return Point(level, labels, *values, turn.peak_mb, [turn.seconds * self._scale(labels)])

    def _turn(self, solver, level, labels, *, limit=None) -> FitResult | str:
        what = {"penalty": self.penalty, "Cs": [self.C], "level": level, "labels": labels}
        return solver.fit(**what, limit=limit)

    def _scale(self, labels: list[int]) -> float:
        return self.task.Y.shape[1] / len(labels)


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


def keep_trace(report: Report, comparison: Comparison) -> None:
    """Keep the curves of a comparison in the report, for its picture."""
    curves = report.traces.setdefault(comparison.penalty, {})
    curves[str(comparison.task)] = {
        name: Trace(
            sorted(map(_place, one.points), key=lambda place: -place[1]),
            _place(one.default) if one.default else None,
        )
        for name, one in comparison.timings.items()
    }


def _place(point: Point) -> tuple[float, float]:
    return point.time, max(point.ratio - 1, OPTIMUM)
