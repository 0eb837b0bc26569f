"""From the result lines of ``tables rml`` to its tables and curves. Fits nothing.

What follows from the numbers is in `benchmarks.tables.rml.claims`.
"""

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import Quoted, heading, over_splits
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.report import quoted_rows
from benchmarks.tables.rml.learners import CONTENDERS, TOP3, Protocol
from benchmarks.tables.rml.published import RML_NOTES, RML_SEMI_SUPERVISED, RML_TABLES
from classify.metrics import METRICS, MIML_METRICS
from classify.parallel import Trial
from classify.results import Line

TITLES = {
    "precision_macro": "P-C",
    "recall_macro": "R-C",
    "f1_macro": "F1-C (mean)",
    "f1_macro_harmonic": "F1-C (harmonic)",
    "precision_micro": "P-O",
    "recall_micro": "R-O",
    "f1_micro": "F1-O",
    "map": "mAP (plain)",
    "map_voc12": "mAP (voc12)",
}
CHOSEN = "the best inside"
CURVES = ("top3_f1_macro", "map")

#: (learner, noise, labelled) to its lines, a draw each.
Groups = dict[tuple[str, float, float], list[Line]]


class Runs(NamedTuple):
    """The fits of each part; a part that was not asked for has none.

    Attributes
    ----------
    supervised, noise, semi : list of mapping
        ``learner``, ``noise``, ``labelled`` and ``draw`` of each fit.
    """

    supervised: list[Trial]
    noise: list[Trial]
    semi: list[Trial]

    def all(self) -> list[Trial]:
        """List every fit once: parts share those of all labels, all right."""
        return list({tuple(fit.values()): fit for part in self for fit in part}.values())


def group(fits: Sequence[Trial], lines: Sequence[Line]) -> Groups:
    """Collect the lines of some fits by all but their draw, in the order of the fits."""
    names = ("learner", "noise", "labelled", "draw")
    by_key = {tuple(line[name] for name in names): line for line in lines}
    groups: Groups = {}
    for fit in fits:
        key = tuple(fit[name] for name in names)
        groups.setdefault(key[:3], []).append(by_key[key])
    return groups


