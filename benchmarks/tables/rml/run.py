"""``tables rml``: ramp-loss WARP and its siblings on cached features, beside the published columns.

Three parts on one protocol: all labels, wrong labels, few labels. A first pass evaluates every
setting inside the training rows, and a second pass fits the selected ones.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import (
    choose,
    draw_or_note,
    fit_and_evaluate,
    open_folder,
    print_notes,
    run_trials,
    try_setting,
    write_page,
)
from benchmarks.tables.options import check_jobs
from benchmarks.tables.rml.data import read_ranking_task
from benchmarks.tables.rml.groups import parts_of
from benchmarks.tables.rml.learners import LEARNERS, SCALINGS, Protocol
from benchmarks.tables.rml.plan import PARTS, Plan
from benchmarks.tables.rml.report import noise_panels, page
from benchmarks.tables.rml.trials import EVALUATED, RankingExperiment
from benchmarks.tables.task import Task
from classify.metrics import METRICS
from classify.results import Line
from features.command_line import add_options
from features.noise import VARIANTS

KEY = ("stage", "learner", "setting", "noise", "labeled", "seed")
PLACE = ("learner", "noise", "labeled", "seed")


def rml(
    data: Path,
    cache: Sequence[Path],
    out: Path,
    *,
    split: Path | None = None,
    n_labels: int | None = None,
    layers: Sequence[str] | None = None,
    jobs: int = -1,
    **options: Any,
) -> Path:
    """Compare losses on the same features with the same selection inside the training rows.

    Writes ``rml.jsonl`` (one line per setting tried and per fit), ``rml.md`` (the tables
    and what follows from them, also printed) and ``rml_noise.png`` to `out`.

    Parameters
    ----------
    data : Path
        The folder with ``labels.csv``.
    cache : sequence of Path
        Features of its images; the columns of several are put side by side, those of each divided
        by one number, so that all caches have the same mean distance from their mean.
    out : Path
        Made where missing.
    split : Path, optional
        An official ``split.csv``: all seeds share it, and settings are chosen once, for the first
        seed. Without it every seed has a random split and its own choice.
    n_labels, layers
        As for `benchmarks.tables.rml.data.read_ranking_task`.
    jobs : int
        Processes; -1 for one per core.
    **options
        Fields of `Plan` and of `benchmarks.tables.rml.learners.Protocol`.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        When the inputs don't fit each other, every setting of a learner fails, or `out` holds the
        results of others.
    """
    plan, protocol = _checked(options)
    check_jobs(jobs)
    task = read_ranking_task(cache, Path(data), split=split, n_labels=n_labels, layers=layers)
    print_notes(task)
    out = open_folder(out, "rml.jsonl", "rml.md", "rml_noise.png")
    header = header_of(task, protocol, max(plan.seeds(task), key=len))
    lines = _select_and_fit(plan, task, protocol, out / "rml.jsonl", header, jobs)
    write_page(out / "rml.md", page(header, lines))
    if "noise" in plan.parts:
        title = f"Mean and standard deviation over {plan.repeats} seeds, clean test labels"
        draw_or_note(noise_panels(parts_of(lines).noise), out / "rml_noise.png", title)
    return out / "rml.md"


def header_of(task: Task, protocol: Protocol, seeds: Sequence[int]) -> dict[str, Any]:
    """State what all lines have in common."""
    selection = {
        name: value if isinstance(value, str | int | float) else list(value)
        for name, value in vars(protocol).items()
    }
    packages = ("numba", "numpy", "scikit-learn", "scipy")
    return task.header("rml", seeds, packages, selection=selection)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rml`."""
    inputs = {
        "data": "folder with labels.csv",
        "cache": "features; the columns of several are put side by side",
        "out": "folder for result lines, tables and curves",
        "split": "official split.csv (random splits)",
        "layers": "layers to learn from (all)",
        "n_labels": "labels to keep, those with the most training rows (all)",
    }
    add_options(parser, rml, inputs)
    plan = {
        "parts": "tables to make",
        "learners": "learners of the supervised table",
        "noisy_learners": "learners of the noise curves",
        "noise": "shares of training rows with wrong labels",
        "labeled": "shares of training rows with labels",
        "splits": "number of random splits",
        "repeats": "seeds of the noise and few-label parts, and seeds on an official split",
        "seed": "first seed",
    }
    named = {"nargs": "+", "choices": [*LEARNERS]}
    add_options(parser, Plan, plan, parts={"choices": PARTS}, learners=named, noisy_learners=named)
    protocol = {
        "learning_rates": "learning rates to try",
        "weight_decays": "weight decays to try",
        "C": "C to try for logistic regression",
        "scaling": "feature scalings to try",
        "epochs": "epochs of stochastic gradient descent on all training rows",
        "metric": "metric that settings are selected by",
        "folds": "inner folds to select settings by; 1 for one part set aside",
        "validation": "share set aside with one fold",
        "variant": "how labels are corrupted",
    }
    add_options(
        parser,
        Protocol,
        protocol,
        scaling={"choices": [*SCALINGS]},
        variant={"choices": VARIANTS},
        metric={"choices": [*METRICS], "metavar": "METRIC"},
    )
    add_options(parser, rml, {"jobs": "processes; -1 for one per core"})


def _checked(options: dict[str, Any]) -> tuple[Plan, Protocol]:
    """Sort options into what is fitted and how; refuse what no run can use."""
    of_plan = {one.name for one in fields(Plan)}
    plan = Plan(**{name: value for name, value in options.items() if name in of_plan})
    protocol = Protocol(**{name: value for name, value in options.items() if name not in of_plan})
    plan.check()
    protocol.check()
    return plan, protocol


def _select_and_fit(
    plan: Plan, task: Task, protocol: Protocol, path: Path, header: dict[str, Any], jobs: int
) -> list[Line]:
    """Try the settings of every fit that has to choose, then fit what was chosen; both lines."""
    methods = protocol.methods(task.widths)
    experiment = RankingExperiment(task, protocol, methods)
    fits = plan.fits(task)
    first = min((fit["seed"] for fit in fits), default=0)
    chooser = [{**fit, "seed": task.choosing_seed(fit["seed"], first)} for fit in fits]
    tried = [
        {"stage": "inner", "setting": setting, **fit}
        for fit in {tuple(fit.values()): fit for fit in chooser}.values()
        for setting in methods[fit["learner"]].settings
    ]
    common: dict[str, Any] = {
        "key": KEY, "header": header, "shared": (experiment,), "jobs": jobs, "together": EVALUATED,
    }  # fmt: skip
    inner = run_trials(try_setting, tried, path, description="settings", **common)
    chosen = choose(inner, PLACE, protocol.metric, undefined="raise validation")
    trials = [
        {"stage": "test", "setting": chosen[tuple(source[name] for name in PLACE)], **fit}
        for fit, source in zip(fits, chooser, strict=True)
    ]
    return inner + run_trials(fit_and_evaluate, trials, path, description="fits", **common)
