"""The page of `speed finetune`, from its lines alone."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.speed.record import of_part
from benchmarks.speed.workers import LIMIT

IMPLEMENTATIONS = ("loop", "this project")
STEP, TRAINING = "step", "training"
Line = dict[str, Any]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed finetune` out: Markdown."""
    parts = [f"# Fine-tuning\n\n{header['machine']}, {header['precision']}\n"]
    if steps := of_part(lines, STEP):
        parts.append(_steps(header, [step for (step,) in steps.values()]))
    if found := of_part(lines, TRAINING):
        parts.append(_training(header, found))
    return "\n".join(parts)


def _steps(header: Mapping[str, Any], steps: Sequence[Line]) -> str:
    images, labels, part = (header[name] for name in ("images", "labels", "part"))
    rows = []
    for step in sorted(steps, key=lambda one: one["place"]):
        forward, backward = (step[name] * images / part for name in ("forward", "backward"))
        whole = forward + backward + step["update"] + step["ranking"]
        seconds = (forward, backward, step["update"], step["ranking"])
        rows.append(
            [
                step["what"],
                f"{step['parameters']:,}",
                *(f"{value:.3g}" for value in seconds),
                f"{step['ranking'] / whole:.3%}",
                f"{step['peak_mb']:,.0f}",
            ]
        )
    head = ["co-projection", "parameters", "forward, s", "backward, s", "update, s"]
    head += [f"ranking {images} x {labels}, s", "its share", f"peak MB with {part} images"]
    return f"## A step of {images} images\n\n{table(head, rows)}\n"


def _training(header: Mapping[str, Any], found: Mapping[str, list[Line]]) -> str:
    rates = {name: [line["rate"] for line in lines] for name, lines in found.items()}
    limit, rows = statistics.median(rates[LIMIT]), []
    for name in IMPLEMENTATIONS:
        each, end = rates[name], found[name][0]
        median = statistics.median(each)
        ratio = statistics.median(a / b for a, b in zip(each, rates["loop"], strict=True))
        rows.append(
            [
                name,
                f"{median:.2f} ({min(each):.2f} to {max(each):.2f})",
                f"{ratio:.2f}",
                f"{median * end['flops'] / limit:.0%}",
                f"{end['peak_mb']:,.0f}",
            ]
        )
    head = [f"{header['loop_backbone']} at {header['loop_size']}", "images/s, median (min to max)"]
    head += ["over the loop", "share of the matrix rate", "peak MB"]
    return (
        f"## Training, batches of {header['images']}, from JPEG to a saved state\n\n"
        f"{table(head, rows)}\nMatrix product: {limit / 1e9:,.0f} GFLOP/s.\n"
    )
