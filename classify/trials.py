"""One trial of a sweep: a learner along all values of C on one split.

For selection the training rows are cut into folds; the C with the best mean score over the folds
is fitted again on all training rows, and only that fit sees the test rows. Fits along C share
matrices and warm starts.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from classify.inputs import (
    blocks,
    fit_scaler,
    input_widths,
    read_inputs,
    resolve_layers,
    rows_on_disk,
    scale,
)
from classify.learners import Learner, find_learner
from classify.metrics import MIML_METRICS, get_metric
from classify.parallel import Trial
from features.cache import FeatureCache
from features.splits import inner_folds, random_split

#: What a fit may raise about its data. Memory that ran out concerns all fits, and ends the run.
_OF_A_FIT = (ValueError, ArithmeticError, LookupError, RuntimeError, TypeError, AssertionError)
REPORTED_METRICS = (*MIML_METRICS, "map", "f1_macro", "f1_micro")


class Fitted(NamedTuple):
    """A fitted estimator and the scaler of its features; or why there is none."""

    estimator: Any = None
    scaler: Any = None
    error: str | None = None

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Score images as they are before scaling, on disk or not."""
        if not getattr(X, "reads_rows", False):
            return self.estimator.decision_function(scale(self.scaler, X))
        return np.concatenate([self.scores(block) for block in blocks(X)])


class Input(NamedTuple):
    """What one kind of learner is given.

    Attributes
    ----------
    names : list of str
        Layers of the cache.
    widths : list of int
        Their columns.
    X : float32 ndarray of shape (n, d) or (n, size, d), or CacheRows
    """

    names: list[str]
    widths: list[int]
    X: Any


def read_all_inputs(
    cache: FeatureCache,
    layers: Sequence[str] | None,
    rows: np.ndarray,
    learners: Iterable[Learner],
    from_disk: bool = False,
) -> dict[str, Input]:
    """Read vectors, instances or both, as the learners take them: ``Learner.takes`` to `Input`.

    With `from_disk` vectors are mapped instead, and read as they are needed.
    """
    inputs: dict[str, Input] = {}
    for takes in dict.fromkeys(learner.takes for learner in learners):
        names = resolve_layers(cache, layers, takes)
        if from_disk and takes == "vectors":
            X: Any = rows_on_disk(cache, names, rows)
        else:
            X = read_inputs(cache, names, rows, takes)
        inputs[takes] = Input(names, input_widths(cache, names, takes), X)
    return inputs


def run_trial_on(
    trial: Trial, plan: Mapping[str, Any], inputs: Mapping[str, Input], Y: np.ndarray
) -> list[dict]:
    """Run a trial on the input that its learner takes; see `run_trial`."""
    given = inputs[find_learner(trial["learner"]).takes]
    return run_trial(trial, {**plan, "widths": given.widths}, given.X, Y)


def run_trial(
    trial: Trial,
    plan: Mapping[str, Any],
    X: np.ndarray,
    Y: np.ndarray,
    *,
    evaluate_all: bool = False,
    describe: Callable[[Any], Mapping[str, Any]] | None = None,
) -> list[dict]:
    """Compute all lines of one learner on one split.

    Parameters
    ----------
    trial : mapping
        `learner`, `scaling`, `split` (its seed).
    plan : mapping
        `C` (increasing), `select`, `metric`, `folds`; `widths` of the layers if the scaling needs
        them; `groups` of rows that stay together; `weighting` of classes, if any.
    X : float32 ndarray of shape (n, d), or (n, size, d) for a learner of bags
    Y : int8 ndarray of shape (n, L)
    evaluate_all : bool
        Give every C the metrics on the test rows. Selection doesn't depend on them.
    describe : callable, optional
        Gets each estimator that is evaluated; what it returns is added to the line and replaces
        fields of the same name.

    Returns
    -------
    list of dict
        One line per C, or a single one with C None for a learner that takes none. A fit that
        failed has its reason under `error` and NaN for the rest.
    """
    split = random_split(len(X), trial["split"], groups=plan.get("groups"))
    Cs = find_learner(trial["learner"]).strengths(plan["C"])
    lines = [{"C": C, "inner": math.nan, "selected": False, "error": None} for C in Cs]
    evaluated: Sequence[int] = range(len(lines))
    if plan["select"] == "inner-cv":
        best = _select(trial, plan, lines, X, Y, split.train)
        if best is None:
            return [{**trial, **_empty(), **line} for line in lines]
        lines[best]["selected"] = True
        evaluated = evaluated if evaluate_all else [best]
    fitted = _fit_all(trial, plan, [Cs[i] for i in evaluated], X, Y, split.train)
    values = {
        i: _evaluate(find_learner(trial["learner"]), one, X, Y, split.test, describe)
        for i, one in zip(evaluated, fitted, strict=True)
    }
    return [
        {**trial, **line, **values.get(i, _empty()), **_reason(line, values.get(i))}
        for i, line in enumerate(lines)
    ]