def chosen_inside(groups: Groups, metric: str) -> list[Line]:
    """Pick, for each draw, the line of the learner with the best score inside the training rows."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    members = [{line["draw"]: line for line in lines} for lines in groups.values()]
    draws = sorted(set().union(*members))
    # What no seed moves was fitted once for all draws.
    rivals = [[lines.get(draw, lines[min(lines)]) for lines in members] for draw in draws]
    return [max(lines, key=lambda line: sign * line["inner"]) for lines in rivals]


def mean_of(lines: Sequence[Line], metric: str) -> Quoted:
    """Mean and standard deviation of a metric over draws; undefined where a fit failed."""
    return over_splits([line.get(metric) for line in lines])


def title_of(metric: str) -> str:
    """Name a metric for people.

    Examples
    --------
    >>> title_of("top3_f1_macro"), title_of("one_error")
    ('F1-C (mean)', 'one-error ↓')
    """
    name = metric.removeprefix("top3_positive_").removeprefix("top3_")
    return TITLES[name] if name in TITLES else heading(name)


def markdown(
    groups: Sequence[Groups],
    protocol: Protocol,
    header: Mapping[str, Any],
) -> str:
    """Write the report but for what follows: the protocol, then the parts, groups in that order."""
    supervised, noise, semi = groups
    parts = [f"# {header['data']}: losses on {_layers(header)}\n", _protocol(protocol, header)]
    if supervised:
        parts += _supervised(supervised, protocol, header)
    if noise:
        parts += _noise(noise, protocol)
    if semi:
        parts += _semi(semi)
    return "\n".join(parts)


def noise_panels(groups: Groups) -> list[Panel]:
    """Arrange the noise curves: a panel a metric."""
    rates = sorted({rate for _, rate, _ in groups})
    panels = []
    for metric in CURVES:
        curves = {}
        for learner in dict.fromkeys(name for name, _, _ in groups):
            values = [mean_of(groups[learner, rate, 1.0], metric) for rate in rates]
            stds = [np.nan_to_num(value.std) for value in values]
            curves[learner] = Curve(rates, [value.mean for value in values], stds)
        label = "share of training rows with wrong labels"
        panels.append(Panel(f"{title_of(metric)} of the clean test rows", curves, {}, xlabel=label))
    return panels


def _layers(header) -> str:
    return " and ".join(", ".join(cache["layers"]) for cache in header["caches"])


def _protocol(protocol: Protocol, header) -> str:
    n_train, rows = header["train_rows"], header["rows"]
    widths = [sum(cache["layers"].values()) for cache in header["caches"]]
    if header["split"] == "official":
        split = (
            "The official split; draws differ by their seeds, the first draw's settings serve all."
        )
    else:
        split = "Random splits, each draw has its own and chooses its own settings."
    scaled = (
        "The columns of each cache are divided by the mean distance of its training rows from "
        "their mean"
    )
    if len(widths) > 1:
        columns = " and ".join(map(str, widths))
        scaled += f" and stand side by side ({columns}), so that the caches weigh alike"
    inner = f"{protocol.validation:g} of them" if protocol.folds == 1 else f"{protocol.folds} folds"
    return "\n".join(
        [
            paragraph(
                f"{n_train} training and {rows - n_train} test images, "
                f"{len(header['label_names'])} labels, {header['labels_per_image']:.2f} per "
                f"image; mean ± standard deviation (ddof 1) over draws. {scaled}. {split}"
            ),
            paragraph(
                f"Chosen by {protocol.metric} on {inner}, of the training rows alone, before a fit "
                f"to all of them: scaling ({', '.join(protocol.scales)}); for descents of "
                f"{protocol.epochs} epochs (more on fewer rows, for as many steps) learning rate "
                f"({_numbers(protocol.learning_rates)}) and weight decay "
                f"({_numbers(protocol.weight_decays)}); for logistic regression C "
                f"({_numbers(protocol.C)})."
            ),
        ]
    )


def _numbers(values) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _supervised(groups: Groups, protocol: Protocol, header) -> list[str]:
    groups = {**groups, (CHOSEN, 0.0, 1.0): chosen_inside(groups, protocol.metric)}
    signs = {key: lines for key, lines in groups.items() if _has_signs(lines)}
    parts = [
        "## All labels\n",
        paragraph(
            f"Exactly three labels an image, in per cent. `{CHOSEN}` is, in each draw, the learner "
            "with the best score inside the training rows."
        ),
        _top3_table(groups, "top3"),
        paragraph(
            "As published, in per cent, by networks fine-tuned on larger sets (CNN+RMLC is the "
            "paper's learner on fixed features): the order may be compared, the values not."
        ),
        _quoted_top3(),
        "\n".join(f"- {note}" for note in RML_NOTES) + "\n",
    ]
    if signs:
        parts += [
            paragraph(
                "The best three, but only those with a score above 0, for learners whose signs "
                "have a meaning."
            ),
            _top3_table(signs, "top3_positive", ()),
        ]
    parts += ["The metrics of the multi-instance multi-label papers.\n", _miml(groups, header)]
    return [*parts, "What was chosen, and in how many draws.\n", _choices(groups)]


def _top3_table(groups: Groups, rule: str, more=("map", "map_voc12")) -> str:
    metrics = [*(f"{rule}_{value}" for value in TOP3), *more]
    rows = [
        [key[0], *(_per_cent(mean_of(lines, metric)) for metric in metrics)]
        for key, lines in groups.items()
    ]
    return table(["learner", *map(title_of, metrics)], rows)


def _quoted_top3() -> str:
    rows = []
    for data, methods in RML_TABLES.items():
        for method, values in methods.items():
            cells = [f"{100 * x:.1f}" if x is not None else "" for x in values.values()]
            rows.append([f"{method}, {data}, quoted", *cells])
    (first, *_), *_ = (list(methods.values()) for methods in RML_TABLES.values())
    return table(["method", *map(title_of, first)], rows)


def _miml(groups: Groups, header) -> str:
    rows = []
    for (learner, _, _), lines in groups.items():
        cells = [mean_and_std(*mean_of(lines, metric)) for metric in MIML_METRICS]
        if not _has_signs(lines):
            cells[MIML_METRICS.index("hamming_loss")] = ""
        rows.append([learner, *cells])
    names = {name.lower() for name in header["label_names"]}
    for paper in MIML_TABLES.values():
        if paper.labels == names:
            rows += quoted_rows(paper, paper.ours)
    return table(["learner", *map(heading, MIML_METRICS)], rows)


def _choices(groups: Groups) -> str:
    rows = []
    for (learner, _, _), lines in groups.items():
        name = "{learner}, {setting}" if learner == CHOSEN else "{setting}"
        counts = Counter(name.format(**line) for line in lines)
        texts = [f"{setting} ({count})" for setting, count in counts.most_common(3)]
        rows.append([learner, "; ".join(texts) + ("; others" if len(counts) > 3 else "")])
    return table(["learner", "settings"], rows)


def _has_signs(lines: Sequence[Line]) -> bool:
    return all(CONTENDERS[line["learner"]].signs for line in lines)


def _noise(groups: Groups, protocol: Protocol) -> list[str]:
    first = next(iter(groups))[0]
    wrong = [mean_of(lines, "wrong_rows") for key, lines in groups.items() if key[0] == first]
    return [
        "## Wrong labels\n",
        paragraph(
            f"Labels of a share of the training rows replaced ({protocol.variant}), settings "
            "chosen on training rows with such labels among them; test labels are clean. Three "
            "labels an image. Of all training rows "
            f"{', '.join(f'{100 * rate.mean:.1f}' for rate in wrong)} per cent then have other "
            "labels than they had."
        ),
        *_by(groups, 0, "wrong"),
    ]


def _semi(groups: Groups) -> list[str]:
    quoted = [
        [f"{name}, quoted", *(mean_and_std(*number, digits=2) for number in numbers.values())]
        for name, numbers in RML_SEMI_SUPERVISED.items()
    ]
    data = next(iter(RML_SEMI_SUPERVISED.values()))
    return [
        "## Few labels\n",
        paragraph(
            "RMLC and BCE learn from the labelled rows alone; SS-RMLC gives the other training "
            "rows the labels of their nearest labelled one. Three labels an image."
        ),
        *_by(groups, 1, "labelled"),
        "As published, accuracy with 4,000 and 1,000 labelled images, by fine-tuned networks.\n",
        table(["method", *data], quoted),
    ]


def _by(groups: Groups, place: int, word: str) -> list[str]:
    """Lay out the metrics, then what was chosen, by learner and noise (0) or labelled share (1)."""
    shares = [f"{share:.0%} {word}" for share in sorted({key[1:][place] for key in groups})]
    cells: dict[str, Callable[[Sequence[Line]], str]] = {
        f"{title_of(metric)}, per cent": partial(_mean_in_per_cent, metric=metric)
        for metric in CURVES
    }
    tables = []
    for title, cell in {**cells, "chosen, most often": _most_chosen}.items():
        rows: dict[str, list[str]] = {}
        for key in sorted(groups, key=lambda key: key[1:]):
            rows.setdefault(key[0], [key[0]]).append(cell(groups[key]))
        tables.append(table([title, *shares], rows.values()))
    return tables


def _mean_in_per_cent(lines: Sequence[Line], metric: str) -> str:
    return _per_cent(mean_of(lines, metric))


def _most_chosen(lines: Sequence[Line]) -> str:
    return Counter(line["setting"] for line in lines).most_common(1)[0][0]


def _per_cent(value: Quoted) -> str:
    return mean_and_std(100 * value.mean, 100 * value.std, digits=2)


def paragraph(text: str) -> str:
    """Break a sentence or more into lines of a file, with a newline at the end."""
    return textwrap.fill(text, 100) + "\n"
