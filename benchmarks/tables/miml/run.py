"""The papers' tables, made again: every learner over random splits, beside what was published."""

import argparse
import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import draw_or_note, read_task
from benchmarks.tables.miml.ablations import run_ablations
from benchmarks.tables.miml.ablations_report import path_panels, sections
from benchmarks.tables.miml.learners import (
    KEY,
    LIBLINEAR_TOL,
    MIML_LEARNERS,
    Learner,
    fit_and_evaluate,
)
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.report import Summary, curve_panels, page, summarize
from benchmarks.tables.published import PublishedTable
from classify.parallel import Trial, run_grid
from classify.results import ResultFile
from features.command_line import default
from features.errors import InputError
from features.files import remove_temporaries, write_text


def miml(
    data: Path,
    cache: Path,
    out: Path,
    *,
    splits: int = 30,
    seed: int = 0,
    layers: Sequence[str] | None = None,
    curve_sizes: Sequence[int] | None = None,
    published: str | None = None,
    learners: Sequence[Learner] = MIML_LEARNERS,
    ablations: bool = True,
    jobs: int = -1,
) -> Path:
    """Judge logistic regression on random 2/3 to 1/3 splits and lay it beside the MIML paper.

    Writes ``miml.jsonl`` (a line a fit), ``miml.md`` (the tables, also printed) and
    ``miml_curves.png`` to `out`; for the ablations ``ablations.jsonl``, further sections of
    ``miml.md`` and ``miml_path.png``. Fits that a result file holds already aren't done again, so
    a killed run goes on where it stopped; what comes out depends neither on that nor on `jobs`.

    Parameters
    ----------
    data : Path
        The folder with ``labels.csv``.
    cache : Path
        The features of its images.
    out : Path
        Made where missing.
    splits : int
        How many; the paper's 30.
    seed : int
        Of the first split; the others follow by one.
    layers : sequence of str, optional
        Layers of the cache to learn from, by default all.
    curve_sizes : sequence of int, optional
        Numbers of training rows for the learning curves of the learners that repeat the paper,
        by default those of the paper that the training part reaches. Empty for no curves.
    published : {"msrc", "scene", "none"}, optional
        Whose published numbers stand beside; by default those of the data set that has just these
        label names.
    learners : sequence of Learner
    ablations : bool
        Add the exact optimum along C, C selected inside the training rows, non-zeros a layer and
        parts of the layers.
    jobs : int
        Processes; -1 for one a core.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        When the inputs don't fit each other or `out` holds the results of others.
    """
    if splits < 1:
        raise InputError(f"splits must be 1 or more, got {splits}")
    task = read_task([Path(cache)], Path(data), layers=layers)
    for note in task.notes:
        print(note, file=sys.stderr)
    paper = _published(published, task.label_names)
    seeds = range(seed, seed + splits)
    n_train = len(task.split(seed).train)
    sizes = _curve_sizes(curve_sizes, paper, n_train)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    packages = ("liblinear-official", "numpy", "scikit-learn")
    name = next((key for key, one in MIML_TABLES.items() if one is paper), "none")
    header = task.header("miml", seeds, packages, published=name)
    with ResultFile(out / "miml.jsonl", key=KEY, header=header) as results:
        trials = _trials(learners, seeds, n_train, sizes)
        shared = (task.X, task.Y)
        run_grid(fit_and_evaluate, trials, results, shared=shared, jobs=jobs, description="fits")
        summary = summarize(trials, results.lines)
        results.finish()
        text = page(header, results.lines)
    write_text(out / "miml.md", text)
    print(text, end="")
    over = f"Mean and standard deviation over {splits} splits"
    if sizes:
        panels = curve_panels(summary, [one for one in learners if one.published], paper)
        draw_or_note(panels, out / "miml_curves.png", over)
    if ablations:
        lines = run_ablations(task, out / "ablations.jsonl", header=header, seeds=seeds, jobs=jobs)
        added = sections(header, lines)
        write_text(out / "miml.md", text + added)
        print(added, end="")
        panels = path_panels(lines, _default_stops(summary, learners, paper, n_train))
        draw_or_note(panels, out / "miml_path.png", over)
    return out / "miml.md"


