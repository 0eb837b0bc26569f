"""What the same learner gives on frozen features: the yardstick of a fine-tuning.

Rows, hidden labels, the rows to choose on and the metric to choose by are those of the run; in the
place of the epoch, C is chosen. Trains no network.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classify.finetune.config import HEAD_CS, FinetuneConfig, read_run
from classify.learners import Learner, find_learner
from classify.metrics import METRICS, Metric, get_metric
from features.cache import FeatureCache
from features.errors import InputError
from features.labels import read_split_csv, some_of
from features.missing import hide_in_rows

#: Models without a counterpart of their own stand beside logistic regression.
COUNTERPARTS = {
    "rml": "rmlc",
    "ss-rml": "ss-rmlc",
    "warp": "warp",
    "softmax": "softmax",
    "imcl": "imcl",
}
BASELINE = "l2"


class Rows(NamedTuple):
    """A run's images, as a cached learner gets them.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)
        True labels.
    learnt : int8 ndarray of shape (n, L)
        Those that the run learnt from, -1 where they were hidden.
    parts : dict of str to ndarray of int
        Rows of ``train``, ``test`` and ``val``.
    """

    X: np.ndarray
    Y: np.ndarray
    learnt: np.ndarray
    parts: dict[str, np.ndarray]


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
    rows = rows_of_run(run, config, names, cache, layers)
    learner = find_learner(COUNTERPARTS.get(config.model, BASELINE))
    metric = get_metric(config.metric)
    if "val" not in rows.parts:
        raise InputError(
            f"{run} set no rows aside to choose C on: give runs with --validation above 0"
        )
    C, model = _best(learner, metric, rows, (rows.parts["train"], rows.parts["val"]), grid)
    test = rows.parts["test"]
    scores = model.decision_function(rows.X[test])
    judged = {name: one.function(rows.Y[test], scores) for name, one in METRICS.items()
              if name != "accuracy"}  # fmt: skip
    return Counterpart(learner.name, C, judged)


def rows_of_run(
    run: Path,
    config: FinetuneConfig,
    names: Sequence[str],
    cache: Path,
    layers: Sequence[str] | None = None,
) -> Rows:
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
    Rows

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
    learnt = hide_in_rows(
        Y,
        parts["train"],
        missing=config.missing,
        unlabelled=config.unlabelled,
        seed=config.seed,
    )
    return Rows(store.read(layers, places), Y, learnt, parts)


def _best(
    learner: Learner,
    metric: Metric,
    rows: Rows,
    parts: tuple[np.ndarray, np.ndarray],
    grid: Sequence[float],
) -> tuple[float, Any]:
    """Fit every C to the first part of the rows; give the best on the second, and its model."""
    (train, val), failed = parts, None
    sign, found = 1 if metric.higher_is_better else -1, []
    for C in grid:
        try:
            model = _published(learner, C, rows.learnt[train])
            model.fit(rows.X[train], rows.learnt[train])
        except InputError as error:  # at some C a descent may diverge; the others count
            failed = error
            continue
        value = sign * metric.function(rows.Y[val], model.decision_function(rows.X[val]))
        found.append((value, C, model))
    if failed is not None and not found:
        raise failed
    return max(found, key=lambda one: one[0])[1:]


def _published(learner: Learner, C: float, labels: np.ndarray) -> Any:
    """Make a learner with the rates of the published page, whatever its defaults are by now."""
    model = learner.make(C, labels)
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
