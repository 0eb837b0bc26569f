"""The page of ``speed sweep``, from its lines alone."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.plots import Trace
from benchmarks.report.targets import Target, at_least, at_most, count_of, named, targets_table
from benchmarks.speed.record import LINEAR, exponent
from benchmarks.speed.sweep.comparison_report import ahead, comparison_table, comparison_targets
from benchmarks.speed.sweep.peers import OURS, PEERS, REFERENCE
from benchmarks.speed.sweep.plan import PENALTIES, TOL
from benchmarks.speed.sweep.points import Found, Point, Timings
from classify.results import Line

NEAREST_DRAWN = 1e-9  # distance from the optimum, itself known to that gap
FACTORS = {"l1": 10.0, "l2": 30.0}  # asked for over LIBLINEAR at an equal objective
AT_DEFAULT = 3.0  # at its default stop, for L1
PATHS = {"l1": 2.5, "l2": 2.0}  # what a path may take at most, in times of a single fit
SWEEP = 20.0  # asked for over LIBLINEAR, for the whole sweep
COUNTS = (1, 3, 10, 30, 100)  # splits that the scaling shows
AXES = ("labels", "columns", "splits", "rows")


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed sweep` out: Markdown."""
    parts = ["# Fits of cached features: this project and its peers\n", _preamble(header)]
    comparisons = found_in(lines)
    for penalty in PENALTIES:
        parts += _comparisons([one for one in comparisons if one.penalty == penalty], penalty)
        parts += _paths(_of(lines, "path", penalty=penalty), comparisons, penalty)
    sweeps = _of(lines, "sweep")
    parts += _sweeps(sweeps) + _scaling(header, _of(lines, "scaling"), sweeps)
    return "\n".join(parts)


def found_in(lines: Sequence[Line]) -> list[Found]:
    """Put the comparisons together again, problem by problem and from few threads to many.

    Parameters
    ----------
    lines : sequence of dict
    """
    ranks = {name: rank for rank, name in enumerate(PEERS)}
    found = []
    for line in _of(lines, "problem"):
        about = {name: line[name] for name in ("problem", "penalty", "threads")}
        fits = _of(lines, "fit", **about)
        fits.sort(key=lambda one: (ranks.get(one["solver"], len(ranks)), one["solver"]))
        timings = {
            name: Timings.read(sorted(mine, key=_by_level))
            for name, mine in groupby(fits, key=lambda one: one["solver"])
        }
        absent = {one["solver"]: one["absent"] for one in _of(lines, "absent", **about)}
        size = line["rows"], line["columns"], line["labels"]
        found.append(Found(**about, size=size, zeros=line["zeros"], timings=timings, absent=absent))
    return sorted(found, key=lambda one: (one.penalty, one.size[0], one.problem, one.threads))


def traces_of(found: Sequence[Found], penalty: str) -> dict[str, dict[str, Trace]]:
    """Give the curves of every problem by solver, on the fewest threads, for a picture."""
    traces: dict[str, dict[str, Trace]] = {}
    for one in found:
        if one.penalty == penalty and str(one) not in traces:
            traces[str(one)] = {
                name: Trace(
                    sorted(map(_place, timings.points), key=lambda place: -place[1]),
                    _place(timings.default) if timings.default else None,
                )
                for name, timings in one.timings.items()
            }
    return traces


def _place(point: Point) -> tuple[float, float]:
    return point.time, max(point.ratio - 1, NEAREST_DRAWN)


def _of(lines: Sequence[Line], part: str, **fields: Any) -> list[Line]:
    """Give the lines of a part with such fields, in order of their rounds."""
    chosen = [
        line
        for line in lines
        if line["part"] == part and all(line[name] == value for name, value in fields.items())
    ]
    return sorted(chosen, key=lambda line: (line["what"], line["round"]))


def _by_level(line: Line) -> tuple[bool, float, int]:
    level = line["level"]
    return level is not None, -(level or 0), line["round"]


def _comparisons(found: Sequence[Found], penalty: str) -> list[str]:
    parts, targets = [f"## {penalty.upper()}, one C\n"], list[Target]()
    for one in found:
        threads = count_of(one.threads, "thread")
        parts.append(f"{one}, C = 1, {threads}\n\n{comparison_table(one)}")
        mine = comparison_targets(
            one, FACTORS[penalty], default_factor=AT_DEFAULT if penalty == "l1" else None
        )
        mine += [ahead(one)] if penalty == "l1" else []
        targets += named(f"{one.problem}, {threads}: ", mine)
    return [*parts, targets_table(targets)] if found else []


def _paths(lines: Sequence[Line], found: Sequence[Found], penalty: str) -> list[str]:
    parts, targets = [f"## {penalty.upper()}, a path of C\n"], list[Target]()
    for one in (one for one in found if one.penalty == penalty):
        mine = [(line["problem"], line["threads"]) == (one.problem, one.threads) for line in lines]
        jobs: dict[str, list[Line]] = {}
        chosen = [line for line, is_mine in zip(lines, mine, strict=True) if is_mine]
        for line in sorted(chosen, key=lambda line: (line["values"], line["high"], line["round"])):
            name = f"{line['values']} values of C, {line['low']:g} to {line['high']:g}"
            single = f"single fit, C = {line['low']:g}"
            jobs.setdefault(name if line["values"] > 1 else single, []).append(line)
        if jobs:
            threads = count_of(one.threads, "thread")
            text, new = _path(jobs, PATHS[penalty])
            parts.append(f"{one}, {threads}\n\n{text}")
            targets += named(f"{one.problem}, {threads}: ", new)
    return [*parts, targets_table(targets)] if len(parts) > 1 else []


