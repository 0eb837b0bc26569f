"""From the result lines of ``tables rml`` to its page and curves. Fits nothing."""

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.report.markdown import mean_and_std, plain, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import Quoted, heading
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.report import quoted_rows
from benchmarks.tables.rml.claims import claims
from benchmarks.tables.rml.groups import Groups, chosen_inside, mean_of, parts_of
from benchmarks.tables.rml.learners import LEARNERS
from benchmarks.tables.rml.published import RML_NOTES, RML_SEMI_SUPERVISED, RML_TABLES
from benchmarks.tables.rml.titles import title_of
from benchmarks.tables.task import sources_of
from classify.metrics import AVERAGES, MIML_METRICS
from classify.results import Line

CHOSEN = "selected by inner validation"
CURVES = ("top3_f1_macro", "map")


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables rml` out: protocol, parts, what follows, sources; Markdown."""
    supervised, noise, semi = parts_of(lines)
    selection = header["selection"]
    title = f"# {plain(header['data'])}: losses on {_layers(header)}\n"
    parts = [title, _protocol(selection, header)]
    if supervised:
        parts += _supervised(supervised, selection, header)
    if noise:
        parts += _noise(noise, selection)
    if semi:
        parts += _semi(semi)
    found = claims(header, lines)
    if found:
        parts += ["## Claims\n", paragraph(_FOLLOWS)]
        rows = [[one.text, one.verdict, one.numbers] for one in found]
        parts += [table(["claim", "verdict", "measured"], rows)]
    return "\n".join([*parts, sources_of(header)])


def noise_panels(groups: Groups) -> list[Panel]:
    """Arrange the noise curves: one panel per metric."""
    rates = sorted({rate for _, rate, _ in groups})
    panels = []
    for metric in CURVES:
        curves = {}
        for learner in dict.fromkeys(name for name, _, _ in groups):
            values = [mean_of(groups[learner, rate, 1.0], metric) for rate in rates]
            stds = [np.nan_to_num(value.std) for value in values]
            curves[LEARNERS[learner].title] = Curve(rates, [value.mean for value in values], stds)
        label = "share of training rows with wrong labels"
        panels.append(Panel(f"{title_of(metric)} of the clean test rows", curves, {}, xlabel=label))
    return panels


_FOLLOWS = (
    "A claim holds where the mean of the differences over the seeds, positive where the first is "
    "better, is more than two standard errors above 0, does not hold where it is more than two "
    "below, and is not shown in between."
)


def _layers(header) -> str:
    return " and ".join(", ".join(map(plain, cache["layers"])) for cache in header["caches"])


def _protocol(selection: Mapping[str, Any], header) -> str:
    n_train, rows = header["train_rows"], header["rows"]
    widths = [sum(cache["layers"].values()) for cache in header["caches"]]
    if header["split"] == "official":
        split = "The official split; the first seed's settings serve all seeds."
    else:
        split = "Random splits; each seed has its own and chooses its own settings."
    scaled = (
        "The columns of each cache are divided by the mean distance of its training rows from "
        "their mean"
    )
    if len(widths) > 1:
        columns = " and ".join(map(str, widths))
        scaled += f" and stand side by side ({columns}), so that the caches have equal weight"
    inner = (
        f"{selection['validation']:g} of them"
        if selection["folds"] == 1
        else f"{selection['folds']} folds"
    )
    return "\n".join(
        [
            paragraph(
                f"{n_train} training and {rows - n_train} test images, "
                f"{len(header['label_names'])} labels, {header['labels_per_image']:.2f} per "
                f"image; mean ± standard deviation (ddof 1) over seeds. {scaled}. {split}"
            ),
            paragraph(
                f"Selected by {selection['metric']} on {inner}, of the training rows alone, before "
                f"a fit to all of them: scaling ({', '.join(selection['scaling'])}); for descents "
                f"of {selection['epochs']} epochs (more on fewer rows, for as many steps) learning "
                f"rate ({_numbers(selection['learning_rates'])}) and weight decay "
                f"({_numbers(selection['weight_decays'])}); for logistic regression C "
                f"({_numbers(selection['C'])})."
            ),
        ]
    )


def _numbers(values) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _supervised(groups: Groups, selection: Mapping[str, Any], header) -> list[str]:
    groups = {**groups, (CHOSEN, 0.0, 1.0): chosen_inside(groups, selection["metric"])}
    signs = {key: lines for key, lines in groups.items() if _decides(lines)}
    parts = [
        "## All labels\n",
        paragraph(
            f"Exactly three labels per image, in per cent. `{CHOSEN}` is, for each seed, the "
            "learner with the best score inside the training rows."
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
                "The best three, but only those with a score above 0, for learners that decide by "
                "the sign of a score."
            ),
            _top3_table(signs, "top3_positive", ()),
        ]
    parts += ["The metrics of the multi-instance multi-label papers.\n", _miml(groups, header)]
    return [*parts, "Selected settings, and for how many seeds.\n", _choices(groups)]


def _top3_table(groups: Groups, rule: str, more=("map", "map_voc12")) -> str:
    metrics = [*(f"{rule}_{value}" for value in AVERAGES), *more]
    rows = [
        [_title(key[0]), *(_per_cent(mean_of(lines, metric)) for metric in metrics)]
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
        if not _decides(lines):
            cells[MIML_METRICS.index("hamming_loss")] = ""
        rows.append([_title(learner), *cells])
    names = {name.lower() for name in header["label_names"]}
    for paper in MIML_TABLES.values():
        if paper.labels == names:
            rows += quoted_rows(paper, paper.ours)
    return table(["learner", *map(heading, MIML_METRICS)], rows)


def _choices(groups: Groups) -> str:
    rows = []
    for (learner, _, _), lines in groups.items():
        counts = Counter(
            f"{_title(line['learner'])}, {line['setting']}"
            if learner == CHOSEN
            else line["setting"]
            for line in lines
        )
        texts = [f"{setting} ({count})" for setting, count in counts.most_common(3)]
        rows.append([_title(learner), "; ".join(texts) + ("; others" if len(counts) > 3 else "")])
    return table(["learner", "settings"], rows)


def _title(learner: str) -> str:
    return LEARNERS[learner].title if learner in LEARNERS else learner


def _decides(lines: Sequence[Line]) -> bool:
    return all(LEARNERS[line["learner"]].decides for line in lines)


def _noise(groups: Groups, selection: Mapping[str, Any]) -> list[str]:
    first = next(iter(groups))[0]
    wrong = [mean_of(lines, "wrong_rows") for key, lines in groups.items() if key[0] == first]
    return [
        "## Wrong labels\n",
        paragraph(
            f"Labels of a share of the training rows replaced ({selection['variant']}), settings "
            "chosen on training rows with such labels among them; test labels are clean. Three "
            "labels per image. Of all training rows "
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
            "RMLC and BCE learn from the labeled rows alone; SS-RMLC gives the other training "
            "rows the labels of their nearest labeled one. Three labels per image."
        ),
        *_by(groups, 1, "labeled"),
        "As published, accuracy with 4,000 and 1,000 labeled images, by fine-tuned networks.\n",
        table(["method", *data], quoted),
    ]


def _by(groups: Groups, place: int, word: str) -> list[str]:
    """Lay out the metrics, then what was chosen, by learner and noise (0) or labeled share (1)."""
    shares = [f"{share:.0%} {word}" for share in sorted({key[1:][place] for key in groups})]
    cells: dict[str, Callable[[Sequence[Line]], str]] = {
        f"{title_of(metric)}, per cent": partial(_mean_in_per_cent, metric=metric)
        for metric in CURVES
    }
    tables = []
    for title, cell in {**cells, "most often selected": _most_chosen}.items():
        rows: dict[str, list[str]] = {}
        for key in sorted(groups, key=lambda key: key[1:]):
            rows.setdefault(key[0], [_title(key[0])]).append(cell(groups[key]))
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
