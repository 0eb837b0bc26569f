"""What fine-tunings gave on the test images, beside the papers' tables, which are quoted."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.statistics import over_splits
from benchmarks.tables.finetune.frozen import frozen_counterpart
from benchmarks.tables.finetune.published import QUOTATIONS, Quotation
from classify.finetune.config import FinetuneConfig
from classify.finetune.earlier import current_names
from classify.results import read_results
from features.cache import FeatureCache
from features.errors import InputError
from features.files import write_text

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
# Runs that differ in nothing else are seeds of one and the same.
SAME = ("seed", "splits", "versions", "key")
# Settings that a row is named by, where they are not the default.
COPROJECTION_FIELDS = ("pool", "row3_stride", "embedding_weight")


def finetune(
    out: Path,
    *,
    runs: Sequence[Path] = (),
    frozen: Path | None = None,
    layers: Sequence[str] | None = None,
) -> Path:
    """Lay finished fine-tunings beside the papers' tables, as Markdown; also printed.

    Runs whose settings differ in the seed alone are one row, their mean and standard deviation.
    With cached features of the same images, every run also stands beside a learner on these.

    Parameters
    ----------
    out : Path
        The Markdown file.
    runs : sequence of Path
        Run folders of ``python -m classify finetune``.
    frozen : Path, optional
        A cache of the network that the runs started from.
    layers : sequence of str, optional
        Its layers to learn from; by default all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A folder without results, or a cache of other images or labels.
    """
    groups = _groups(runs)
    text = "# End to end\n\n" + _ours(groups)
    if frozen is not None:
        text += _beside_frozen(groups, frozen, layers)
    text += "".join(quoted(one) for one in QUOTATIONS)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    print(text, end="")
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `finetune`."""
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    parser.add_argument("--runs", type=Path, nargs="*", default=(), help="finished run folders")
    text = "cached features of the network that the runs started from, to compare with"
    parser.add_argument("--frozen", type=Path, help=text)
    parser.add_argument("--layers", nargs="+", help="its layers to learn from (all)")


def quoted(one: Quotation) -> str:
    """Lay out a printed table, marked as quoted."""
    rows = [[f"{method}, quoted", *numbers] for method, numbers in one.rows.items()]
    notes = "".join(f"\n{note}\n" for note in one.notes)
    return f"## {one.title} (quoted)\n\n{table(['method', *one.columns], rows)}{notes}\n"


def _groups(runs: Iterable[Path]) -> list[dict[Path, Mapping[str, Any]]]:
    """Give the results of each run, those of the same settings together."""
    groups: dict[str, dict[Path, Mapping[str, Any]]] = {}
    for run in runs:
        header, line = _result(run)
        groups.setdefault(repr(_settings(header)), {})[run] = {**header, **line}
    return list(groups.values())


def _ours(groups: Sequence[Mapping[Path, Mapping[str, Any]]]) -> str:
    if not groups:
        return "No run was given; what follows are the papers' own numbers.\n\n"
    rows = []
    for group in groups:
        first = next(iter(group.values()))
        values = [over_splits([one[metric] for one in group.values()]) for metric in METRICS]
        rows.append(
            [
                *_named(first),
                str(len(group)),
                str(first["images"]),
                *(mean_and_std(*value) for value in values),
            ]
        )
    columns = ["run", "missing / unlabelled", "seeds", "test images", *METRICS.values()]
    return "## What was run here\n\n" + table(columns, rows) + "\n"


def _beside_frozen(
    groups: Sequence[Mapping[Path, Mapping[str, Any]]], cache: Path, layers: Sequence[str] | None
) -> str:
    rows = []
    for group in groups:
        others = [frozen_counterpart(run, cache, layers) for run in group]
        row = [*_named(next(iter(group.values()))), others[0].learner]
        row.append(", ".join(f"{C:g}" for C in sorted({other.C for other in others})))
        for metric in COMPARED:
            ours = [one[metric] for one in group.values()]
            theirs = [other.values[metric] for other in others]
            gains = [a - b for a, b in zip(ours, theirs, strict=True)]
            row += [mean_and_std(*over_splits(theirs)), mean_and_std(*over_splits(gains))]
        rows.append(row)
    columns = ["run", "missing / unlabelled", "on frozen features", "C"]
    columns += [text for metric in COMPARED for text in (METRICS[metric], "gain")]
    read = ", ".join(layers or FeatureCache(cache).layers)
    return (
        f"## Beside frozen features\n\nCached learners on {read}, with the rows and labels of each "
        "run; C is chosen where\nthe run chooses its epoch. The gain is that of fine-tuning, seed "
        f"by seed.\n\n{table(columns, rows)}\n"
    )


def _named(run: Mapping[str, Any]) -> list[str]:
    name = f"{run['model']}, {run['backbone']} at {run['size']}"
    if run.get("head_init") == "logistic":
        name += ", head by logistic regression"
    for key in COPROJECTION_FIELDS:
        if run.get(key, getattr(FinetuneConfig, key)) != getattr(FinetuneConfig, key):
            name += f", {key.replace('_', ' ')} {run[key]}"
    return [name, f"{run['missing']:g} / {run['unlabelled']:g}"]


def _result(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = run / "results.jsonl"
    if not path.is_file():
        raise InputError(
            f"{run} has no results.jsonl; give the folder of a finished `python -m classify "
            "finetune`"
        )
    header, lines = read_results(path)
    return current_names(header), current_names(lines[0])


def _settings(header: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, repr(value)) for name, value in header.items() if name not in SAME)