def _select(trial: Trial, plan, lines: list[dict[str, Any]], X, Y, train) -> int | None:
    """Write the mean score over the folds into each line; return the place of the best."""
    metric = get_metric(plan["metric"])
    Cs = [line["C"] for line in lines]
    values = []
    for fold in inner_folds(train, plan["folds"], trial["split"], groups=plan.get("groups")):
        fitted = _fit_all(trial, plan, Cs, X, Y, fold.train)
        values.append(
            [
                _score(line, one, X, Y, fold.test, metric.function)
                for line, one in zip(lines, fitted, strict=True)
            ]
        )
    inner = np.mean(values, axis=0)
    for line, value in zip(lines, inner, strict=True):
        line["inner"] = value
    if np.isnan(inner).all():
        return None
    return int(np.nanargmax(inner if metric.higher_is_better else -inner))


def _fit_all(trial: Trial, plan, Cs: Sequence[float | None], X, Y, rows) -> list[Fitted]:
    """Fit along C; where that fails, every C alone, so that one bad C costs no other."""
    learner = find_learner(trial["learner"])
    rows = rows[learner.rows_to_train_on(Y[rows])]
    try:
        here = _some(X, rows)
        scaler = fit_scaler(trial["scaling"], plan.get("widths"), here)
        here = scale(scaler, here)
    except _OF_A_FIT as error:
        return [Fitted(error=_named(error))] * len(Cs)
    weighting = plan.get("weighting")
    first = learner.make(Cs[0], Y[rows], weighting)
    try:
        if hasattr(first, "fit_path"):
            return [Fitted(model, scaler) for model in first.fit_path(here, Y[rows], Cs)]
    except _OF_A_FIT:  # every C is fitted again below, where its error is recorded
        pass
    return [_fit_one(learner.make(C, Y[rows], weighting), scaler, here, Y[rows]) for C in Cs]


def _some(X, rows: np.ndarray):
    """Give some rows, on disk as long as all are."""
    return X.only(rows) if getattr(X, "reads_rows", False) else X[rows]


def _fit_one(estimator, scaler, X, Y) -> Fitted:
    try:
        return Fitted(estimator.fit(X, Y), scaler)
    except _OF_A_FIT as error:  # a failing fit is a line of the sweep, not its end
        return Fitted(error=_named(error))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _scored(fitted: Fitted, X: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Score images, or say why there are no scores that a metric could take."""
    nothing = np.empty((0, 0))
    if fitted.error:
        return nothing, fitted.error
    try:
        scores = fitted.scores(X)
    except _OF_A_FIT as error:
        return nothing, _named(error)
    bad = np.count_nonzero(~np.isfinite(scores))
    if bad:
        return nothing, f"{bad} of {scores.size} scores are not finite"
    return scores, None


def _score(line: dict[str, Any], fitted: Fitted, X, Y, rows, function) -> float:
    scores, error = _scored(fitted, _some(X, rows))
    if error:
        line["error"] = error
        return math.nan
    return function(Y[rows], scores)


def _evaluate(learner: Learner, fitted: Fitted, X, Y, rows, describe) -> dict[str, Any]:
    scores, error = _scored(fitted, _some(X, rows))
    if error:
        return {**_empty(), "error": error}
    model = fitted.estimator
    values = {name: get_metric(name).function(Y[rows], scores) for name in REPORTED_METRICS}
    gap = getattr(model, "dual_gap_", np.array([math.nan])) / getattr(model, "objective_", 1.0)
    return {
        **values,
        "nonzeros": float((model.coef_ != 0).sum(axis=1).mean()) if learner.linear else math.nan,
        "relative_gap": float(np.nanmax(gap)) if not np.isnan(gap).all() else math.nan,
        **(describe(model) if describe else {}),
    }


def odd_line(line: Mapping[str, Any]) -> str:
    """Tell what keeps a line from being one of `run_trial`; empty if nothing does.

    Examples
    --------
    >>> odd_line({"selected": True})
    'has inner missing'
    """
    kinds = {
        **dict.fromkeys(("inner", *_empty()), (int, float, NoneType)),
        "selected": (bool,),
        "error": (str, NoneType),
        **dict.fromkeys(("learner", "scaling"), (str,)),
        "split": (int,),
        "C": (int, float, NoneType),
    }
    for name, kind in kinds.items():
        value = line.get(name, _empty)
        if type(value) not in kind:
            return f"has {name} {'missing' if value is _empty else repr(value)}"
    return ""


def _empty() -> dict[str, float]:
    return dict.fromkeys((*REPORTED_METRICS, "nonzeros", "relative_gap"), math.nan)


def _reason(line: Mapping[str, Any], values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"error": (values or {}).get("error") or line["error"]}
