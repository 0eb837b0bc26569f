"""Learning curves of ``tables miml --bags``: metrics by training size, drawn and in tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import heading, over_splits
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
    """Lay average precision out by training size, each method on the splits that all sizes have.

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
    values: dict[tuple[str, str], dict[int, dict[int, float]]] = {}
    for line in lines:
        by_size = values.setdefault((line["instances"], line["method"]), {n: {} for n in sizes})
        by_size[line["n_train"]][line["seed"]] = line["example_ap"]
    seeds = {place: _common(by_size.values()) for place, by_size in values.items()}
    counts = sorted({len(found) for found in seeds.values() if found})
    over = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    parts = [f"## Average precision by training images, {over} split{'s' * (counts[-1] != 1)}\n"]
    several = len(counts) > 1
    for kind, title in _TITLES.items():
        rows = []
        for name, method in METHODS.items():
            if found := seeds.get((kind, name)):
                of_size = values[kind, name]
                means = [over_splits([of_size[n][seed] for seed in found]) for n in sizes]
                number = [str(len(found))] if several else []
                rows.append([method.title, *number, *(mean_and_std(*m, digits=3) for m in means)])
        head = ["method", *(["splits"] if several else []), *map(str, sizes)]
        parts += [title, table(head, rows)] if rows else []
    return "\n".join(parts)


def _common(by_size: Iterable[Mapping[int, float]]) -> list[int]:
    """List the seeds that every size has."""
    return sorted(set.intersection(*(set(found) for found in by_size)))
