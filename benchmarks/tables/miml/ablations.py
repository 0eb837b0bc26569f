"""``tables miml`` at the exact optimum: along C, with C selected, and on single layers.

A trial is `classify.trials.run_trial` on some columns: it fits a regularization path on one split,
selects C inside the training rows, and evaluates every C. `ablations_report` makes the tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables.experiment import complete
from benchmarks.tables.miml.learners import mean_nonzeros, to_caffe
from benchmarks.tables.task import Span, Task
from classify.logistic import LogisticTagger
from classify.metrics import MIML_METRICS
from classify.parallel import Trial
from classify.results import Line
from classify.trials import run_trial

KEY = ("learner", "scaling", "layers", "seed", "C")
SELECTION = {"select": "inner-cv", "metric": "example_ap", "folds": 3}
LEARNERS = ("l1", "l2")  # fitted to a certified duality gap by `classify.logistic`
LIBLINEAR = "l1-liblinear"  # LIBLINEAR's default stop, fitted at C = 1 to count its non-zeros
ALL = "all"  # the group of all layers

_HALF_DECADES = [float(f"{10 ** (k / 2):.3g}") for k in range(-8, 5)]  # 0.0001 to 100

#: Nine values of C per scaling, 1 among them. Larger features need smaller values.
CS = {"none": _HALF_DECADES[2:11], "max01": _HALF_DECADES[4:], "x57.4": _HALF_DECADES[:9]}


def run_ablations(
    task: Task,
    path: Path,
    *,
    header: Mapping[str, Any],
    seeds: Sequence[int],
    jobs: int = -1,
) -> list[Line]:
    """Run the fits of all ablations; lines that the file already has are kept.

    Parameters
    ----------
    task : Task
    path : Path
        The file of result lines, one per learner, scaling, layers, split and C. A line has the mean
        score over the inner folds, whether this C was selected, the metrics on the test rows, and
        the mean number of non-zeros per label; on all layers also that number for each layer.
    header : mapping
        Of ``miml.jsonl``. The splits are the same.
    seeds : sequence of int
        One per split.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    list of dict
        The lines, in the order of their keys.
    """
    header = {**header, "table": "miml-ablations", **SELECTION, "C": CS}
    return complete(
        fit_path_and_evaluate, _units(layer_groups(task.spans), seeds), path, key=KEY,
        header=header, expected=lambda unit: [{**unit, "C": C} for C in _plan(unit)["C"]],
        shared=(task.spans, task.X, task.Y), jobs=jobs, description="optimum",
        together=MIML_METRICS,
    )  # fmt: skip


def layer_groups(spans: Mapping[str, Span]) -> dict[str, Span]:
    """Name the groups of layers that are fitted: all, each layer alone, the first k layers.

    Parameters
    ----------
    spans : mapping of str to (int, int)
        First column of each layer, and the column after its last.

    Returns
    -------
    dict
        The same for each group.

    Examples
    --------
    >>> layer_groups({"a": (0, 2), "b": (2, 5), "c": (5, 9)})
    {'all': (0, 9), 'a': (0, 2), 'b': (2, 5), 'c': (5, 9), 'a to b': (0, 5)}
    """
    first, *others = spans
    groups = {ALL: (0, max(end for _, end in spans.values()))}
    if others:
        groups |= spans
        groups |= {f"{first} to {last}": (0, spans[last][1]) for last in others[:-1]}
    return groups


def fit_path_and_evaluate(
    unit: Trial, spans: Mapping[str, Span], X: np.ndarray, Y: np.ndarray
) -> list[Line]:
    """Fit one learner along C on one split and one group of layers.

    Parameters
    ----------
    unit : mapping
        The fields of `KEY` but C.
    spans : mapping of str to (int, int)
        First column of each layer, and the column after its last.
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)

    Returns
    -------
    list of dict
        One line per C.
    """
    first, end = layer_groups(spans)[unit["layers"]]
    here, scale = X[:, first:end], unit["scaling"]
    if scale == "x57.4":  # a constant factor, so all rows may be scaled before the split
        here, scale = to_caffe(here), "none"
    lines = run_trial(
        {**unit, "scaling": scale, "split": unit["seed"]},
        _plan(unit),
        here,
        Y,
        evaluate_all=True,
        describe=partial(count_nonzeros, spans=spans if unit["layers"] == ALL else {}),
    )
    return [{**{k: v for k, v in line.items() if k != "split"}, **unit} for line in lines]


def count_nonzeros(tagger: LogisticTagger, spans: Mapping[str, Span]) -> dict[str, float]:
    """Give the mean number of non-zero coefficients per label, in all layers and in each.

    Parameters
    ----------
    tagger : LogisticTagger
        Fitted.
    spans : mapping of str to (int, int)
        First column of each layer, and the column after its last.

    Returns
    -------
    dict
        ``nonzeros``, and ``nonzeros NAME`` for each layer: means over the labels with both classes
        in training.
    """
    parts = {f"nonzeros {name}": mean_nonzeros(tagger, slice(*spans[name])) for name in spans}
    return {"nonzeros": mean_nonzeros(tagger), **parts}


def _units(groups: Iterable[str], seeds: Sequence[int]) -> list[Trial]:
    """List the trials: every scaling of all layers, and the other groups of layers unscaled."""
    kinds = [(learner, scale, ALL) for learner in LEARNERS for scale in CS]
    kinds += [(learner, "none", part) for learner in LEARNERS for part in groups if part != ALL]
    kinds += [(LIBLINEAR, "none", ALL)]
    return [
        {"learner": learner, "scaling": scale, "layers": part, "seed": seed}
        for seed in seeds
        for learner, scale, part in kinds
    ]


def _plan(unit: Trial) -> dict[str, Any]:
    if unit["learner"] == LIBLINEAR:
        return {**SELECTION, "select": "none", "C": [1.0]}
    return {**SELECTION, "C": CS[unit["scaling"]]}
