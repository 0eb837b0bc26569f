"""The page of `speed miml`, from its lines alone."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least, at_most, targets_table
from benchmarks.speed.record import of_part, preamble

OVER_PRODUCTS, OVER_DISTANCE_LOOP, OVER_EPOCH_LOOP, TUNING = 1.5, 200.0, 20.0, 60.0
#: Title to constructor of the methods, in the order of the table.
METHODS: Mapping[str, str] = {
    name: f"classify.miml.{name.lower()}:{name}"
    for name in ("MIMLSVM", "MIMLkNN", "MIMLfast", "RankLSIM", "KISAR", "DBA")
}
CLOSE, SAME = 1e-5, 1e-9  # relative in float32; absolute in float64
Line = dict[str, Any]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed miml` out: Markdown."""
    parts = ["# Speed of the multi-instance methods\n", preamble(header)]
    parts += _distances(header, of_part(lines, "distances"))
    parts += _tuning(header, of_part(lines, "tuning"))
    parts += _epoch(of_part(lines, "epoch"))
    return "\n".join(parts)


def _median(lines: Sequence[Line], field: str = "cpu_seconds") -> float | None:
    return statistics.median(line[field] for line in lines) if lines else None


def _per_pair(lines: Sequence[Line], field: str = "cpu_seconds") -> float | None:
    """Microseconds per pair, the median over rounds."""
    return statistics.median(1e6 * one[field] / one["pairs"] for one in lines) if lines else None


def _distances(header: Mapping[str, Any], found: Mapping[str, list[Line]]) -> list[str]:
    names = {
        "distances": "bag_distances, this project",
        "products": "the matrix products alone, half by symmetry",
        "cdist": "loop over pairs of bags, scipy's cdist",
        "loop": "loop over pairs of bags and of instances, numpy",
    }
    rows = [
        [
            names[what],
            f"{found[what][0]['pairs']:,}",
            f"{_median(found[what]):.2f}",
            f"{_median(found[what], 'seconds'):.2f}",
            f"{_per_pair(found[what]):,.1f}",
        ]
        for what in names
        if what in found
    ]
    ours, products = _median(found.get("distances", [])), _median(found.get("products", []))
    what = "Hausdorff distances over the matrix products"
    over = Target(what, f"at most {OVER_PRODUCTS:g}", "not measured", None)
    if ours is not None and products:
        over = at_most(what, OVER_PRODUCTS, ours / products)
    targets = [
        over,
        at_least(
            "Hausdorff distances over the loop, per pair of bags",
            OVER_DISTANCE_LOOP,
            _per_pair(found.get("loop", [])),
            _per_pair(found.get("distances", [])),
        ),
        _agreement("distances", [*found.get("loop", []), *found.get("cdist", [])], CLOSE),
    ]
    head = [header["distances"], "pairs of bags", "CPU s", "wall s", "CPU µs per pair"]
    return ["## Hausdorff distances\n", table(head, rows), *_memory(found), targets_table(targets)]


def _memory(found: Mapping[str, list[Line]]) -> list[str]:
    lines = found.get("distances", [])
    if not lines:
        return []
    peak = max(line["peak_mb"] for line in lines)
    return [
        f"The computation allocates {peak:,.0f} MB at its peak, beside "
        f"{lines[0]['instances_mb']:,.0f} MB of instances.\n"
    ]


def _tuning(header: Mapping[str, Any], found: Mapping[str, list[Line]]) -> list[str]:
    found = {name: found[name] for name in METHODS if name in found}
    rows = [
        [
            name,
            f"{_median(lines):.1f}",
            f"{_median(lines, 'seconds'):.1f}",
            f"{lines[0]['example_ap']:.3f}",
            lines[0]["settings"].strip("{}").replace('"', ""),
        ]
        for name, lines in found.items()
    ]
    total = sum(_median(lines) or 0 for lines in found.values())
    wall = sum(_median(lines, "seconds") or 0 for lines in found.values())
    rows.append(["all", f"{total:.1f}", f"{wall:.1f}", "", ""])
    target = Target(
        "CPU seconds of all six methods",
        f"at most {TUNING:g}",
        f"{total:.1f}",
        total <= TUNING if len(found) == len(METHODS) else None,
    )
    head = [f"{header['tuning']}, tuned", "CPU s", "wall s", "average precision", "chosen"]
    return ["## One split, tuned\n", table(head, rows), targets_table([target])]


def _epoch(found: Mapping[str, list[Line]]) -> list[str]:
    names = {"epoch": "compiled epoch, this project", "loop": "numpy loop"}
    rows = [
        [name, f"{found[what][0]['pairs']:,}", f"{_per_pair(found[what]):,.1f}"]
        for what, name in names.items()
        if what in found
    ]
    ours, loop = found.get("epoch", []), found.get("loop", [])
    targets = [
        at_least(
            "MIMLfast over the loop, per pair", OVER_EPOCH_LOOP, _per_pair(loop), _per_pair(ours)
        ),
        _agreement("MIMLfast's parameters", loop, SAME),
    ]
    head = [
        "one epoch of MIMLfast at its defaults",
        "pairs of a bag and a label",
        "CPU µs per pair",
    ]
    return ["## MIMLfast\n", table(head, rows), targets_table(targets)]


def _agreement(what: str, lines: Sequence[Line], limit: float) -> Target:
    asked = f"within {limit:g} of the loop's"
    if not lines:
        return Target(what, asked, "not measured", None)
    error = max(line["error"] for line in lines)
    return Target(what, asked, f"{error:.0e}", error <= limit)
