"""What one trial of ``tables rml`` learns from: corrupted labels, few labels, or all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.tables.experiment import Experiment
from benchmarks.tables.method import Case, Method
from benchmarks.tables.rml.learners import Protocol
from benchmarks.tables.task import Task
from classify.metrics import AVERAGES, METRICS, MIML_METRICS
from classify.parallel import Trial
from features.noise import Corruption, corrupt
from features.splits import Split, inner_folds, inner_split

#: What result lines hold.
EVALUATED = (
    *MIML_METRICS,
    "map",
    "map_voc12",
    *(f"{rule}_{average}" for rule in ("top3", "top3_positive") for average in AVERAGES),
)

#: Added to the seed of corruption. With equal seeds, the rows that are corrupted first would be
#: just those that are set aside for selection.
ANOTHER_STREAM = 1_000_003


@dataclass(frozen=True, eq=False)
class RankingExperiment(Experiment):
    """The data, the learners and how they are selected.

    A trial has ``learner``, ``setting``, ``noise`` (share of training rows with corrupted labels),
    ``labeled`` (share of training rows with labels) and ``seed``, which random splits follow too.

    Attributes
    ----------
    task : Task
    protocol : Protocol
    methods : mapping of str to Method
    """

    task: Task
    protocol: Protocol
    methods: Mapping[str, Method]

    @property
    def metric(self) -> str:  # type: ignore[override]
        """What settings are selected by."""
        return self.protocol.metric

    @property
    def undefined(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Values of a fit that failed."""
        return {"score": None}

    def case(self, trial: Trial) -> Case:
        """Give the rows and labels of a trial."""
        seed = trial["seed"]
        train, test = self.task.split(seed).train, self.task.split(seed).test
        Y = self.task.Y.copy()
        Y[train] = self._noisy(trial).labels
        labeled = labeled_rows(train, trial["labeled"], seed)
        return Case(
            X=self.task.X,
            Y=Y,
            train=train,
            part=Split(np.sort(labeled), test),
            inner=tuple(self._inner_parts(labeled, seed)),
            seed=seed,
            epochs=self.protocol.epochs,
        )

    def evaluate(self, scores: np.ndarray, case: Case, trial: Trial) -> dict[str, Any]:
        """Give every metric of `EVALUATED`, and the share of training rows with wrong labels."""
        Y = self.task.Y[case.part.test]
        values = {name: METRICS[name].function(Y, scores) for name in EVALUATED}
        return {**values, "wrong_rows": self._noisy(trial).effective_rate}

    def _noisy(self, trial: Trial) -> Corruption:
        train = self.task.split(trial["seed"]).train
        seed = trial["seed"] + ANOTHER_STREAM
        return corrupt(self.task.Y[train], trial["noise"], seed, self.protocol.variant)

    def _inner_parts(self, rows: np.ndarray, seed: int) -> Sequence[Split]:
        protocol = self.protocol
        if protocol.folds == 1:
            parts: Sequence[Split] = (inner_split(rows, seed, protocol.validation),)
        else:
            parts = inner_folds(rows, protocol.folds, seed)
        return [Split(np.sort(part.train), part.test) for part in parts]


def labeled_rows(train: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw the training rows that keep their labels; a larger share holds a smaller one.

    Examples
    --------
    >>> len(labeled_rows(np.arange(40), 0.05, seed=0))
    2
    """
    if share == 1:
        return train
    return np.random.default_rng(seed).permutation(train)[: max(2, round(share * len(train)))]
