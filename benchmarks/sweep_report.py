"""What ``speed sweep`` prints: tables of races, and targets beside what was measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.markdown import table
from benchmarks.plots import Trace
from benchmarks.solver_peers import OURS, REFERENCE, find_peer
from benchmarks.sweep_race import Lane, Point, Race
from benchmarks.sweep_tasks import OPTIMUM
from features import files


class Target(NamedTuple):
    """One thing asked for.

    Attributes
    ----------
    what : str
    asked : str
    measured : str
    met : bool or None
        None where it could not be measured.
    """

    what: str
    asked: str
    measured: str
    met: bool | None


@dataclass
class Report:
    """Sections as they grow: text and targets by title.

    Attributes
    ----------
    preamble : str
    path : Path, optional
        A file that holds all there is after every addition, so that a kill loses one section.
    """

    preamble: str
    path: Path | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    targets: dict[str, list[Target]] = field(default_factory=dict)
    traces: dict[str, dict[str, dict[str, Trace]]] = field(default_factory=dict)

    def add(self, title: str, text: str, targets: Sequence[Target] = ()) -> None:
        """Add to a section."""
        self.texts.setdefault(title, []).append(text)
        self.targets.setdefault(title, []).extend(targets)
        if self.path is not None:
            files.write_text(self.path, str(self))

    def trace(self, race: Race) -> None:
        """Keep the curves of a race for its picture."""
        curves = self.traces.setdefault(race.penalty, {})
        curves[str(race.task)] = {
            name: Trace(
                sorted(map(_place, lane.points), key=lambda place: -place[1]),
                _place(lane.default) if lane.default else None,
            )
            for name, lane in race.lanes.items()
        }

    def __str__(self) -> str:
        parts = [self.preamble]
        for title, texts in self.texts.items():
            parts.append(f"## {title}\n")
            parts += texts
            parts.append(targets_table(self.targets[title]))
        return "\n".join(parts)


def _place(point: Point) -> tuple[float, float]:
    return point.time, max(point.ratio - 1, OPTIMUM)


def at_least(what: str, factor: float, slow: float | None, fast: float | None) -> Target:
    """How many times faster, and is it enough; None for a time that there is none of.

    Examples
    --------
    >>> at_least("a fit", 10, 3.0, 0.25)
    Target(what='a fit', asked='at least 10 x', measured='12.0 x', met=True)
    """
    asked = f"at least {factor:g} x"
    if slow is None or fast is None:
        return Target(what, asked, "no such point", None)
    return Target(what, asked, f"{slow / fast:.1f} x", slow >= factor * fast)


def at_most(what: str, factor: float, value: float) -> Target:
    """Whether a number is small enough.

    Examples
    --------
    >>> at_most("a path", 2.5, 3.0)
    Target(what='a path', asked='at most 2.5', measured='3.00', met=False)
    """
    return Target(what, f"at most {factor:g}", f"{value:.2f}", value <= factor)


def targets_table(targets: Iterable[Target]) -> str:
    """Lay targets out."""
    words = {True: "met", False: "not met", None: "not measured"}
    rows = [[t.what, t.asked, t.measured, words[t.met]] for t in targets]
    return table(["target", "asked", "measured", ""], rows)


def named(prefix: str, targets: Iterable[Target]) -> list[Target]:
    """Say of targets what they were measured on."""
    return [target._replace(what=prefix + target.what) for target in targets]


def count_of(count: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> count_of(1, "thread"), count_of(2, "thread")
    ('1 thread', '2 threads')
    """
    return f"{count} {noun}" + "s" * (count != 1)


def race_targets(race: Race, factor: float, *, default_factor: float | None = None) -> list[Target]:
    """Compare this project with LIBLINEAR at each distance from the optimum, then with everybody.

    Parameters
    ----------
    race : Race
    factor : float
        How many times faster than LIBLINEAR.
    default_factor : float, optional
        How many times faster than LIBLINEAR at its default stop, wherever that leaves it.
    """
    ours, reference = (race.lanes.get(name, Lane()) for name in (OURS, REFERENCE))
    targets = []
    for excess in race.excesses:
        times = _time(reference.within(excess)), _time(ours.within(excess))
        targets.append(at_least(f"{REFERENCE}'s time to within {excess:g}", factor, *times))
    if default_factor is not None:
        times = _time(reference.default), _time(ours.within(max(race.excesses)))
        targets.append(at_least(f"{REFERENCE}'s time at its default stop", default_factor, *times))
    return targets


