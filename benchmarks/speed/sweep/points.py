"""What solvers reached on one problem: a point per setting, as measured or from result lines."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from classify.results import Line


@dataclass
class Point:
    """One setting of one solver: what it reached, and the seconds of every round.

    Attributes
    ----------
    level : float or None
        Setting of the solver's knob; None is its default.
    labels, of : int
        On how many labels it was timed, of how many.
    ratio, gap : float
        Of the worst label: the objective over the optimum, the duality gap over the objective.
    nonzeros : float
        Mean number of columns with weight.
    peak_mb : float
    seconds : list of float
        For the labels that it was timed on.
    """

    level: float | None
    labels: int
    of: int
    ratio: float
    gap: float
    nonzeros: float
    peak_mb: float
    seconds: list[float] = field(default_factory=list)

    @property
    def time(self) -> float:
        """Median of the rounds, scaled to all labels."""
        return statistics.median(self.seconds) * self.of / self.labels

    def lines(self) -> Iterable[Line]:
        """Give a result line per round; what was reached stands in the first."""
        reached = {name: getattr(self, name) for name in _REACHED}
        for number, seconds in enumerate(self.seconds):
            yield {"round": number, "seconds": seconds, **(reached if number == 0 else {})}


_REACHED = ("labels", "of", "ratio", "gap", "nonzeros", "peak_mb")


@dataclass
class Timings:
    """Points of one solver; `notes` are its settings that gave none, with the reason."""

    points: list[Point] = field(default_factory=list)
    notes: dict[float | None, str] = field(default_factory=dict)
    knob: str = ""

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

    def lines(self) -> Iterable[Line]:
        """Give the result lines of all settings."""
        for point in self.points:
            yield from ({"level": point.level, "knob": self.knob} | one for one in point.lines())
        for level, reason in self.notes.items():
            yield {"level": level, "knob": self.knob, "failed": reason}

    @classmethod
    def read(cls, lines: Iterable[Line]) -> "Timings":
        """Put the lines of one solver together again, those of a setting in order of its rounds."""
        made, points = cls(), dict[float | None, Point]()
        for line in lines:
            made.knob, level = line["knob"], line["level"]
            if "failed" in line:
                made.notes[level] = line["failed"]
            elif level in points:
                points[level].seconds.append(line["seconds"])
            else:
                reached = {name: line[name] for name in _REACHED}
                points[level] = Point(level, **reached, seconds=[line["seconds"]])
        made.points = list(points.values())
        return made


@dataclass
class Found:
    """A comparison on one problem with one penalty, C = 1, on so many threads.

    Attributes
    ----------
    problem : str
    penalty : {"l1", "l2"}
    threads : int
    size : tuple of int
        Rows, columns and labels.
    zeros : float
        Objective of weights of zero over the optimum, of the worst label.
    timings : dict
        By name of the solver.
    absent : dict
        Reason by name of a solver that can't run.
    """

    problem: str
    penalty: str
    threads: int
    size: tuple[int, int, int]
    zeros: float
    timings: dict[str, Timings]
    absent: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        rows, columns, labels = self.size
        return f"{self.problem} ({rows:,} rows, {columns:,} columns, {labels} labels)"
