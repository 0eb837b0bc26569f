"""The page of `speed dask`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_most, targets_table
from classify.results import Line

EXTRACTION, SWEEP = "extraction", "sweep"
OVERHEAD = 0.05  # seconds of a task beside its work


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed dask` out: Markdown."""
    found = {line["what"]: line for line in lines}
    works = [found[name] for name in (EXTRACTION, SWEEP)]
    rows = [
        [
            one["what"],
            f"{one['alone_seconds']:.1f}",
            f"{one['seconds']:.1f}",
            "yes" if one["killed"] else "no",
            "yes" if one["same"] else "no",
        ]
        for one in works
    ]
    costs = {
        name: found[f"{name}, no work"]["seconds"] / header["tasks"] for name in (EXTRACTION, SWEEP)
    }
    targets = [
        Target(f"{one['what']}, bytes", "the same", "yes" if one["same"] else "no", one["same"])
        for one in works
    ]
    targets += [at_most(f"{name}, s a task", OVERHEAD, cost) for name, cost in costs.items()]
    head = ["work", "s in one process", "s on the cluster", "worker lost", "same bytes"]
    return "\n".join(
        [
            "# Dask, with separate processes\n",
            f"{header['machine']}; a scheduler and {header['workers']} workers of one thread, each "
            "a process of its own on this machine. One worker is killed after the first result "
            "and does not come back, another one is stopped for four fifths of the time. "
            f"{header['images']} pictures; the bytes are compared with those of one process.\n",
            table(head, rows),
            f"What a task costs beside its work: {header['tasks']} tasks without work on one "
            "worker, given what real ones are given, took "
            + " and ".join(f"{1000 * cost:.1f} ms each ({name})" for name, cost in costs.items())
            + ".\n",
            targets_table(targets),
        ]
    )