def ahead(race: Race) -> Target:
    """Compare every point of every peer with the fastest of this project that is no worse.

    Points nearer to the optimum than this project's nearest are compared with that one, and those
    nearer than `race.nearest` are rounding; points no better than weights of zero are left out.
    Returns the worst case as a target.
    """
    what, asked = "ahead of every peer at every level", "at least 1 x"
    ours = race.lanes.get(OURS, Lane()).points
    floor = max(race.nearest, min((point.ratio - 1 for point in ours), default=0.0))
    nothing = len(race.task.X) * race.C * np.log(2) / race.task.optimum(race.penalty, race.C)
    factors = []
    for name, lane in race.lanes.items():
        for point in lane.points if name != OURS else []:
            times = [own.time for own in ours if own.ratio - 1 <= max(point.ratio - 1, floor)]
            if times and point.ratio < nothing.max():
                factors.append((point.time / min(times), f"{name} at {_stop(name, point)}"))
    if not factors:
        return Target(what, asked, "no such point", None)
    worst, where = min(factors)
    return Target(what, asked, f"{worst:.2f} x, {where}", worst >= 1)


def race_table(race: Race, absent: Mapping[str, str]) -> str:
    """Lay out each solver's default and its fastest way to each distance.

    Under the table stand the settings that gave nothing, and the solvers that are absent, with the
    reasons.
    """
    head = ["solver", "stop", "labels", "s a fit", "s a split", f"as fast as {REFERENCE}"]
    head += ["objective / optimum", "gap", "non-zeros", "peak MB"]
    reference = race.lanes.get(REFERENCE, Lane())
    rows, notes = [], []
    for name, lane in race.lanes.items():
        rows.append(_row(race, name, "default", lane.default, reference.default))
        for excess in race.excesses:
            near = lane.within(excess), reference.within(excess)
            rows.append(_row(race, name, f"within {excess:g}", *near))
        notes += _notes(name, lane, race.excesses)
    notes += [f"- {name} is absent: {reason}" for name, reason in absent.items()]
    return "\n".join([table(head, rows), *notes, ""])


def _row(
    race: Race, name: str, stop: str, point: Point | None, reference: Point | None
) -> list[str]:
    if point is None:
        return [name, f"{stop}: no", *[""] * 8]
    total = race.task.Y.shape[1]
    faster = f"{reference.time / point.time:.2f} x" if reference else ""
    return [
        name,
        stop if point.level is None else f"{stop} ({_stop(name, point)})",
        f"{len(point.labels)} of {total}",
        f"{point.time / total:.4f}",
        f"{point.time:.3f}",
        faster,
        f"{point.ratio:.6f}",
        f"{point.gap:.1e}",
        f"{point.nonzeros:.0f}",
        f"{point.peak_mb:,.0f}",
    ]


def _notes(name: str, lane: Lane, excesses: Sequence[float]) -> list[str]:
    """Say what a solver was tried at in vain, and how near it came if not near enough."""
    knob = find_peer(name).knob
    reasons = [
        f"{reason} at {'its default' if level is None else f'{knob} {level:g}'}"
        for level, reason in lane.notes.items()
    ]
    if lane.points and lane.within(min(excesses)) is None:
        best = min(lane.points, key=lambda point: point.ratio)
        reasons.append(f"nearest {best.ratio:.6g} x the optimum, after {best.time:.1f} s a split")
    return [f"- {name}: {'; '.join(reasons)}"] if reasons else []


def _stop(name: str, point: Point) -> str:
    return "default" if point.level is None else f"{find_peer(name).knob} {point.level:g}"


def _time(point: Point | None) -> float | None:
    return None if point is None else point.time
