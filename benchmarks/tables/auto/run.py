"""``tables auto``: the former default, every single choice, and what ``fit`` chooses by itself."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from benchmarks.tables.auto.report import AUTO, BLEND, FORMER, KEY, name_of, page
from benchmarks.tables.experiment import complete, open_folder, print_notes, write_page
from benchmarks.tables.options import check_jobs
from benchmarks.tables.reading import read_task
from benchmarks.tables.task import Task, keep_labels
from classify.decisions.calibration import Calibrator
from classify.decisions.rules import parse_rule
from classify.decisions.thresholds import choose_thresholds
from classify.inputs import fit_scaler, scale
from classify.learners import find_learner
from classify.metrics import METRICS, precision_recall_f1
from classify.metrics.calibration import expected_calibration_error
from classify.parallel import Trial
from classify.scaling import SCALINGS
from classify.selection.blend import Blend, blend, single
from classify.selection.candidates import Candidate
from classify.selection.search import search, try_one
from features.command_line import add_options
from features.errors import check_number
from features.splits import Split

FORMER_DEFAULT = Candidate("l2", "none", 1.0)


class Scored(NamedTuple):
    """Scores of a choice: out of fold on the training rows, and on the test rows."""

    train: np.ndarray
    test: np.ndarray


def auto(
    cache: Sequence[Path],
    out: Path,
    *,
    data: Path | None = None,
    split: Path | None = None,
    layers: Sequence[str] | None = None,
    n_labels: int | None = None,
    splits: int = 30,
    seed: int = 0,
    jobs: int = -1,
) -> Path:
    """Compare the choice of ``fit`` with the best of all single choices, over random splits.

    Writes ``auto.jsonl`` (one line per choice and split) and ``auto.md``, also printed, to `out`.

    Parameters
    ----------
    cache : sequence of Path
        Features of the same images; their columns are put side by side.
    out : Path
        Made where missing.
    data, split, layers
        As for `benchmarks.tables.reading.read_task`. An official split is one split: it has no
        standard deviation.
    n_labels : int, optional
        Keep this many labels, the most common ones; by default all that can be evaluated.
    splits, seed : int
        Number of random splits, and the first.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        When the inputs don't fit each other, or `out` holds the results of others.
    """
    check_number("splits", splits, whole=True, low=1)
    check_number("seed", seed, whole=True, low=0)
    check_jobs(jobs)
    task = keep_labels(read_task(cache, data, split=split, layers=layers), n_labels)
    print_notes(task)
    seeds = range(seed, seed + (1 if task.official else splits))
    out = open_folder(out, "auto.jsonl", "auto.md")
    header = task.header("auto", seeds, ("numpy", "scikit-learn", "scipy"))
    lines = complete(
        run_split, [{"seed": one} for one in seeds], out / "auto.jsonl", key=KEY, header=header,
        expected=_always_there, shared=(task,), jobs=jobs, description="choices",
    )  # fmt: skip
    return write_page(out / "auto.md", page(header, lines))


def _always_there(trial: Trial) -> list[Trial]:
    """Give the keys that every split has; L1 joins on the scalings that suit a split best."""
    scalings = [name for name in SCALINGS if name != "layer-mean"]
    names = [FORMER, *(f"l2, {name}" for name in scalings), AUTO, BLEND]
    return [{"choice": name, "seed": trial["seed"]} for name in names]


def run_split(trial: Trial, task: Task) -> list[dict[str, Any]]:
    """Choose inside the training rows of a split, and evaluate every choice on its test rows.

    Parameters
    ----------
    trial : mapping
        With ``seed``.
    task : Task

    Returns
    -------
    list of dict
        One line per choice; those that every split has come last.
    """
    part = task.split(trial["seed"])
    X, Y, widths = task.X[part.train], task.Y[part.train], task.layer_widths
    found, data = search(X, Y, widths, seed=trial["seed"], jobs=1, progress=False)
    ranked = found.ranked(data.metric)
    former = try_one(FORMER_DEFAULT, data).scores[FORMER_DEFAULT]
    kept = {
        one.candidate: Scored(
            found.scores[one.candidate], _test_scores(one.candidate, task, part, widths)
        )
        for one in ranked
    }
    choices = {
        name_of(candidate.learner, candidate.scaling): (scored, str(candidate))
        for candidate, scored in sorted(kept.items(), key=lambda pair: pair[0].learner)
    }
    choices[FORMER] = (
        Scored(former, _test_scores(FORMER_DEFAULT, task, part, widths)),
        str(FORMER_DEFAULT),
    )
    for name, chosen in ((AUTO, single(found, ranked[0])), (BLEND, blend(found, data))):
        choices[name] = (_mean_scores(chosen, kept), " + ".join(map(str, chosen.candidates)))
    truth = task.Y[part.test]
    return [
        {"choice": name, **trial, **_values(scored, Y, truth), "chosen": text}
        for name, (scored, text) in choices.items()
    ]


def _test_scores(one: Candidate, task: Task, part: Split, widths: Sequence[int]) -> np.ndarray:
    """Train as ``fit`` does, on all training rows."""
    X, Y = task.X[part.train], task.Y[part.train]
    scaler = fit_scaler(one.scaling, widths, X)
    tagger = find_learner(one.learner).make(one.C, Y).fit(scale(scaler, X), Y)
    return tagger.decision_function(scale(scaler, task.X[part.test]))


def _mean_scores(chosen: Blend, kept: Mapping[Candidate, Scored]) -> Scored:
    weighted = zip(chosen.weights, chosen.candidates, strict=True)
    test = np.mean([weight * kept[one].test for weight, one in weighted], axis=0)
    return Scored(chosen.scores, test)


def _values(scored: Scored, Y: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Rank, decide and calibrate by scores; thresholds and slopes come from the training rows."""
    rule = parse_rule("f1")
    thresholds = choose_thresholds(rule, scored.train, Y)
    probabilities = Calibrator("platt").fit(scored.train, Y).predict_proba(scored.test)
    decided = {"f1_zero": scored.test > 0, "f1_thresholds": scored.test > thresholds}
    values = {
        "example_ap": METRICS["example_ap"].function(truth, scored.test),
        "map": METRICS["map"].function(truth, scored.test),
        **{key: precision_recall_f1(truth, told)["f1_macro"] for key, told in decided.items()},
        "ece_sigmoid": expected_calibration_error(truth, expit(scored.test)),
        "ece_platt": expected_calibration_error(truth, probabilities),
    }
    return {key: float(value) for key, value in values.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `auto`."""
    about = {
        "cache": "features; the columns of several are put side by side",
        "out": "folder for result lines and the page",
        "data": "folder with labels.csv (the cache's labels)",
        "split": "official split.csv (random splits)",
        "layers": "layers to learn from (all)",
        "n_labels": "labels to keep, the most common ones (all)",
        "splits": "number of random splits",
        "seed": "first seed",
        "jobs": "processes, -1 for one per core",
    }
    add_options(parser, auto, about)
