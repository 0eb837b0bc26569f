"""``tables suggest``: rounds of labeling, each asking for the images that a method picks."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.preprocessing import normalize

from benchmarks.tables.experiment import complete, open_folder, print_notes, write_page
from benchmarks.tables.options import check_jobs
from benchmarks.tables.reading import read_task
from benchmarks.tables.suggest.report import KEY, METHODS, RANDOM, page
from benchmarks.tables.task import Task, keep_labels
from classify.inputs import fit_scaler, scale
from classify.learners import find_learner
from classify.metrics import METRICS
from classify.parallel import Trial
from classify.selection.candidates import mean_square
from classify.suggest.choose import candidates, cell_margins, choose, image_margins
from features.command_line import add_options
from features.errors import InputError, check_number

SCALING, STRENGTH = "sqrt-max", 1e4  # C times the mean squared length: the middle of fit's grid


def suggest(
    cache: Sequence[Path],
    out: Path,
    *,
    data: Path | None = None,
    split: Path | None = None,
    layers: Sequence[str] | None = None,
    n_labels: int | None = None,
    start: int = 50,
    batch: int = 50,
    rounds: int = 5,
    seeds: int = 5,
    seed: int = 0,
    jobs: int = -1,
) -> Path:
    """Compare ways to pick the images to label next, each from the same random start.

    Writes ``suggest.jsonl`` (one line per method, seed and round) and ``suggest.md``, also printed,
    to `out`.

    Parameters
    ----------
    cache : sequence of Path
        Features of the same images; their columns are put side by side.
    out : Path
        Made where missing.
    data, split, layers
        As for `benchmarks.tables.reading.read_task`.
    n_labels : int, optional
        Keep this many labels, the most common ones; by default all that can be evaluated.
    start, batch, rounds : int
        Labeled images at the start, images to label in each round, and rounds.
    seeds, seed : int
        Number of starts, each with a random split where there is no official one, and the first.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        When the inputs don't fit each other, there are too few images, or `out` holds the results
        of others.
    """
    counts = {"start": start, "batch": batch, "rounds": rounds, "seeds": seeds}
    for name, value in counts.items():
        check_number(name, value, whole=True, low=1)
    check_number("seed", seed, whole=True, low=0)
    check_jobs(jobs)
    task = keep_labels(read_task(cache, data, split=split, layers=layers), n_labels)
    print_notes(task)
    plan = {"start": start, "batch": batch, "rounds": rounds}
    _check_room(plan, len(task.split(seed).train))
    numbers = range(seed, seed + seeds)
    out = open_folder(out, "suggest.jsonl", "suggest.md")
    header = task.header("suggest", numbers, ("numpy", "scikit-learn", "scipy"), **plan)
    lines = complete(
        run_rounds, [{"method": name, "seed": one} for one in numbers for name in METHODS],
        out / "suggest.jsonl", key=KEY, header=header,
        expected=lambda trial: [{**trial, "round": k} for k in range(rounds + 1)],
        shared=(plan, task), jobs=jobs, description="rounds",
    )  # fmt: skip
    return write_page(out / "suggest.md", page(header, lines))


def _check_room(plan: dict[str, int], train_rows: int) -> None:
    most = plan["start"] + plan["rounds"] * plan["batch"]
    if most > train_rows:
        raise InputError(
            f"{plan['rounds']} rounds label {most} images, and {train_rows} are there to train on: "
            "give fewer --rounds, or lower --start or --batch"
        )


def run_rounds(trial: Trial, plan: dict[str, int], task: Task) -> list[dict[str, Any]]:
    """Label round by round what a method picks; evaluate on the test rows before each round.

    Parameters
    ----------
    trial : mapping
        ``method`` and ``seed``, which gives the split, the first images and the random picks.
    plan : mapping
        ``start``, ``batch`` and ``rounds``.
    task : Task

    Returns
    -------
    list of dict
        One line per round, the start as round 0.
    """
    part = task.split(trial["seed"])
    rng = np.random.default_rng(trial["seed"])
    order = rng.permutation(part.train)  # of the random picks, after the start that all share
    labeled = order[: plan["start"]]
    lines: list[dict[str, Any]] = []
    for number in range(plan["rounds"] + 1):
        Z, scores = _fit(task, labeled)
        truth = task.Y[part.test]
        values = {
            name: float(METRICS[name].function(truth, scores[part.test]))
            for name in ("example_ap", "map")
        }
        seen = int((task.Y[labeled] == 1).any(axis=0).sum())
        lines.append({**trial, "round": number, "labeled": len(labeled), "labels": seen, **values})
        if number == plan["rounds"]:
            break
        pool = order[~np.isin(order, labeled)]
        picked = _pick(trial["method"], Z, scores, labeled, pool, plan["batch"])
        labeled = np.concatenate([labeled, picked])
    return lines


def _fit(task: Task, labeled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Train on the labeled rows; give the scaled features and the scores of all rows."""
    widths = task.layer_widths
    X, Y = task.X[labeled], task.Y[labeled]
    scaler = fit_scaler(SCALING, widths, X)
    C = STRENGTH / mean_square(X, SCALING, widths)
    tagger = find_learner("l2").make(C, Y).fit(scale(scaler, X), Y)
    Z = scale(scaler, task.X)
    return Z, tagger.decision_function(Z)


def _pick(method: str, Z, scores, labeled: np.ndarray, pool: np.ndarray, count: int) -> np.ndarray:
    """Give the rows of the pool that are labeled next, as ``multilabel suggest`` does."""
    if method == RANDOM:
        return pool[:count]
    cells = cell_margins(expit(scores[pool]), np.full(scores.shape[1], 0.5))
    margins = image_margins(cells)
    among = candidates(margins, count, method)
    here, there = normalize(Z[pool[among]]), normalize(Z[labeled])
    return pool[among[choose(method, here, margins[among], count, there)]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `suggest`."""
    about = {
        "cache": "features; the columns of several are put side by side",
        "out": "folder for result lines and the page",
        "data": "folder with labels.csv (the cache's labels)",
        "split": "official split.csv (random splits)",
        "layers": "layers to learn from (all)",
        "n_labels": "labels to keep, the most common ones (all)",
        "start": "labeled images at the start",
        "batch": "images to label in each round",
        "rounds": "rounds of labeling",
        "seeds": "number of random starts",
        "seed": "first seed",
        "jobs": "processes, -1 for one per core",
    }
    add_options(parser, suggest, about)
