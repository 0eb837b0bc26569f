"""Learning curves of ``tables miml --bags``: metrics by training size, drawn and in tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import heading, over_splits
from benchmarks.report.targets import count_of
from benchmarks.tables.miml.bags_methods import METHODS
from benchmarks.tables.miml.bags_summary import NETWORK, NO_INSTANCES, REGIONS
from classify.metrics import MIML_METRICS
from classify.results import Line

_TITLES = {
    REGIONS: "On the published instances:\n",
    NETWORK: "On the network's instances:\n",
    NO_INSTANCES: "Without instances:\n",
}


def curves(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Panel]:
    """Arrange the learning curves of all methods: one panel per metric and kind of instances."""
    groups: dict[tuple[str, str, int], list[Line]] = {}
    for line in lines:
        groups.setdefault((line["method"], line["instances"], line["n_train"]), []).append(line)
    sizes = sorted({size for _, _, size in groups})
    panels = []
    for kind in (REGIONS, NETWORK):
        if not any(instances == kind for _, instances, _ in groups):
            continue
        for metric in MIML_METRICS:
            drawn = {}
            for method in METHODS.values():
                instances = kind if method.takes == "instances" else "none"
                there = [size for size in sizes if (method.method, instances, size) in groups]
                values = [
                    over_splits([x[metric] for x in groups[method.method, instances, size]])
                    for size in there
                ]
                if len(there) > 1:
                    stds = [float(np.nan_to_num(one.std)) for one in values]
                    drawn[method.title] = Curve(there, [one.mean for one in values], stds)
            panels.append(Panel(f"{heading(metric)}, {kind} instances", drawn, {}))
    return panels


def curve_tables(lines: Sequence[Line]) -> str:
    """Lay average precision out by training size, on the splits that the smallest size has.

    Parameters
    ----------
    lines : sequence of dict
        Of two training sizes or more.

    Returns
    -------
    str
        Markdown.
    """
    sizes = sorted({line["n_train"] for line in lines})
    seeds = {line["seed"] for line in lines if line["n_train"] == sizes[0]}
    values: dict[tuple[str, str, int], list[float]] = {}
    for line in lines:
        if line["seed"] in seeds:
            place = (line["instances"], line["method"], line["n_train"])
            values.setdefault(place, []).append(line["example_ap"])
    parts = [f"## Average precision by training images, {count_of(len(seeds), 'split')}\n"]
    for kind, title in _TITLES.items():
        rows = [
            [
                method.title,
                *(mean_and_std(*over_splits(values[kind, name, n]), digits=3) for n in sizes),
            ]
            for name, method in METHODS.items()
            if all((kind, name, n) in values for n in sizes)
        ]
        parts += [title, table(["method", *map(str, sizes)], rows)] if rows else []
    return "\n".join(parts)
