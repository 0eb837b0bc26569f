"""The methods of the MIML paper's Table 1, one record each, and how one is run on a split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from classify.logistic import LogisticTagger
from classify.metrics import METRICS, MIML_METRICS
from classify.miml.distance_tagger import PRECOMPUTED, DistanceTagger
from classify.miml.selection import tune
from features.command_line import load
from features.splits import Split, learning_curve_subsets

if TYPE_CHECKING:
    from benchmarks.tables.miml.bags_data import BagTask, InstanceSet

KEY = ("method", "instances", "n_train", "seed")


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Parameters
    ----------
    method : str
        Name in result lines.
    title : str
        Name in tables.
    published : str or None
        Row of the published table that it repeats.
    takes : {"instances", "vectors", "labels"}
        Bags; the features of whole images; or nothing but the training labels.
    constructor : str
        ``module:Class``.
    options : mapping
        Parameters that differ from the constructor's defaults.
    tuned : bool
        Whether settings are chosen inside the training rows, by the grids of
        `classify.miml.selection`.
    """

    method: str
    title: str
    published: str | None = None
    takes: Literal["instances", "vectors", "labels"] = "instances"
    constructor: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    tuned: bool = True


def _bags(title: str, module: str) -> Method:
    return Method(title.lower(), title, title, constructor=f"classify.miml.{module}:{title}")


_SVM = "classify.miml.mimlsvm:MIMLSVM"
_LOGISTIC = "classify.logistic:LogisticTagger"

METHODS = {
    one.method: one
    for one in (
        _bags("MIMLSVM", "mimlsvm"),
        Method("mimlsvm-default", "MIMLSVM, defaults", "MIMLSVM", "instances", _SVM, tuned=False),
        _bags("MIMLkNN", "mimlknn"),
        _bags("MIMLfast", "mimlfast"),
        _bags("RankLSIM", "ranklsim"),
        _bags("KISAR", "kisar"),
        _bags("DBA", "dba"),
        Method("l1lr", "L1LR", "VGG+L1LR", "vectors", _LOGISTIC, {"penalty": "l1"}, tuned=False),
        Method("lr", "LR", "VGG+LR", "vectors", _LOGISTIC, {"penalty": "l2"}, tuned=False),
        Method("constant", "constant (training frequency)", None, "labels", tuned=False),
    )
}


def run_method(trial: Mapping[str, Any], task: "BagTask") -> dict[str, Any]:
    """Train a method on a split's first rows and evaluate it on the test rows.

    Parameters
    ----------
    trial : mapping
        The fields of `KEY`.
    task : BagTask

    Returns
    -------
    dict
        The five example-based metrics; Hamming loss is that of the method's own decisions, the
        others are of its scores. `settings` are those chosen inside the training rows, as JSON.
    """
    method = METHODS[trial["method"]]
    (split,) = learning_curve_subsets(task.split(trial["seed"]), [trial["n_train"]])
    if method.takes == "labels":
        scores, decided, settings = _frequency(task.Y, split)
    elif method.takes == "vectors":
        scores, decided, settings = _logistic(method, task, split)
    else:
        instances = task.sets[trial["instances"]]
        scores, decided, settings = _multi_instance(method, instances, task.Y, split)
    truth = task.Y[split.test]
    values = {name: METRICS[name].function(truth, scores) for name in MIML_METRICS}
    return {**values, "hamming_loss": float((decided != truth).mean()), "settings": _text(settings)}


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


Outcome = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def _frequency(Y: np.ndarray, split: Split) -> Outcome:
    scores = np.tile(Y[split.train].mean(axis=0), (len(split.test), 1))
    return scores, np.zeros(scores.shape, dtype=np.int8), {}


def _logistic(method: Method, task: "BagTask", split: Split) -> Outcome:
    """Train as the paper did: LIBLINEAR at its default stop, C = 1, features as they are."""
    assert task.X is not None
    tagger = LogisticTagger(solver="liblinear", **method.options)
    scores = tagger.fit(task.X[split.train], task.Y[split.train]).decision_function(
        task.X[split.test]
    )
    return scores, (scores > 0).astype(np.int8), {}


def _multi_instance(method: Method, instances: "InstanceSet", Y, split: Split) -> Outcome:
    train, test = split.train, split.test
    estimator = load(method.constructor)(**method.options)
    if "scaling" in estimator.get_params() and estimator.scaling == "none":
        estimator.set_params(scaling=instances.scaling)
    X, X_test = instances.bags.take(train), instances.bags.take(test)
    if isinstance(estimator, DistanceTagger) and estimator.distance in instances.distances:
        # The same for all splits and folds, because no scaling is learned from training rows.
        matrix = instances.distances[estimator.distance]
        estimator.set_params(distance=PRECOMPUTED, scaling="none")
        X, X_test = matrix[np.ix_(train, train)], matrix[np.ix_(test, train)]
    settings = tune(estimator, X, Y[train]) if method.tuned else {}
    estimator.set_params(**settings).fit(X, Y[train])
    return estimator.decision_function(X_test), estimator.predict(X_test), settings
