"""Comparisons of solvers as tables, and targets beside what was measured."""

from collections.abc import Sequence

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least
from benchmarks.speed.sweep.peers import OURS, REFERENCE
from benchmarks.speed.sweep.plan import EXCESSES, NEAREST
from benchmarks.speed.sweep.points import Found, Point, Timings


def comparison_targets(
    found: Found, factor: float, *, default_factor: float | None = None
) -> list[Target]:
    """Compare this project with LIBLINEAR at each distance from the optimum, then with everybody.

    Parameters
    ----------
    found : Found
    factor : float
        How many times faster than LIBLINEAR.
    default_factor : float, optional
        How many times faster than LIBLINEAR at its default stop, wherever that leaves it.
    """
    ours, reference = (found.timings.get(name, Timings()) for name in (OURS, REFERENCE))
    targets = []
    for excess in EXCESSES[found.penalty]:
        times = _time(reference.within(excess)), _time(ours.within(excess))
        targets.append(at_least(f"{REFERENCE}'s time to within {excess:g}", factor, *times))
    if default_factor is not None:
        times = _time(reference.default), _time(ours.within(max(EXCESSES[found.penalty])))
        targets.append(at_least(f"{REFERENCE}'s time at its default stop", default_factor, *times))
    return targets


def ahead(found: Found) -> Target:
    """Compare every point of every peer with the fastest of this project that is no worse.

    Points nearer to the optimum than this project's nearest are compared with that one, and those
    nearer than the distance where the curves end are rounding; points no better than weights of
    zero are left out.
    Returns the worst case as a target.
    """
    what, asked = "ahead of every peer at every level", "at least 1 x"
    ours = found.timings.get(OURS, Timings()).points
    nearest = NEAREST[found.penalty]
    floor = max(nearest, min((point.ratio - 1 for point in ours), default=0.0))
    factors = []
    for name, one in found.timings.items():
        for point in one.points if name != OURS else []:
            times = [own.time for own in ours if own.ratio - 1 <= max(point.ratio - 1, floor)]
            if times and point.ratio < found.zeros:
                factors.append((point.time / min(times), f"{name} at {_stop(one, point)}"))
    if not factors:
        return Target(what, asked, "no such point", None)
    worst, where = min(factors)
    return Target(what, asked, f"{worst:.2f} x, {where}", worst >= 1)


def comparison_table(found: Found) -> str:
    """Lay out each solver's default and its fastest way to each distance.

    Under the table stand the settings that gave nothing, and the solvers that are absent, with the
    reasons.
    """
    head = ["solver", "stop", "labels", "s a fit", "s a split", f"as fast as {REFERENCE}"]
    head += ["objective / optimum", "gap", "non-zeros", "peak MB"]
    reference = found.timings.get(REFERENCE, Timings())
    rows, notes = [], []
    for name, one in found.timings.items():
        rows.append(_row(found, name, "default", one.default, reference.default))
        for excess in EXCESSES[found.penalty]:
            near = one.within(excess), reference.within(excess)
            rows.append(_row(found, name, f"within {excess:g}", *near))
        notes += _notes(name, one, EXCESSES[found.penalty])
    notes += [f"- {name} is absent: {reason}" for name, reason in found.absent.items()]
    return "\n".join([table(head, rows), *notes, ""])


def _row(
    found: Found, name: str, stop: str, point: Point | None, reference: Point | None
) -> list[str]:
    if point is None:
        return [name, f"{stop}: no", *[""] * 8]
    total = point.of
    faster = f"{reference.time / point.time:.2f} x" if reference else ""
    return [
        name,
        stop if point.level is None else f"{stop} ({_stop(found.timings[name], point)})",
        f"{point.labels} of {total}",
        f"{point.time / total:.4f}",
        f"{point.time:.3f}",
        faster,
        f"{point.ratio:.6f}",
        f"{point.gap:.1e}",
        f"{point.nonzeros:.0f}",
        f"{point.peak_mb:,.0f}",
    ]


def _notes(name: str, one: Timings, excesses: Sequence[float]) -> list[str]:
    """Say what a solver was tried at in vain, and how near it came if not near enough."""
    reasons = [
        f"{reason} at {'its default' if level is None else f'{one.knob} {level:g}'}"
        for level, reason in one.notes.items()
    ]
    if one.points and one.within(min(excesses)) is None:
        best = min(one.points, key=lambda point: point.ratio)
        reasons.append(f"nearest {best.ratio:.6g} x the optimum, after {best.time:.1f} s a split")
    return [f"- {name}: {'; '.join(reasons)}"] if reasons else []


def _stop(one: Timings, point: Point) -> str:
    return "default" if point.level is None else f"{one.knob} {point.level:g}"


def _time(point: Point | None) -> float | None:
    return None if point is None else point.time
