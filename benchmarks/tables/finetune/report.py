"""From the result lines of ``tables finetune`` to its page and claims. Opens no run folder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.statistics import over_splits
from benchmarks.tables.finetune.published import QUOTATIONS, Quotation
from classify.finetune.config import FinetuneConfig
from classify.results import Line

METRICS = {
    "map": "mAP",
    "map_voc12": "mAP (voc12)",
    "example_ap": "example AP",
    "f1_micro": "F1-O",
    "f1_macro_harmonic": "F1-C (harmonic)",
    "f1_macro": "F1-C (mean)",
    "top3_f1_micro": "top-3 F1-O",
    "top3_f1_macro": "top-3 F1-C (mean)",
}
COMPARED = ("map", "example_ap", "top3_f1_macro")
# Settings that a row is named by, where they are not the default.
COPROJECTION_FIELDS = ("pool", "row3_stride", "embedding_weight")
# Two runs that agree in these are compared image by image.
_PAIRED = ("labels", "splits", "seed", "backbone", "size", "missing", "unlabeled", "head_init")

Groups = dict[str, list[Line]]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Render the Markdown page.

    Parameters
    ----------
    header : mapping
        ``layers`` of the frozen features that runs are compared with, "" where there are none.
    lines : sequence of mapping
        One per run.

    Returns
    -------
    str
        A row per group of runs that differ in their seed alone, then the published tables.
    """
    groups = _groups(lines)
    text = "# End to end\n\n" + _own_runs(groups)
    if header["layers"]:
        text += _beside_frozen(groups, header["layers"])
    return text + "".join(quoted(one) for one in QUOTATIONS)


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Evaluate the papers' claims by paired differences of mAP over the seeds.

    Parameters
    ----------
    header, lines
        As for `page`.

    Returns
    -------
    list of Claim
        Per group, fine-tuning above frozen features; per ablation, co-projection above it.
    """
    found = []
    for group in _groups(lines).values():
        name = ", ".join(_name(group[0]))
        if header["layers"]:
            gains = [_difference(line["map"], line["frozen_map"]) for line in group]
            text = f"the whole network above frozen features ({name})"
            found.append(_claim("Fine-tuning", text, gains))
        if group[0]["model"] == "coprojection":
            for ablation in ("coprojection-tba", "coprojection-tbc", "coprojection-mse"):
                gains = _gains_over(ablation, group, lines)
                if gains:
                    found.append(_claim("Co-projection", f"{name} above {ablation}", gains))
    return found


def quoted(one: Quotation) -> str:
    """Lay out a published table, marked as quoted."""
    rows = [[f"{method}, quoted", *numbers] for method, numbers in one.rows.items()]
    notes = "".join(f"\n{note}\n" for note in one.notes)
    return f"## {one.title} (quoted)\n\n{table(['method', *one.columns], rows)}{notes}\n"


def _claim(paper: str, text: str, gains: Sequence[float]) -> Claim:
    return Claim(paper, text, verdict(gains), f"mAP {show_differences(gains)}")


def _gains_over(model: str, group: Sequence[Line], lines: Sequence[Line]) -> list[float]:
    others = {
        tuple(line[name] for name in _PAIRED): line["map"]
        for line in lines
        if line["model"] == model and all(_is_default(line, name) for name in COPROJECTION_FIELDS)
    }
    places = [(tuple(line[name] for name in _PAIRED), line["map"]) for line in group]
    return [_difference(value, others[place]) for place, value in places if place in others]


def _difference(value: float | None, other: float | None) -> float:
    """Subtract; NaN where a metric is undefined, which result lines hold as None."""
    return math.nan if value is None or other is None else value - other


def _groups(lines: Sequence[Line]) -> Groups:
    """Collect the runs that differ in their seed alone, in the order of their names."""
    groups: Groups = {}
    for line in sorted(lines, key=lambda line: (_name(line), line["settings"], line["seed"])):
        groups.setdefault(line["settings"], []).append(line)
    return groups


def _own_runs(groups: Groups) -> str:
    if not groups:
        return "No run was given; what follows are the papers' own numbers.\n\n"
    rows = []
    for group in groups.values():
        values = [over_splits([one[metric] for one in group]) for metric in METRICS]
        counts = [str(len(group)), str(group[0]["images"])]
        rows.append([*_name(group[0]), *counts, *(mean_and_std(*value) for value in values)])
    columns = ["run", "missing / unlabeled", "seeds", "test images", *METRICS.values()]
    return "## What was run here\n\n" + table(columns, rows) + "\n"


def _beside_frozen(groups: Groups, layers: str) -> str:
    rows = []
    for group in groups.values():
        chosen = ", ".join(f"{C:g}" for C in sorted({line["frozen_C"] for line in group}))
        row = [*_name(group[0]), group[0]["frozen_learner"], chosen]
        for metric in COMPARED:
            frozen = [line[f"frozen_{metric}"] for line in group]
            gains = [_difference(line[metric], line[f"frozen_{metric}"]) for line in group]
            row += [mean_and_std(*over_splits(frozen)), mean_and_std(*over_splits(gains))]
        rows.append(row)
    columns = ["run", "missing / unlabeled", "on frozen features", "C"]
    columns += [text for metric in COMPARED for text in (METRICS[metric], "gain")]
    return (
        f"## Beside frozen features\n\nCached learners on {layers}, with the rows and labels of "
        "each run; C is chosen where\nthe run chooses its epoch. The gain is that of fine-tuning, "
        f"seed by seed.\n\n{table(columns, rows)}\n"
    )


def _is_default(line: Line, name: str) -> bool:
    default = getattr(FinetuneConfig, name)
    return line.get(name, default) == default


def _name(line: Line) -> list[str]:
    name = f"{line['model']}, {line['backbone']} at {line['size']}"
    if line.get("head_init") == "logistic":
        name += ", head by logistic regression"
    for key in COPROJECTION_FIELDS:
        if not _is_default(line, key):
            name += f", {key.replace('_', ' ')} {line[key]}"
    return [name, f"{line['missing']:g} / {line['unlabeled']:g}"]