def _path(jobs: Mapping[str, list[Line]], factor: float) -> tuple[str, list[Target]]:
    times = {name: statistics.median(one["seconds"] for one in of) for name, of in jobs.items()}
    rows = [
        [
            name,
            f"{times[name]:.3f}",
            f"{first['ratio']:.6f}",
            f"{first['gap']:.1e}",
            f"{first['nonzeros']:.0f}",
            f"{max(one['peak_mb'] for one in mine):,.0f}",
        ]
        for name, mine in jobs.items()
        for first in mine[:1]
    ]
    *single, whole = times
    targets = [
        at_most(f"{whole}, over a {name}", factor, times[whole] / times[name]) for name in single
    ]
    head = [f"tolerance {TOL:g}", "s a split", "worst objective / optimum", "worst gap"]
    return table([*head, "most non-zeros", "peak MB"], rows), targets


def _sweeps(lines: Sequence[Line]) -> list[str]:
    rows, targets, head = [], [], ""
    for penalty in PENALTIES:
        ours = [line for line in lines if (line["penalty"], line["solver"]) == (penalty, OURS)]
        others = [
            line for line in lines if (line["penalty"], line["solver"]) == (penalty, REFERENCE)
        ]
        for one in others if ours else []:
            new, target = _sweep_rows(penalty, ours, one)
            rows += new
            threads = count_of(one["threads"], "thread")
            targets += named(f"{one['problem']}, {threads}: ", [target])
            head = f"{count_of(len(ours), 'split')} x {one['values']} values of C; {threads}"
    if not rows:
        return []
    text = table([head, "seconds", "s a fit", "how near"], rows)
    return ["## The whole sweep\n", text, targets_table(targets)]


def _sweep_rows(penalty: str, ours: Sequence[Line], other: Line) -> tuple[list[list[str]], Target]:
    own, fits = sum(one["seconds"] for one in ours), sum(one["fits"] for one in ours)
    scale, worst = fits / other["fits"], max(one["gap"] for one in ours)
    near = (
        f"within {TOL:g}" if other["reached"] else f"not within {TOL:g} everywhere: a lower bound"
    )
    labels = count_of(other["labels"], "label")
    scaled = f"{REFERENCE}, {penalty}, scaled from {labels} of a split"
    default, far = scale * other["default_seconds"], scale * other["near_seconds"]

    def row(who: str, seconds: float, how: str) -> list[str]:
        return [who, f"{seconds:,.1f}", f"{seconds / fits:.5f}", how]

    rows = [
        row(f"this project, {penalty}, measured", own, f"gap {worst:.1e}"),
        row(f"{scaled}, default stop", default, "wherever that leaves it"),
        row(f"{scaled}, run far enough", far, near),
    ]
    what = f"{len(ours)} splits, {fits:,} {penalty} fits, {REFERENCE}'s time to within {TOL:g}"
    return rows, at_least(what, SWEEP, far, own)


def _scaling(header: Mapping[str, Any], lines: Sequence[Line], sweeps: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    rows, targets = [], []
    for axis in AXES:
        for penalty in PENALTIES:
            times = _splits(sweeps, penalty) if axis == "splits" else _times(lines, penalty, axis)
            if not times:
                continue
            slope = exponent(list(times), list(times.values()))
            measured = ", ".join(f"{size:,}: {seconds:.3g}" for size, seconds in times.items())
            rows.append([f"{penalty}, {axis}", measured, f"{slope:.2f}"])
            if axis != "rows" and len(times) > 1:  # C falls with the rows: another problem each
                targets.append(at_most(f"{penalty}, exponent in {axis}", LINEAR, slope))
    head = [f"seconds at tolerance {TOL:g}", "from the smallest to the largest", "exponent"]
    return ["## Scaling\n", f"{header['scaling']}\n", table(head, rows), targets_table(targets)]


def _times(lines: Sequence[Line], penalty: str, axis: str) -> dict[int, float]:
    seconds: dict[int, list[float]] = {}
    for line in sorted(lines, key=lambda line: line["size"]):
        if (line["penalty"], line["axis"]) == (penalty, axis):
            seconds.setdefault(line["size"], []).append(line["seconds"])
    return {size: statistics.median(some) for size, some in seconds.items()}


def _splits(sweeps: Sequence[Line], penalty: str) -> dict[int, float]:
    times = [one["seconds"] for one in sweeps if (one["penalty"], one["solver"]) == (penalty, OURS)]
    return {count: sum(times[:count]) for count in COUNTS if count <= len(times)}


def _preamble(header: Mapping[str, Any]) -> str:
    limit, brief = header["limit"], header["brief"]
    return (
        f"{header['machine']}; {header['libraries']}\n\n"
        "The objective is LIBLINEAR's with the bias penalized. A time is that of one line, from "
        "features and labels in memory to weights; what a library wants of the features "
        "beforehand (float64, a constant column, another order) is not in it, but checks and "
        "conversions of this project are. Objective, duality gap and non-zeros are computed by "
        "the harness from the weights, those of the worst label; the optimum is this project's at "
        "a relative gap of 1e-9. A stop is a solver's default, or its fastest setting that brings "
        f"every label within the distance named. Times are medians over "
        f"{count_of(header['rounds'], 'interleaved round')}; points of the curves that no table "
        f"needs and that took over {brief:g} s were timed once. A peer fits label by label: where "
        f"all labels take over {limit:g} s, it is timed on some, evenly from rare to common, and "
        "scaled. With several threads a peer has a process for each core, with one thread and its "
        "share of the labels. Memory is the largest resident set of the process until then, "
        "summed over a solver's processes.\n"
    )
