"""The page of `speed warp`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least, at_most, targets_table
from benchmarks.speed.record import (
    LINEAR,
    exponent,
    median,
    median_and_range,
    of_part,
    preamble,
)

OVER_TORCH, OVER_LOOP, SHARE = 1.5, 100.0, 0.8
TORCH, RMLC = "cross-entropy, torch", "RMLC (ramp, kappa 5)"
PRODUCTS, OURS = "matrix product alone", "nearest_rows, this project"
OURS_FAISS, FAISS = f"{OURS}, by faiss", "faiss alone, IndexFlatL2"
SCIKIT_LEARN = "scikit-learn, pairwise_distances_argmin_min"
Line = dict[str, Any]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed warp` out: Markdown."""
    parts = ["# Speed of ramp-loss WARP\n", preamble(header)]
    parts += _epochs(header, of_part(lines, "epoch"))
    parts += _scaling(of_part(lines, "scaling"))
    parts += _propagation(header, of_part(lines, "propagation"))
    return "\n".join(parts)


def _epochs(header: Mapping[str, Any], found: dict[str, list[Line]]) -> list[str]:
    if not found:
        return []
    (loop,) = found.pop("loop", [{"cpu_seconds": None, "rows": 0}])
    rows_of_all = next(iter(found.values()))[0]["rows"] if found else 0
    whole = loop["cpu_seconds"] and loop["cpu_seconds"] * rows_of_all / loop["rows"]
    middle = {name: median(lines) for name, lines in found.items()}
    torch, ours = middle.get(TORCH), middle.get(RMLC)
    rows = [
        [
            name,
            median_and_range(lines),
            f"{middle[name] / torch:.2f}" if torch else "",
            f"{whole / middle[name]:,.0f}" if whole else "",
            f"{lines[-1]['loss']:.4f}",
            f"{lines[-1]['average_precision']:.3f}",
        ]
        for name, lines in sorted(found.items(), key=lambda pair: middle[pair[0]])
    ]
    if whole:
        over = f"{whole / torch:,.0f}" if torch else ""
        name = f"RMLC, a loop over pairs ({loop['rows']} rows, scaled)"
        rows.append([name, f"{whole:.1f}", over, "1", "", ""])
    rows.append(["WARP, LightFM", "absent", "", "", "", ""])
    what = "RMLC's epoch over torch's logistic one"
    targets = [Target(what, f"at most {OVER_TORCH:g}", "no such point", None)]
    if ours and torch:
        targets = [at_most(what, OVER_TORCH, ours / torch)]
    targets.append(at_least("RMLC over the loop", OVER_LOOP, whole, ours))
    head = [header["epochs"], "CPU s per epoch, median (min to max)", "over torch"]
    notes = (
        "The set-up is part of the time. The loss is the mean over the rows trained on,\n"
        "recomputed from the coefficients; average precision is that of other rows. LightFM\n"
        "learns factors of rows and labels by one sampled pair per step, which is another model;\n"
        "its last release, 1.17, does not build on Python 3.11.\n"
    )
    text = table([*head, "times the loop's speed", "loss", "average precision"], rows)
    return ["## An epoch\n", text, notes, targets_table(targets)]


def _scaling(found: Mapping[str, list[Line]]) -> list[str]:
    lines = sorted((one for (one,) in found.values()), key=lambda one: (one["labels"], one["rows"]))
    if not lines:
        return []
    rows = [
        [
            f"{one['rows']:,} x {one['features']:,}, {one['labels']} labels",
            f"{one['cpu_seconds']:.2f}",
            f"{1e6 * one['cpu_seconds'] / one['rows']:.2f}",
            f"{4e-6 * one['rows'] * one['features']:,.0f}",
            f"{one['peak_mb']:,.0f}",
        ]
        for one in lines
    ]
    targets = []
    for axis, others in (("rows", ("features", "labels")), ("labels", ("rows", "features"))):
        groups: dict[tuple, list[Line]] = {}
        for one in sorted(lines, key=lambda one: one[axis]):
            groups.setdefault(tuple(one[name] for name in others), []).append(one)
        for group in (group for group in groups.values() if len(group) > 1):
            values, seconds = ([one[name] for one in group] for name in (axis, "cpu_seconds"))
            span = f"{values[0]:,} to {values[-1]:,} {axis}"
            slope = exponent(values, seconds)
            targets.append(at_most(f"exponent of an epoch's time, {span}", LINEAR, slope))
    head = ["RMLC from a mapped cache", "CPU s per epoch", "µs per row", "MB of features"]
    text = table([*head, "MB allocated at the peak"], rows)
    return ["## Scaling\n", text, targets_table(targets)]


def _propagation(header: Mapping[str, Any], found: Mapping[str, list[Line]]) -> list[str]:
    if not found:
        return []
    middle = {name: median(lines) for name, lines in found.items() if lines[0]["seconds"]}
    product = middle.get(PRODUCTS)
    rows = [
        [name, median_and_range(found[name]), f"{product / middle[name]:.0%}" if product else ""]
        if name in middle
        else [name, "absent", ""]
        for name in (PRODUCTS, OURS, OURS_FAISS, SCIKIT_LEARN, FAISS)
        if name in found
    ]
    share = product / middle[OURS] if product and OURS in middle else None
    target = Target(
        "the matrix product's share of the time of nearest_rows",
        f"at least {SHARE:.0%}",
        "no such point" if share is None else f"{share:.0%}",
        None if share is None else share >= SHARE,
    )
    head = [header["propagation"], "CPU s, median (min to max)", "share of the product"]
    return ["## Propagation\n", table(head, rows), targets_table([target])]