def run_miml(bags: Path | None, **options: Any) -> Path:
    """Run the table on a data set with a cache, or with `bags` on published bags.

    Raises
    ------
    InputError
        Options are missing, or belong to the other table.
    """
    from benchmarks.tables.miml.bags_run import miml_bags  # numba

    given = {name: value for name, value in options.items() if value is not None}
    if bags is None:
        missing = [f"--{name}" for name in ("data", "cache") if name not in given]
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given, or --bags FILE")
        other = given.keys() - signature(miml).parameters.keys()
    else:
        given.pop("ablations")
        given["bags"] = bags
        other = given.keys() - signature(miml_bags).parameters.keys()
    if other:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(other))
        raise InputError(f"{names} can't be given {'without' if bags is None else 'with'} --bags")
    return miml(**given) if bags is None else miml_bags(**given)


def add_miml_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run_miml`."""
    parser.add_argument("--data", type=Path, help="folder with labels.csv")
    parser.add_argument("--cache", type=Path, help="features of its images")
    parser.add_argument("--out", type=Path, required=True, help="folder for lines, table, curves")
    parser.add_argument(
        "--bags",
        type=Path,
        help="run the multi-instance methods on published bags, .mat or .arff; with --cache also "
        "on that cache's instances",
    )
    parser.add_argument("--methods", nargs="+", help="with --bags: some of the methods (all)")
    parser.add_argument(
        "--curve-splits", type=int, help="with --bags: splits of the learning curves (5)"
    )
    for name, text in (
        ("splits", "how many random splits"),
        ("seed", "seed of the first split"),
        ("jobs", "processes, -1 for one a core"),
    ):
        parser.add_argument(
            f"--{name}", type=int, default=default(miml, name), help=f"{text} (%(default)s)"
        )
    parser.add_argument(
        "--ablations",
        action=argparse.BooleanOptionalAction,
        default=default(miml, "ablations"),
        help="add the exact optimum along C, C selected, layers alone and together (%(default)s)",
    )
    parser.add_argument("--layers", nargs="+", help="layers to learn from (all)")
    parser.add_argument(
        "--curve-sizes", nargs="*", type=int, help="training sizes of the curves (the paper's)"
    )
    parser.add_argument(
        "--published", choices=[*MIML_TABLES, "none"], help="numbers to quote (by label names)"
    )


def _published(name: str | None, label_names: Sequence[str]) -> PublishedTable | None:
    if name is not None:
        return MIML_TABLES.get(name)
    names = {label.lower() for label in label_names}
    return next((paper for paper in MIML_TABLES.values() if paper.labels == names), None)


def _curve_sizes(
    wanted: Sequence[int] | None, paper: PublishedTable | None, n_train: int
) -> list[int]:
    """Give the sizes of the learning curves, ending with the whole training part."""
    if wanted is None:
        default_paper = paper or MIML_TABLES["msrc"]
        wanted = [size for size in default_paper.curve_sizes if size < n_train]
    if not wanted:
        return []
    if min(wanted) < 1 or max(wanted) > n_train:
        raise InputError(
            f"curve sizes must be 1 to {n_train} (the training rows), got {min(wanted)} to "
            f"{max(wanted)}"
        )
    return sorted({*wanted, n_train})


def _trials(
    learners: Sequence[Learner], seeds: Sequence[int], n_train: int, sizes: Sequence[int]
) -> list[Trial]:
    """List every fit, those on more rows first so that the last to end are short."""
    return [
        {**learner.fields(), "n_train": size, "seed": seed}
        for size in sorted({n_train, *sizes}, reverse=True)
        for seed in seeds
        for learner in learners
        if size == n_train or learner.published
    ]


def _default_stops(
    summary: Summary, learners: Sequence[Learner], paper: PublishedTable | None, n_train: int
) -> dict[str, dict[str, float]]:
    """Give the average precisions at LIBLINEAR's default stop, and those quoted, by scaling."""
    quoted: dict[str, float] = {}
    if paper:
        quoted = {f"{name}, quoted": paper.rows[name]["example_ap"].mean for name in paper.ours}
    lines = {one.scaling: dict(quoted) for one in learners}
    for one in learners:
        if one.tol == LIBLINEAR_TOL and one.bias == "penalized":
            mean = summary[one.learner, n_train]["example_ap"].mean
            lines[one.scaling][f"{one.title}, default stop"] = mean
    return lines
