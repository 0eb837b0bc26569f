"""What one trial of ``tables imcl`` learns from: training rows with some of their labels hidden.

Settings are evaluated on rows set aside from the training rows, by their known labels; what is
chosen is evaluated on the test rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables.experiment import Experiment
from benchmarks.tables.imcl.learners import ABLATIONS, IMCL
from benchmarks.tables.method import Case, Method, Name
from benchmarks.tables.reading import read_task
from benchmarks.tables.task import Task, keep_labels
from classify.metrics.label_based import mean_average_precision
from classify.metrics.label_groups import group_map
from classify.parallel import Trial
from classify.row_blocks import mean_norm
from features.missing import hide
from features.splits import inner_split

SELECTION_KEY = ("learner", "rate", "seed", "setting")
KEY = ("learner", "section", "variant", "rate", "seed")
PLACE = ("learner", "rate", "seed")
SET_ASIDE = 0.25  # of the training rows, to choose settings on
GROUPS = 5


def read_partial_task(
    cache: Path, layers: Sequence[str] | None = None, split: Path | None = None
) -> Task:
    """Read a cache that has labels.

    Parameters
    ----------
    cache, layers, split
        As for `benchmarks.tables.reading.read_task`.

    Returns
    -------
    Task
        Under an official split without the labels that lack a present image in either part, as is
        usual for Corel5k.

    Raises
    ------
    InputError
        As `read_task` and `keep_labels`.
    """
    task = read_task([cache], split=split, layers=layers)
    return keep_labels(task) if split else task


@dataclass(frozen=True, eq=False)
class PartialExperiment(Experiment):
    """The data, the learners, and how labels are hidden.

    A trial has ``learner``, ``setting``, ``rate`` (share of the known training labels to hide) and
    ``seed``, of the hidden labels and of random splits; for an ablation of IMCL also ``section``
    and ``variant``.

    Attributes
    ----------
    task : Task
    methods : mapping of str to Method
    scheme : str
        As in `features.missing.hide`.
    """

    task: Task
    methods: Mapping[str, Method]
    scheme: str = "uniform"
    metric: str = "map"

    @property
    def n_groups(self) -> int:
        """Number of groups of labels."""
        return min(GROUPS, self.task.Y.shape[1])

    @property
    def undefined(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Values of a fit that failed."""
        groups = (f"g{number}" for number in range(1, self.n_groups + 1))
        return dict.fromkeys(("map", "map_zero", "evaluable", *groups))

    def method(self, trial: Trial) -> Method:
        """Give the method of a trial, with the parameters of its ablation."""
        return method_of(self.methods, trial)

    def case(self, trial: Trial) -> Case:
        """Give the rows and labels of a trial."""
        split = self.task.split(trial["seed"])
        Y = self.task.Y.copy()
        Y[split.train] = hide(Y[split.train], trial["rate"], trial["seed"], self.scheme)
        inner = inner_split(split.train, trial["seed"], SET_ASIDE)
        X = scaled(self.task.X, split.train)
        return Case(X, Y, train=split.train, part=split, inner=(inner,), seed=trial["seed"])

    def evaluate(self, scores: np.ndarray, case: Case, trial: Trial) -> dict[str, Any]:
        """Give the mean average precision (mAP) of the test rows, and that of groups of labels.

        Returns
        -------
        dict
            ``map`` over labels with a known present test image, ``map_zero`` with 0 for the others,
            ``evaluable``, and ``g1`` to ``g5``: by groups of labels, those with the fewest training
            images first, counted before labels are hidden.
        """
        counts = (self.task.Y[case.part.train] == 1).sum(axis=0)
        truth = self.task.Y[case.part.test]
        result = group_map(truth, scores, counts, n_groups=self.n_groups)
        return {
            "map": result.all,
            "map_zero": mean_average_precision(truth, scores, without_positives="zero"),
            "evaluable": result.evaluable,
            **{f"g{number}": value for number, value in enumerate(result.groups, start=1)},
        }


def method_of(methods: Mapping[str, Method], trial: Trial) -> Method:
    """Give the method of a trial; an ablation sets some of its parameters."""
    method, section = methods[trial["learner"]], trial.get("section", "main")
    if section == "main":
        return method
    (found,) = [one for one in ABLATIONS if (one.section, one.name) == (section, trial["variant"])]
    settings = {name: {**one, **found.parameters} for name, one in method.settings.items()}
    return replace(method, settings=settings)


def scaled(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Divide all rows by the mean length of the training rows."""
    return X / X.dtype.type(mean_norm(X, train, np.ones(len(train))))


def selection_trials(
    methods: Mapping[str, Method], rates: Sequence[float], seeds: Sequence[int]
) -> list[Trial]:
    """List every setting of every learner."""
    return [
        {"learner": learner, "rate": rate, "seed": seed, "setting": setting}
        for rate in rates
        for seed in seeds
        for learner, method in methods.items()
        for setting in method.settings
    ]


def result_trials(
    learners: Sequence[str],
    rates: Sequence[float],
    seeds: Mapping[int, int],
    chosen: Mapping[tuple, Name],
    ablation_rates: Sequence[float],
) -> list[Trial]:
    """List every fit to evaluate: learners at all rates, ablations of IMCL at some.

    `seeds` maps each seed to the one whose choice of settings it takes.
    """
    trials: list[Trial] = []
    for rate in rates:
        for seed, chooser in seeds.items():
            fits = [(learner, "main", "") for learner in learners]
            if rate in ablation_rates and IMCL in learners:
                fits += [(IMCL, one.section, one.name) for one in ABLATIONS if one.parameters]
            trials += [
                {
                    **{"learner": learner, "section": section, "variant": name},
                    **{"rate": rate, "seed": seed, "setting": chosen[learner, rate, chooser]},
                }
                for learner, section, name in fits
            ]
    return trials
