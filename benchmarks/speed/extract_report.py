"""The page of `speed extract`, from its lines alone."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.speed.record import of_part
from benchmarks.speed.workers import LIMIT

OURS = ("eager", "compile", "openvino")
ARCHIVES = ("zip", "tar")  # the engine `eager` on photos in one archive
OTHERS = ("clip-retrieval", "thingsvision")
LONG = "long run"
Line = dict[str, Any]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed extract` out: Markdown."""
    parts = ["# Speed of extraction\n", f"{header['machine']}\n"]
    for backbone in header["backbones"]:
        if found := of_part(lines, backbone):
            parts.append(_comparison(backbone, header["peers"], found))
    if runs := of_part(lines, LONG):
        parts.append(_long_run([run for (run,) in runs.values()]))
    return "\n".join(parts)


def _comparison(backbone: str, peers: Sequence[str], found: Mapping[str, list[Line]]) -> str:
    rates = {
        name: [line["rate"] for line in lines]
        for name, lines in found.items()
        if "rate" in lines[0]
    }
    limit = statistics.median(rates[LIMIT])  # floating-point operations per second
    measured = [name for name in peers if name in rates]
    base = "loop" if "loop" in rates else next(iter(measured), "")
    # A peer whose torch is too old to count has the network of the others.
    work = max((found[name][0]["flops"] for name in measured), default=0)
    rows = []
    for name in peers:
        label = f"this project, {name}" if name in OURS else name
        label = f"this project, eager, from a {name} file" if name in ARCHIVES else label
        label = "the loop with clip-retrieval's reader" if name == "clip-retrieval" else label
        end = found[name][0]
        if name not in rates:
            rows.append([label, end["absent"], "", "", "", ""])
            continue
        each = rates[name]
        median = statistics.median(each)
        ratio = [a / b for a, b in zip(each, rates[base], strict=True)]
        rows.append(
            [
                label,
                f"{median:.2f} ({min(each):.2f} to {max(each):.2f})",
                f"{statistics.median(ratio):.2f}",
                f"{100 * median * work / limit:.0f} %",
                f"{end['bytes']:,}",
                f"{end['peak_mb']:,.0f}",
            ]
        )
    head = [
        backbone,
        "images/s, median (min to max)",
        f"over {'the loop' if base in ('loop', '') else base}",
        "share of the matrix rate",
        "bytes per image",
        "peak MB",
    ]
    return (
        f"{table(head, rows)}\nMatrix product: {limit / 1e9:,.0f} GFLOP/s. "
        f"Work per image: {work / 1e9:.2f} GFLOP.\n"
    )


def _long_run(runs: Sequence[Line]) -> str:
    short, long = sorted(runs, key=lambda run: run["images"])
    rows = [
        [f"{run['images']:,} images", f"{run['rate']:.2f}", f"{run['peak_mb']:,.0f}"]
        for run in (short, long)
    ]
    ratios = [long[name] / short[name] for name in ("rate", "peak_mb")]
    rows.append(["ratio", *(f"{ratio:.3f}" for ratio in ratios)])
    return table(["resnet18, eager", "images/s", "peak MB"], rows)
