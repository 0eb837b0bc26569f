"""Page, claims and README table of ``tables auto`` from its result lines alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.claims import show_differences
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.statistics import over_splits
from benchmarks.report.targets import Target, count_of, targets_table
from benchmarks.tables.task import data_and_layers, sources_of
from classify.results import Line

KEY = ("choice", "seed")
FORMER = "former default"
AUTO, BLEND = "auto", "auto, blended"
TITLES = {
    FORMER: "former default (l2, no scaling, C = 1)",
    AUTO: "`fit --no-blend`",
    BLEND: "`fit` with no options",
}
COLUMNS = {
    "example_ap": "average precision",
    "map": "mAP",
    "f1_zero": "macro F1, threshold 0",
    "f1_thresholds": "macro F1, thresholds",
    "ece_sigmoid": "ECE, sigmoid",
    "ece_platt": "ECE, Platt",
}
MARGIN = 0.002  # of average precision, that the choice may stay below the best single one


def name_of(learner: str, scaling: str) -> str:
    """Name a single choice, whose C is chosen inside the training rows."""
    return f"{learner}, {scaling}"


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables auto` out: Markdown."""
    data, layers = data_and_layers(header)
    splits = "the official split" if header["split"] == "official" else _over(header)
    return "\n".join(
        [
            f"# {data}: what `fit` chooses, on {layers}\n",
            f"{len(header['label_names'])} labels, {header['train_rows']} training and "
            f"{header['rows'] - header['train_rows']} test images, {splits}. Every choice is a "
            "learner and a scaling, whose C is chosen by three folds of the training rows; `fit` "
            "chooses all three by them, by the mean of average precision and mAP, and with no "
            "options averages up to three choices where that is better out of fold. "
            "Thresholds (for F1) and Platt's slopes come from out-of-fold scores. L1 is tried on "
            "the two best scalings of a split only, and is listed where it was tried on all.\n",
            table(["choice", *COLUMNS.values()], _rows(lines)),
            "## The choice beside others\n",
            _comparison(lines),
            "## What was chosen\n",
            _chosen(lines),
            "## Targets\n",
            targets_table(_targets(lines)),
            sources_of(header),
        ]
    )


def readme(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Write the README's short table; parameters as for `page`."""
    best = _best_single(lines)
    kept = ("example_ap", "map", "f1_thresholds", "ece_platt")
    rows = [
        [title, *(mean_and_std(*over_splits(_values(lines, name, key)), digits=3) for key in kept)]
        for title, name in (
            (TITLES[FORMER], FORMER),
            (f"best single choice, by hindsight ({best})", best),
            (TITLES[AUTO], AUTO),
            (TITLES[BLEND], BLEND),
        )
    ]
    return table(["choice", *(COLUMNS[key] for key in kept)], rows)


def _over(header: Mapping[str, Any]) -> str:
    return f"mean ± standard deviation (ddof 1) over the splits of seeds {header['seeds']}"


def _values(lines: Sequence[Line], choice: str, key: str) -> list[float]:
    of_choice = [line for line in lines if line["choice"] == choice]
    return [line[key] for line in sorted(of_choice, key=lambda line: line["seed"])]


def _choices(lines: Sequence[Line]) -> list[str]:
    """List the choices that every split has: the former default, single ones, `fit`'s."""
    seeds = len({line["seed"] for line in lines})
    counts = Counter(line["choice"] for line in lines)
    whole = sorted(name for name, count in counts.items() if count == seeds)
    return [FORMER, *(name for name in whole if name not in TITLES), AUTO, BLEND]


def _best_single(lines: Sequence[Line]) -> str:
    single = [name for name in _choices(lines) if name not in TITLES]
    return max(single, key=lambda name: over_splits(_values(lines, name, "example_ap")).mean)


def _rows(lines: Sequence[Line]) -> list[list[str]]:
    return [
        [
            TITLES.get(name, name),
            *(mean_and_std(*over_splits(_values(lines, name, key))) for key in COLUMNS),
        ]
        for name in _choices(lines)
    ]


def _gains(lines: Sequence[Line], other: str, key: str) -> list[float]:
    pairs = zip(_values(lines, BLEND, key), _values(lines, other, key), strict=True)
    return [ours - theirs for ours, theirs in pairs]


def _comparison(lines: Sequence[Line]) -> str:
    best = _best_single(lines)
    rows = [
        [title, *(show_differences(_gains(lines, name, key)) for key in ("example_ap", "map"))]
        for title, name in (
            ("the former default", FORMER),
            (f"the best single choice by hindsight, {best}", best),
            ("the best choice by the folds, `--no-blend`", AUTO),
        )
    ]
    return table(["`fit` with no options minus", "average precision", "mAP"], rows)


def _chosen(lines: Sequence[Line]) -> str:
    texts = [line["chosen"] for line in lines if line["choice"] == BLEND]
    first = Counter(text.partition(", C = ")[0] for text in texts)
    sizes = Counter(len(text.split(" + ")) for text in texts)
    rows = [[f"{name} is the best", str(n)] for name, n in first.most_common()]
    rows += [[f"{count_of(size, 'choice')} averaged", str(n)] for size, n in sorted(sizes.items())]
    return table(["by the folds", "splits"], rows)


def _targets(lines: Sequence[Line]) -> list[Target]:
    best = _best_single(lines)
    below = -over_splits(_gains(lines, best, "example_ap")).mean
    gain = over_splits(_gains(lines, FORMER, "example_ap")).mean
    former = "average precision above the former default"
    return [
        Target(
            f"average precision below the best single choice, {best}",
            f"at most {MARGIN}",
            f"{below:.4f}",
            below <= MARGIN,
        ),
        Target(former, "at least 0", f"{gain:.4f}", gain >= 0),
    ]
