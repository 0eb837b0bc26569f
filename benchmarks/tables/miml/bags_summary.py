"""Result lines of ``tables miml --bags`` over splits, and paired by seed."""

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.report.statistics import Quoted, over_splits
from classify.metrics import MIML_METRICS
from classify.results import Line

REGIONS, NETWORK, NO_INSTANCES = "published", "network", "none"  # `instances` of a line

#: (method, instances) to metric to mean and std over the splits.
Summary = dict[tuple[str, str], dict[str, Quoted]]


def whole_training(header: Mapping[str, Any], lines: Iterable[Line]) -> list[Line]:
    """Keep the lines of fits on the whole training part."""
    return [line for line in lines if line["n_train"] == header["train_rows"]]


def summarize(lines: Iterable[Line]) -> Summary:
    """Average each method's lines over the splits."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line["method"], line["instances"]), []).append(line)
    return {
        group: {m: over_splits([line[m] for line in members]) for m in MIML_METRICS}
        for group, members in groups.items()
    }


def by_seed(lines: Iterable[Line], method: str, instances: str) -> dict[int, float]:
    """Give a method's average precision by seed."""
    wanted = (method, instances)
    return {
        line["seed"]: line["example_ap"]
        for line in lines
        if (line["method"], line["instances"]) == wanted
    }


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> list[float]:
    """Subtract on the seeds that both have."""
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
