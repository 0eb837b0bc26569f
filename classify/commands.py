"""The options of ``fit``, ``predict`` and ``sweep``, and what the commands print."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from classify.decisions.rules import RULES
from classify.learners import MEANING_OF_C, describe_learners
from classify.metrics import METRICS
from classify.predictions import predict
from classify.scaling import describe_scalings
from classify.sweep import SELECTIONS, failures, parse_C, summarize, sweep, unchosen
from classify.training import CALIBRATIONS, fit
from features.command_line import add_options, argument

_POSITIONAL = {"positional": True}
_LABELS = "a labels.csv instead of the cache's own"
_LAYERS = "layers to learn from (all)"
_CLASS_WEIGHT = (
    "balanced: each label's n known cells weigh n / (2 n1) where it is present, n1 of them, and "
    "n / (2 n0) where it is absent, for learners that take class weights (no weights)"
)
_RARE_WEIGHT = "the power of these weights, from 0, none, to 1, balanced; .5 takes square roots"


def add_fit_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``fit``."""
    parser.description = f"{parser.description}\n\n{describe_learners()}\n\n{describe_scalings()}"
    texts = {
        "cache": "features to learn from",
        "out": "the model file, .safetensors",
        "learner": "one of those listed above, or auto: compare l2 on every scaling, then l1 and, "
        "where labels are unknown, imcl and curriculum on the best ones, over folds",
        "C": f"{MEANING_OF_C} (1, for those that take it, or chosen by auto)",
        "scaling": "of features, of those listed above (none, or chosen by auto)",
        "layers": _LAYERS,
        "labels": _LABELS,
        "metric": f"what auto compares, of {', '.join(METRICS)}",
        "folds": "of the rows, for auto, thresholds and calibration",
        "seed": "of the folds",
        "thorough": "auto also tries learners trained by descent: rmlc, bce, ss-rmlc",
        "blend": "auto averages up to three candidates where that is better out of fold (yes)",
        "class_weight": _CLASS_WEIGHT,
        "rare_weight": _RARE_WEIGHT,
        "thresholds": f"how labels are decided, from out-of-fold scores: {RULES} (f1 with auto, "
        "else zero)",
        "calibration": f"probabilities from out-of-fold scores: {', '.join(CALIBRATIONS)} (platt "
        "with auto, else none)",
        "jobs": "processes for the folds, -1 for one per core",
        "from_disk": "read rows as they are needed, for a cache larger than memory",
    }
    add_options(parser, fit, texts, cache=_POSITIONAL)


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``predict``."""
    texts = {
        "model": "a file that fit wrote",
        "cache": "features made the same way",
        "out": "a .csv or .jsonl file",
    }
    add_options(parser, predict, texts, model=_POSITIONAL, cache=_POSITIONAL)


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sweep``."""
    parser.description = f"{parser.description}\n\n{describe_learners()}\n\n{describe_scalings()}"
    texts = {
        "cache": "features with labels",
        "out": "the file of result lines, .jsonl",
        "learner": "of those listed above",
        "scaling": "of features, of those listed above",
        "C": f"LOW:HIGH:COUNT or a,b,c: {MEANING_OF_C}",
        "splits": "random splits, 2/3 of the rows to train on",
        "seed": "seed of the first split",
        "folds": "inner folds",
        "group_duplicates": "keep images of one checksum on one side of each split",
        "jobs": "processes, -1 for one per core",
        "select": f"how C is chosen: {', '.join(SELECTIONS)}",
        "metric": f"metric to select C by, of {', '.join(METRICS)}",
        "layers": _LAYERS,
        "labels": _LABELS,
        "class_weight": _CLASS_WEIGHT,
        "rare_weight": _RARE_WEIGHT,
        "dask": "run on a Dask cluster: tcp://HOST:PORT or local:N",
        "from_disk": "read rows as they are needed, for a cache larger than memory",
    }
    C = {"type": argument(parse_C), "nargs": None}
    add_options(parser, sweep, texts, cache=_POSITIONAL, C=C, dask={"metavar": "ADDRESS"})


def run_fit(out: Path, **options: Any) -> None:
    """Train a model and print where it is."""
    fit(out=out, **options)
    print(out)


def run_predict(**options: Any) -> None:
    """Tag images and print where the predictions are."""
    print(predict(**options))


def run_sweep(**options: Any) -> int:
    """Run a sweep; print what its splits give on average, and where the lines are.

    Returns
    -------
    int
        The exit code: 1 if a fit failed, or no C could be chosen.
    """
    path = sweep(**options)
    for name, splits, values in summarize(path):
        numbers = "  ".join(  # one split has no deviation
            f"{metric} {mean:.4f}" + ("" if math.isnan(std) else f" ± {std:.4f}")
            for metric, (mean, std) in values.items()
        )
        print(f"{name} ({splits} fits): {numbers}")
    print(path)
    wrong = failures(path) or unchosen(path)
    if wrong:
        print(f"error: {wrong}", file=sys.stderr)
    return 1 if wrong else 0
