"""The page of ``speed logistic``, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least, at_most, count_of, named, targets_table
from benchmarks.speed.record import median, median_and_range, of_part
from classify.results import Line

PRODUCT, AFTER, BEFORE = "the matrix product alone", "this version", "before"
MANY, WIDE, NO_LOSS = 3.0, 4.0, 1.0  # times the earlier version's speed
SLACK = 1.1  # noise of a time that shall be no longer
LONG = 60.0  # seconds from which a fit is timed once
Versions = Mapping[str, Sequence[Line]]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed logistic` out: Markdown."""
    parts = [
        "# Logistic regression of many rows and many labels\n",
        f"{header['machine']}; {count_of(header['rounds'], 'round')} in turns, but what takes over "
        f"{LONG:g} s is timed once; each fit in a process of its own. The gap is computed anew "
        "from the weights in float64, outside the timed line, and is that of the worst label.\n",
    ]
    fits, paths = (_by_problem(lines, part) for part in ("fit", "path"))
    if fits:
        parts.append("## L2, one C\n")
        parts.append(
            "C = 1, one thread; verdicts follow from its CPU seconds. The matrix product is that "
            "of the shorter side with itself in float32, which a solver in an eigenbasis or with "
            "a factored Hessian can't do without.\n"
        )
        parts += _section(fits, _fit_targets)
    if paths:
        parts.append("## L1, a path of C\n")
        parts.append("The time is that on the clock, which counts what else the machine does.\n")
        parts += _section(paths, _path_targets)
    return "\n".join(parts)


def _by_problem(lines: Sequence[Line], part: str) -> dict[str, dict[str, list[Line]]]:
    found: dict[str, dict[str, list[Line]]] = {}
    for mine in of_part(lines, part).values():
        found.setdefault(mine[0]["problem"], {})[mine[0]["version"]] = mine
    return dict(sorted(found.items(), key=lambda pair: -pair[1][AFTER][0]["rows"]))


def _section(found: Mapping[str, Versions], targets_of) -> list[str]:
    head = ["", "CPU s, median (min to max)", "s", "times the product", "worst gap", "peak MB"]
    rows, targets = [], list[Target]()
    for problem, versions in found.items():
        once = median(versions[PRODUCT]) if PRODUCT in versions else None
        for name in (PRODUCT, BEFORE, AFTER):
            if name in versions:
                rows.append(_row(f"{problem}: {name}", versions[name], once))
        targets += named(f"{problem}: ", targets_of(versions))
    return [table(head, rows), targets_table(targets)]


def _row(name: str, lines: Sequence[Line], once: float | None) -> list[str]:
    gaps = [line["gap"] for line in lines if "gap" in line]
    return [
        name,
        median_and_range(lines),
        f"{median(lines, 'seconds'):.1f}",
        f"{median(lines) / once:.1f}" if once else "",
        f"{max(gaps):.1e}" if gaps else "",
        f"{max(line['peak_mb'] for line in lines):,.0f}",
    ]


def _gap(ours: Sequence[Line]) -> Target:
    worst, tol = max(line["gap"] for line in ours), ours[0]["tol"]
    return Target("worst relative gap", f"at most {tol:g}", f"{worst:.1e}", worst <= tol)


def _fit_targets(versions: Versions) -> list[Target]:
    ours, earlier = versions[AFTER], versions.get(BEFORE)
    targets, asked = [_gap(ours)], ours[0]["asked"]
    before = median(earlier) if earlier else None
    if asked > NO_LOSS:
        targets.append(at_least("the earlier version's time", asked, before, median(ours)))
    elif before:
        targets.append(at_most("times the earlier version's time", SLACK, median(ours) / before))
    return targets


def _path_targets(versions: Versions) -> list[Target]:
    first = versions[AFTER][0]
    what = (
        f"seconds of {first['values']} values of C, {first['low']:g} to {first['high']:g}, on "
        f"{count_of(first['threads'], 'thread')}"
    )
    return [
        _gap(versions[AFTER]),
        at_most(what, first["asked"], median(versions[AFTER], "seconds")),
    ]
