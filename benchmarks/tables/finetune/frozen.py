"""The baseline of a fine-tuned network: the same learner on frozen features.

Rows, hidden labels, the rows for selection and the selection metric are those of the run; C is
selected where the run selects its epoch. No network is trained.
"""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.tables.method import Case, Method
from classify.finetune.config import HEAD_CS, FinetuneConfig, read_run
from classify.learners import Learner, find_learner
from classify.metrics import METRICS
from features.cache import FeatureCache
from features.errors import InputError
from features.labels import read_split_csv, some_of
from features.missing import hide_in_rows
from features.splits import Split

#: Models without a counterpart of their own stand beside logistic regression.
COUNTERPARTS = {
    "rml": "rmlc",
    "ss-rml": "ss-rmlc",
    "warp": "warp",
    "softmax": "softmax",
    "imcl": "imcl",
}
BASELINE = "l2"


class Counterpart(NamedTuple):
    """A cached learner's result.

    Attributes
    ----------
    learner : str
    C : float
        The one chosen.
    values : dict of str to float
        Metrics of the test images.
    """

    learner: str
    C: float
    values: dict[str, float]


def frozen_counterpart(
    run: Path, cache: Path, layers: Sequence[str] | None = None, grid: Sequence[float] = HEAD_CS
) -> Counterpart:
    """Train a run's counterpart on cached features.

    Parameters
    ----------
    run : Path
        A run folder of ``python -m classify finetune``.
    cache : Path
        Features of its images, by the network it started from.
    layers : sequence of str, optional
        Default: all.
    grid : sequence of float
        The C to choose from, on the run's rows for that.

    Returns
    -------
    Counterpart

    Raises
    ------
    InputError
        The folder holds no run, the run set no rows aside, or the cache lacks some of its images or
        labels.
    """
    config, names = read_run(run)
    case = case_of_run(run, config, names, cache, layers)
    if not case.inner:
        raise InputError(
            f"{run} set no rows aside to choose C on: give runs with --validation above 0"
        )
    learner = find_learner(COUNTERPARTS.get(config.model, BASELINE))
    make = partial(_published, learner, case.Y[case.part.train])
    method = Method(learner.name, learner.name, make, {C: {"C": C} for C in grid})
    C = method.select(case, config.metric)
    scores = method.score(C, case, case.part)
    truth = case.Y[case.part.test]
    values = {
        name: one.function(truth, scores) for name, one in METRICS.items() if name != "accuracy"
    }
    return Counterpart(learner.name, float(C), values)


def case_of_run(
    run: Path,
    config: FinetuneConfig,
    names: Sequence[str],
    cache: Path,
    layers: Sequence[str] | None = None,
) -> Case:
    """Read a run's images from a cache and hide the labels that the run hid.

    Parameters
    ----------
    run : Path
    config : FinetuneConfig
    names : sequence of L str
        Its labels.
    cache : Path
    layers : sequence of str, optional

    Returns
    -------
    Case
        The run's rows to choose its epoch on are the inner ones.

    Raises
    ------
    InputError
        As `frozen_counterpart`.
    """
    with open(run / "split.csv", newline="", encoding="utf-8") as file:
        listed = [line["image"] for line in csv.DictReader(file)]
    parts = read_split_csv(run / "split.csv", listed)
    store = FeatureCache(cache)
    if store.labels is None:
        raise InputError(f"{cache} has no labels; give a cache of a data set with labels.csv")
    places = _places(listed, [store.ids[row] for row in store.valid_rows], f"{cache}: images")
    columns = _places(names, store.label_names, f"{cache}: labels")
    places = store.valid_rows[places]
    Y = store.labels[places][:, columns]
    learned = hide_in_rows(
        Y,
        parts["train"],
        missing=config.missing,
        unlabeled=config.unlabeled,
        seed=config.seed,
    )
    train, none = parts["train"], np.array([], dtype=int)
    return Case(
        X=store.read(layers, places),
        Y=learned,
        train=train,
        part=Split(train, parts.get("test", none)),
        inner=(Split(train, parts["val"]),) if "val" in parts else (),
        seed=config.seed,
    )


def _published(learner: Learner, labels: np.ndarray, *, C: float) -> Any:
    """Make a learner with the rates of the published page, whatever its defaults are by now."""
    model = learner.make(C, labels)
    if learner.name == "imcl":
        return model.set_params(early_stopping="never")
    if learner.C != "decay":
        return model
    every_row = learner.needs == "unlabeled rows"
    weight = C * (len(labels) if every_row else int((labels >= 0).any(axis=1).sum()))
    # At a strong decay, steps of the usual length would overshoot zero.
    rates = {"C": None, "weight_decay": 1 / weight, "learning_rate": min(1.0, weight)}
    prefix = "estimator__" if learner.around else ""
    return model.set_params(**{f"{prefix}{name}": value for name, value in rates.items()})


def _places(wanted: Sequence[str], there: Sequence[str], what: str) -> np.ndarray:
    place = {name: i for i, name in enumerate(there)}
    lacking = [name for name in wanted if name not in place]
    if lacking:
        raise InputError(
            f"{what} lack {some_of(lacking)}; extract from the folder that the run learnt from"
        )
    return np.array([place[name] for name in wanted])
