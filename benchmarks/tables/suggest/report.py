"""Page of ``tables suggest`` from its result lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.claims import show_differences, verdict
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.statistics import over_splits
from benchmarks.tables.task import data_and_layers, sources_of
from classify.results import Line

KEY = ("method", "seed", "round")
RANDOM = "random"
METHODS = ("margin+diversity", "margin", "diversity", RANDOM)
COLUMNS = {"example_ap": "average precision", "map": "mAP"}


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables suggest` out: Markdown."""
    data, layers = data_and_layers(header)
    official = header["split"] == "official"
    splits = "the official split and random starts" if official else "random splits and starts"
    parts = [
        f"# {data}: which images to label next, on {layers}\n",
        f"{len(header['label_names'])} labels, {header['train_rows']} images to label or not and "
        f"{header['rows'] - header['train_rows']} test images. From {header['start']} random "
        f"images on, {header['batch']} are labeled in each of {header['rounds']} rounds, picked by "
        "the model of the images labeled so far (L2 logistic regression on square roots divided by "
        f"their maximum, one C); mean ± standard deviation (ddof 1) over {splits} of seeds "
        f"{header['seeds']}. `multilabel suggest` picks by the methods of these names.\n",
    ]
    for key, title in COLUMNS.items():
        parts += [f"## {title}\n", table(["labeled", *METHODS], _rows(lines, key))]
    parts += [
        "## Beside random picks\n",
        "Paired differences of the mean over the rounds after the start. Better: the mean is above "
        "0 by more than two standard errors.\n",
        table(["method minus random", *COLUMNS.values(), "better"], _comparison(lines)),
        "## Labels with an image\n",
        "Labels of which an image is labeled.\n",
        table(["labeled", *METHODS], _rows(lines, "labels", digits=1)),
        sources_of(header),
    ]
    return "\n".join(parts)


def _values(lines: Sequence[Line], method: str, number: int, key: str) -> list[float]:
    found = [one for one in lines if one["method"] == method and one["round"] == number]
    return [one[key] for one in sorted(found, key=lambda one: one["seed"])]


def _rounds(lines: Sequence[Line]) -> list[int]:
    return sorted({one["round"] for one in lines})


def _rows(lines: Sequence[Line], key: str, digits: int = 4) -> list[list[str]]:
    return [
        [
            str(next(one["labeled"] for one in lines if one["round"] == number)),
            *(
                mean_and_std(*over_splits(_values(lines, method, number, key)), digits=digits)
                for method in METHODS
            ),
        ]
        for number in _rounds(lines)
    ]


def gains(lines: Sequence[Line], method: str, key: str) -> list[float]:
    """Give each seed's mean over the rounds after the start, minus that of random picks."""
    rounds = _rounds(lines)[1:]
    ours, theirs = (
        np.mean([_values(lines, name, number, key) for number in rounds], axis=0)
        for name in (method, RANDOM)
    )
    return (ours - theirs).tolist()


def _comparison(lines: Sequence[Line]) -> list[list[str]]:
    rows = []
    for method in METHODS:
        if method == RANDOM:
            continue
        found = {title: gains(lines, method, key) for key, title in COLUMNS.items()}
        better = ", ".join(f"{title}: {_better(values)}" for title, values in found.items())
        rows.append([method, *(show_differences(values) for values in found.values()), better])
    return rows


def _better(differences: Sequence[float]) -> str:
    words = {"holds": "yes", "does not hold": "worse", "not shown": "not shown"}
    return words[verdict(differences)]
