"""The page of `speed cache`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_most, targets_table
from benchmarks.speed.record import exponent
from classify.results import Line

AFTER, BEFORE = "now", "before"
STEPS = (
    "first open", "open", "1,000 random rows", "info", "verify", "start of extraction",
    "index.csv anew", "hash of labels",
)  # fmt: skip
LINEAR = 1.05  # largest exponent that counts as linear
OPEN, START = "open", "start of extraction"
OPEN_SECONDS, OPEN_MB = 1.0, 200.0
START_SECONDS, MOST_MB = 300.0, 2048.0

Key = tuple[str, str, int]  # step, version, rows


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed cache` out.

    Parameters
    ----------
    header : mapping
    lines : sequence of dict

    Returns
    -------
    str
        Markdown.
    """
    found: dict[Key, Line] = {(one["step"], one["version"], one["rows"]): one for one in lines}
    steps = [step for step in STEPS if any(one["step"] == step for one in lines)]
    sizes = sorted({one["rows"] for one in lines})
    rows = [
        [step, version, *(_cell(found.get((step, version, size))) for size in sizes), slope]
        for step in steps
        for version in (BEFORE, AFTER)
        if (slope := _exponent(found, step, version, sizes)) is not None
    ]
    heads = ["step", "version", *(f"{size:,} rows" for size in sizes), "exponent of s"]
    return "\n".join(
        [
            "# Caches of many rows\n",
            f"{header['machine']}; {header['task']}, made up, in shards of 2,048 rows. Seconds of "
            "a step, without the start of Python, and the peak memory (resident, MiB) of the "
            "process that runs nothing else; one round, files in the system's memory where they "
            "fit. *First open* has no `index.marks` yet. *Start of extraction* is what a resumed "
            "extraction does once it knows names and sizes of the files: hash them, compare the "
            "cache, look for missing shards.\n",
            table(heads, rows),
            targets_table(_targets(found, steps, sizes)),
        ]
    )


def _cell(line: Line | None) -> str:
    return "" if line is None else f"{line['seconds']:.2f} s, {line['peak_mb']:,.0f} MiB"


def _exponent(
    found: Mapping[Key, Line], step: str, version: str, sizes: Sequence[int]
) -> str | None:
    """Give the exponent of a step as text; None if it was not measured at all."""
    times = {
        size: found[step, version, size]["seconds"]
        for size in sizes
        if (step, version, size) in found
    }
    if not times:
        return None
    return f"{exponent(list(times), list(times.values())):.2f}" if len(times) > 1 else ""


def _targets(found: Mapping[Key, Line], steps: Sequence[str], sizes: Sequence[int]) -> list[Target]:
    most = sizes[-1]
    at = f"{most:,} rows"
    opened, started = found[OPEN, AFTER, most], found[START, AFTER, most]
    targets = [
        at_most(f"open, {at}, s", OPEN_SECONDS, opened["seconds"]),
        at_most(f"open, {at}, MiB", OPEN_MB, opened["peak_mb"]),
        at_most(f"start of extraction, {at}, s", START_SECONDS, started["seconds"]),
    ]
    for step in steps:
        peak = found[step, AFTER, most]["peak_mb"]
        targets.append(at_most(f"{step}, {at}, MiB", MOST_MB, peak))
        slope = _exponent(found, step, AFTER, sizes)
        if slope:
            targets.append(at_most(f"{step}, exponent", LINEAR, float(slope)))
    return targets
