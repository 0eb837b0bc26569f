"""The page of `speed imcl`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least, targets_table
from benchmarks.speed.record import median, median_and_range, of_part, preamble

OVER_LOOP, SHARE, CONSTANT = 50.0, 0.6, 1.25
OURS, PRODUCTS = "joint_omp, this project", "its matrix products alone"
LOOP, BY_QUERY = "loop over atoms", "one query at a time, numpy"
FEATURES_ALONE, LABELS_ALONE = "scikit-learn, features alone", "scikit-learn, labels alone"
BATCHED = "orthogonal-matching-pursuit-gpu, features alone"
Line = dict[str, Any]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed imcl` out: Markdown."""
    parts = ["# Speed of IMCL\n", preamble(header)]
    parts += _pursuit(header, of_part(lines, "pursuit"), of_part(lines, "agreement"))
    parts += _steps(header, of_part(lines, "step"))
    parts += _memory(of_part(lines, "memory"))
    return "\n".join(parts)


def _pursuit(header, found: Mapping[str, list[Line]], agreement) -> list[str]:
    if not found:
        return []
    whole = max(line["queries"] for lines in found.values() for line in lines)
    scaled = {
        name: [{"s": one["cpu_seconds"] * whole / one["queries"]} for one in lines]
        for name, lines in found.items()
    }
    middle = {name: median(lines, "s") for name, lines in scaled.items()}
    loop, ours, products = (middle.get(name) for name in (LOOP, OURS, PRODUCTS))
    rows = []
    for name in (OURS, PRODUCTS, BY_QUERY, LOOP, FEATURES_ALONE, LABELS_ALONE, BATCHED):
        if name in found:
            few = found[name][0]["queries"]
            title = name if few == whole else f"{name} ({few} queries, scaled)"
            over = f"{loop / middle[name]:,.1f}" if loop else ""
            rows.append([title, median_and_range(scaled[name], "s"), over])
    share = products / ours if products and ours else None
    targets = [
        at_least("joint_omp against the loop", OVER_LOOP, loop, ours),
        Target(
            "share of the products in joint_omp's time",
            f"at least {SHARE:.0%}",
            "no such point" if share is None else f"{share:.0%}",
            None if share is None else share >= SHARE,
        ),
    ]
    notes = []
    for (one,) in agreement.values():
        same = f"{one['same']}; weights differ by {one['difference']:.0e} at most"
        what, asked = "queries with the loop's neighbors", f"{one['queries']} of {one['queries']}"
        targets.append(Target(what, f"{asked}, ties apart", same, one["same"] == one["queries"]))
        notes.append(
            f"A query finds {one['neighbors']:.2f} neighbors. The libraries solve a simpler\n"
            "problem: one kind of rows, signs free, nothing chosen jointly.\n"
        )
    head = [header["pursuit"], "CPU s, median (min to max)", "times as fast as the loop"]
    return ["## Joint matching pursuit\n", table(head, rows), *notes, targets_table(targets)]


def _steps(header, found: Mapping[str, list[Line]]) -> list[str]:
    if not found:
        return []
    middle = {
        lines[0]["rows"]: median(lines)
        for lines in sorted(found.values(), key=lambda lines: lines[0]["rows"])
    }
    ratio = max(middle.values()) / min(middle.values())
    target = Target(
        f"a step's time, {min(middle):,} to {max(middle):,} rows",
        f"the same within {CONSTANT:g} x",
        f"{ratio:.2f} x",
        ratio <= CONSTANT if len(middle) > 1 else None,
    )
    rows = [
        [f"{count:,} x {header['step']}", f"{1e3 * seconds:.1f}"]
        for count, seconds in middle.items()
    ]
    text = table(["training rows, mapped", "CPU ms per step of a batch, median"], rows)
    return ["## A training step\n", text, targets_table([target])]


def _memory(found: Mapping[str, list[Line]]) -> list[str]:
    rows = [
        [
            f"{one['rows']:,} x {one['features']:,}, {one['labels']:,} labels",
            f"{one['rows'] * one['features'] * 4e-6:,.0f}",
            f"{one['rows'] * one['labels'] * 1e-6:,.0f}",
            f"{one['peak_mb']:,.0f}",
            f"{one['cpu_seconds']:.0f}",
        ]
        for (one,) in found.values()
    ]
    if not rows:
        return []
    head = ["a fit from mapped files", "MB of features", "MB of labels", "MB allocated at the peak"]
    steps = next(iter(found.values()))[0]["steps"]
    return ["## Memory\n", table([*head, f"CPU s, {steps} steps and all before"], rows)]
