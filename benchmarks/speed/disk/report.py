"""The page of `speed disk`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, targets_table
from classify.results import Line

STEPS = ("read", "fit l2", "sweep l2", "fit rmlc")
GAP = 1e-4  # the estimator's own tolerance
SETTLED = 0.02  # change of the loss in the last epoch
TARGETS = (
    ("fit l2", "fit l2, relative gap", GAP, "gap"),
    ("sweep l2", "sweep l2, relative gap", GAP, "gap"),
    ("fit rmlc", "fit rmlc, change of the loss in the last epoch", SETTLED, "last_change"),
)


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed disk` out: Markdown."""
    found = {line["what"]: line for line in lines}
    size = header["rows"] * header["columns"] * 4
    once = found["read"]["seconds"]
    rows = [
        [
            step,
            f"{line['seconds']:.0f}",
            f"{line['cpu_seconds']:.0f}",
            f"{line['passes']:.1f}",
            f"{line['passes'] * size / line['seconds'] / 1e6:,.0f}",
            f"{line['seconds'] / (max(line['passes'], 1e-9) * once):.1f}",
            _reached(line),
        ]
        for step in STEPS
        if (line := found.get(step))
    ]
    head = ["step", "s", "CPU s", "passes over the rows", "MB/s", "times the read", "reached"]
    return "\n".join(
        [
            "# Caches larger than memory\n",
            f"{header['machine']}; a made-up cache of {header['rows']:,} rows x "
            f"{header['columns']:,} float32 columns ({size / 1e9:.1f} GB) with "
            f"{header['labels']} labels, C = {header['C']:.3g}. Each step is a process that may "
            f"allocate {header['limit_mb']:,} MiB (RLIMIT_DATA, with Python and its libraries; "
            "mapped files don't count), and begins with no row of the cache in the system's "
            "memory. *Read* is one pass that computes nothing: the disk's rate. The gap of the "
            "fit is computed anew from its weights, outside the timed line; that of the sweep is "
            "the worst line's. The time of a descent is that of its random rows.\n",
            table(head, rows),
            targets_table(
                Target(what, f"at most {asked:g}", f"{value:.1e}", value <= asked)
                for step, what, asked, field in TARGETS
                if step in found
                for value in [found[step][field]]
            ),
        ]
    )


def _reached(line: Line) -> str:
    if "gap" in line:
        return f"gap {line['gap']:.1e}"
    return f"loss changes by {line['last_change']:.1%}" if "last_change" in line else ""
