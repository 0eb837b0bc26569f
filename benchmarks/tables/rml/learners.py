"""The learners of ``tables rml``, what is tried for each inside the training rows, and one fit.

All get the same features and the same selection: every setting of a learner's grid is fitted to a
part of the training rows and judged on the rest of them, and the best is fitted to all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from benchmarks.tables.experiment import Task
from benchmarks.tables.rml.data import BlockScaler
from classify.base import UNKNOWN
from classify.logistic import LogisticTagger
from classify.metrics import METRICS, MIML_METRICS, get_metric
from classify.warp.semi_supervised import SemiSupervisedTagger
from classify.warp.tagger import WarpTagger
from features.errors import InputError, check_choice
from features.noise import corrupt
from features.splits import Split, inner_folds, inner_split

TOP3 = (
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "f1_macro_harmonic",
    "precision_micro",
    "recall_micro",
    "f1_micro",
)
JUDGED = (
    *MIML_METRICS,
    "map",
    "map_voc12",
    *(f"{rule}_{value}" for rule in ("top3", "top3_positive") for value in TOP3),
)

#: What precedes the division of each cache's columns by one number.
SCALINGS: dict[str, Callable[[], Any]] = {
    "none": FunctionTransformer,
    "max01": MaxAbsScaler,
}

#: Added to the seed of corruption. With equal seeds, the rows that are corrupted first would be
#: just those that are set aside for selection.
ANOTHER_STREAM = 1_000_003

#: Of the epochs that descend on the hinge, with every ramp: else it loses rare labels from zeros.
WARM_UP = 0.3

Setting = Mapping[str, Any]


@dataclass(frozen=True)
class Learner:
    """A row of the tables.

    Attributes
    ----------
    title : str
        Its name in tables.
    make : callable
        Gives an estimator, from parameters.
    descent : bool
        Whether its grid is one of learning rates and weight decays, or one of C.
    signs : bool
        Whether a score above 0 says that a label is present; else only the order counts.
    unlabeled : bool
        Whether it learns from rows without labels.
    """

    title: str
    make: Callable[..., Any]
    descent: bool = True
    signs: bool = True
    unlabeled: bool = False


def _semi_supervised(preset: str, **parameters: Any) -> SemiSupervisedTagger:
    nested = {f"estimator__{name}": value for name, value in parameters.items()}
    return SemiSupervisedTagger.from_preset(preset, estimator__warm_up=WARM_UP, **nested)


LEARNERS: dict[str, Learner] = {
    "rmlc": Learner("RMLC", partial(WarpTagger, "ramp", warm_up=WARM_UP)),
    "rmlc-official": Learner(
        "RMLC, official",
        partial(WarpTagger.from_preset, "official", rank_mode="expected", warm_up=WARM_UP),
    ),
    "warp": Learner("WARP", partial(WarpTagger, "hinge", kappa=0.0), signs=False),
    "softmax": Learner("softmax", partial(WarpTagger, "softmax"), signs=False),
    "pairwise": Learner("pairwise", partial(WarpTagger, "pairwise"), signs=False),
    "lsep": Learner("LSEP", partial(WarpTagger, "lsep"), signs=False),
    "bce": Learner("BCE", partial(WarpTagger, "bce")),
    "l1lr": Learner("L1LR", partial(LogisticTagger, "l1"), descent=False),
    "lr": Learner("LR", partial(LogisticTagger, "l2"), descent=False),
    "ss-rmlc-paper": Learner(
        "SS-RMLC, paper",
        partial(_semi_supervised, "paper"),
        unlabeled=True,
    ),
    "ss-rmlc-official": Learner(
        "SS-RMLC, official",
        partial(_semi_supervised, "official"),
        unlabeled=True,
    ),
}


@dataclass(frozen=True)
class Protocol:
    """How every learner is selected and trained.

    Attributes
    ----------
    learning_rates, weight_decays, C : tuple of float
        The grids.
    scaling : tuple of str
        Of `SCALINGS`; each is combined with all of a grid.
    epochs : int
        On all training rows; a fit to fewer of them makes as many steps.
    metric : str
        What settings are selected by.
    folds : int
        Folds of the labeled training rows; 1 for one part set aside.
    validation : float
        Share of that part.
    variant : {"bernoulli", "permute"}
        Of corrupted labels.
    """

    learning_rates: tuple[float, ...] = (1.0, 10.0)
    weight_decays: tuple[float, ...] = (0.0, 1e-5, 1e-4)
    C: tuple[float, ...] = (1.0, 10.0, 100.0)
    scaling: tuple[str, ...] = ("none",)
    epochs: int = 30
    metric: str = "top3_f1_macro"
    folds: int = 1
    validation: float = 0.1
    variant: str = "bernoulli"

    def check(self) -> None:
        """Refuse what no run can use.

        Raises
        ------
        InputError
        """
        get_metric(self.metric)
        positive: tuple[tuple[str, Sequence[float]], ...] = (
            ("learning_rates", self.learning_rates),
            ("C", self.C),
            ("epochs", [self.epochs]),
            ("folds", [self.folds]),
        )
        for name, values in positive:
            if not values or min(values) <= 0:
                raise InputError(f"{name} must be above 0, got {list(values)}")
        if not self.weight_decays or min(self.weight_decays) < 0:
            raise InputError(f"weight_decays must be 0 or more, got {list(self.weight_decays)}")
        for name in self.scaling or ("",):
            check_choice("scaling", name, SCALINGS)
        if not 0 < self.validation < 1:
            raise InputError(f"validation is a share between 0 and 1, got {self.validation}")

    def settings(self, learner: str) -> dict[str, Setting]:
        """List a learner's settings by the text that stands for each in result lines.

        Examples
        --------
        >>> list(Protocol(C=(1.0, 10.0)).settings("lr"))
        ['none, C 1', 'none, C 10']
        """
        grid: dict[str, Setting] = {}
        if LEARNERS[learner].descent:
            for scaling, rate, decay in product(
                self.scaling, self.learning_rates, self.weight_decays
            ):
                text = f"{scaling}, rate {rate:g}, decay {decay:g}"
                grid[text] = {"scaling": scaling, "learning_rate": rate, "weight_decay": decay}
        else:
            for scaling, C in product(self.scaling, self.C):
                grid[f"{scaling}, C {C:g}"] = {"scaling": scaling, "C": C}
        return grid


def run_cell(cell: Mapping[str, Any], task: Task, protocol: Protocol) -> dict[str, Any]:
    """Judge one setting inside the training rows, or fit it to them and judge on the test rows.

    Parameters
    ----------
    cell : mapping
        ``stage`` ("inner" or "test"), ``learner``, ``setting``, ``noise`` (share of training rows
        with corrupted labels), ``labeled`` (share of training rows with labels) and ``seed``: the
        seed of all that is random, random splits among it.
    task : Task
    protocol : Protocol

    Returns
    -------
    dict
        For "inner" the ``score``, for "test" every metric of `JUDGED` and the share of training
        rows whose labels are wrong; ``error`` says why a fit failed, and is else None.
    """
    draw = cell["seed"]
    train, test = task.split(draw).train, task.split(draw).test
    noisy = corrupt(task.Y[train], cell["noise"], draw + ANOTHER_STREAM, protocol.variant)
    Y = task.Y.copy()
    Y[train] = noisy.labels
    labeled = labeled_rows(train, cell["labeled"], draw)
    fit = partial(_fit_and_score, cell, task, protocol)
    try:
        if cell["stage"] == "inner":
            judge = METRICS[protocol.metric].function
            parts = _inner_parts(labeled, protocol, draw)
            values = [judge(Y[part.test], fit(Y, train, part.train, part.test)) for part in parts]
            return {"score": float(np.mean(values)), "error": None}
        scores = fit(Y, train, labeled, test)
    except InputError as error:  # a rate that diverges is a line, not the end
        return {"score": None, "error": str(error)}
    judged = {name: METRICS[name].function(task.Y[test], scores) for name in JUDGED}
    return {**judged, "wrong_rows": noisy.effective_rate, "error": None}


def labeled_rows(train: np.ndarray, share: float, draw: int) -> np.ndarray:
    """Draw the training rows that keep their labels; a larger share holds a smaller one.

    Examples
    --------
    >>> len(labeled_rows(np.arange(40), 0.05, draw=0))
    2
    """
    if share == 1:
        return train
    return np.random.default_rng(draw).permutation(train)[: max(2, round(share * len(train)))]


def _inner_parts(rows: np.ndarray, protocol: Protocol, draw: int) -> Sequence[Split]:
    if protocol.folds == 1:
        return (inner_split(rows, draw, protocol.validation),)
    return inner_folds(rows, protocol.folds, draw)


def _fit_and_score(cell, task: Task, protocol: Protocol, Y, train, labeled, judged) -> np.ndarray:
    """Fit to the labeled rows, and to the other training rows without labels; score some rows."""
    learner = LEARNERS[cell["learner"]]
    parameters = dict(protocol.settings(cell["learner"])[cell["setting"]])
    scaling = SCALINGS[parameters.pop("scaling")]()
    rows, targets = np.sort(labeled), Y
    if learner.unlabeled:
        rows = np.setdiff1d(train, judged)
        targets = np.full_like(Y, UNKNOWN)
        targets[labeled] = Y[labeled]
    if learner.descent:  # as many steps on few rows as on all of them
        epochs = round(protocol.epochs * max(1.0, len(train) / len(rows)))
        parameters |= {"epochs": epochs, "random_state": cell["seed"]}
    model = make_pipeline(scaling, BlockScaler(task.widths), learner.make(**parameters))
    model.fit(task.X[rows], targets[rows])
    return model.decision_function(task.X[judged])
