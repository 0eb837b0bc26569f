"""What fine-tunings gave on the test images, beside the papers' tables, which are quoted."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import mean_and_std, table
from benchmarks.miml_report import over_splits
from benchmarks.papers_finetune import QUOTATIONS, Quotation
from classify.results import read_results
from features.errors import InputError
from features.files import write_text

METRICS = {
    "map_plain": "mAP",
    "map_voc12": "mAP (voc12)",
    "example_ap": "example AP",
    "f1_o": "F1-O",
    "f1c_harm": "F1-C (harmonic)",
    "f1c_mean": "F1-C (mean)",
    "top3_f1_o": "top-3 F1-O",
    "top3_f1c_mean": "top-3 F1-C (mean)",
}
# Runs that differ in nothing else are seeds of one and the same.
SAME = ("seed", "splits", "versions", "key")


def finetune(out: Path, *, runs: Sequence[Path] = ()) -> Path:
    """Lay finished fine-tunings beside the papers' tables, as Markdown; also printed.

    Runs whose settings differ in the seed alone are one row, their mean and standard deviation.

    Parameters
    ----------
    out : Path
        The Markdown file.
    runs : sequence of Path
        Run folders of ``python -m classify finetune``.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A folder without results.
    """
    text = "# End to end\n\n" + _ours(runs) + "".join(quoted(one) for one in QUOTATIONS)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    print(text, end="")
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `finetune`."""
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    parser.add_argument("--runs", type=Path, nargs="*", default=(), help="finished run folders")


def quoted(one: Quotation) -> str:
    """Lay out a printed table, marked as quoted."""
    rows = [[f"{method}, quoted", *numbers] for method, numbers in one.rows.items()]
    notes = "".join(f"\n{note}\n" for note in one.notes)
    return f"## {one.title} (quoted)\n\n{table(['method', *one.columns], rows)}{notes}\n"


def _ours(runs: Iterable[Path]) -> str:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        header, line = _result(run)
        groups.setdefault(repr(_settings(header)), []).append({**header, **line})
    if not groups:
        return "No run was given; what follows are the papers' own numbers.\n\n"
    rows = []
    for members in groups.values():
        first = members[0]
        values = [over_splits([one[metric] for one in members]) for metric in METRICS]
        rows.append(
            [
                f"{first['model']}, {first['backbone']} at {first['size']}",
                f"{first['missing']:g} / {first['unlabelled']:g}",
                str(len(members)),
                str(first["images"]),
                *(mean_and_std(*value) for value in values),
            ]
        )
    columns = ["run", "missing / unlabelled", "seeds", "test images", *METRICS.values()]
    return "## What was run here\n\n" + table(columns, rows) + "\n"


def _result(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = run / "results.jsonl"
    if not path.is_file():
        raise InputError(
            f"{run} has no results.jsonl; give the folder of a finished `python -m classify "
            "finetune`"
        )
    header, lines = read_results(path)
    return header, lines[0]


def _settings(header: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, repr(value)) for name, value in header.items() if name not in SAME)
