"""Sweeps: every learner at every C on every split, selected inside the training rows.

A unit of work is one learner on one split: its whole path of C shares matrices and warm starts.
For selection the training rows are cut into folds; the C with the best mean score over the folds
is fitted again on all training rows, and only that fit sees the test rows.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import MaxAbsScaler

from classify.learners import check_C, check_scaling, check_unlabelled, find_learner
from classify.metrics import MIML_METRICS, get_metric
from classify.models import library_versions
from classify.parallel import Cell, run_grid
from classify.results import ResultFile, read_results
from features.cache import FeatureCache, labels_of
from features.dask_client import connect
from features.errors import InputError
from features.files import sha256_of_text
from features.splits import inner_folds, random_split, splits_hash

SELECTIONS = ("inner-cv", "none")
KEY = ("learner", "scale", "split", "C")
METRICS = (*MIML_METRICS, "map", "f1_macro", "f1_micro")


def sweep(
    cache: Path,
    out: Path,
    *,
    learner: Sequence[str] = ("l1", "l2"),
    C: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
    splits: int = 30,
    seed: int = 0,
    select: str = "inner-cv",
    metric: str = "example_ap",
    folds: int = 3,
    scale: Sequence[str] = ("none",),
    layers: Sequence[str] | None = None,
    labels: Path | None = None,
    jobs: int = -1,
    dask: str | None = None,
) -> Path:
    """Run a grid over a cache; lines that exist are kept, so a killed sweep goes on.

    Parameters
    ----------
    cache : Path
        A feature cache with labels.
    out : Path
        The file of result lines, `.jsonl`. A line is one (learner, scale, split, C) with the mean
        score over the inner folds; the selected C also has the metrics on the test rows. With
        `select="none"` every C has them, and no fold is run.
    learner, scale : sequence of str
        Names in `classify.learners`.
    C : sequence of float
        Weights of the summed loss; see `classify.learners` for those trained by descent.
    splits, seed : int
        Random splits, 2/3 of the rows to train on; seeds `seed` to `seed + splits - 1`.
    select : {"inner-cv", "none"}
        How C is chosen.
    metric : str
        What is compared over the folds; a name in `classify.metrics.METRICS`.
    folds : int
        Inner folds.
    layers, labels
        As for `training.fit`.
    jobs : int
        Processes, one thread each; -1 for one a core.
    dask : str, optional
        Run on a Dask cluster instead: `tcp://HOST:PORT`, or `local:N`.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        An unknown name, a C that is not positive, no labels, or an `out` of another sweep. A fit
        that fails is no error: its line says why.
    """
    _check(learner, C, splits, select, metric, scale)
    features = FeatureCache(cache)
    names = features.resolve(layers)
    Y, label_names = labels_of(features, labels)
    rows = features.valid_rows
    if features.excluded:
        print(features.excluded, file=sys.stderr)
    for name in learner:
        check_unlabelled(find_learner(name), Y[rows])
    X, Y = features.read(names, rows), Y[rows]
    values = sorted(set(C))
    plan = {"C": values, "select": select, "metric": metric, "folds": folds}
    header = {
        **plan,
        "manifest": features.manifest_hash,
        "layers": names,
        "labels": sha256_of_text(repr((label_names, Y.tolist()))),
        "splits": splits_hash(
            [random_split(len(rows), seed + k) for k in range(splits)],
            [features.index[row].id for row in rows],
        ),
        "versions": library_versions(),
    }
    units: list[Cell] = [
        {"learner": name, "scale": scaling, "split": seed + k}
        for k in range(splits)
        for name in learner
        for scaling in scale
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    client = connect(dask) if dask else nullcontext()
    with client as reached, ResultFile(out, key=KEY, header=header) as results:
        run_grid(
            run_unit,
            units,
            results,
            expected=lambda unit: [{**unit, "C": value} for value in values],
            shared=(plan, X, Y),
            jobs=jobs,
            client=reached,
            description="sweep",
        )
        results.finish()
    return out


def run_unit(
    unit: Cell,
    plan: Mapping[str, Any],
    X: np.ndarray,
    Y: np.ndarray,
    *,
    judge_all: bool = False,
    describe: Callable[[Any], Mapping[str, Any]] | None = None,
) -> list[dict]:
    """Compute all lines of one learner on one split.

    Parameters
    ----------
    unit : mapping
        `learner`, `scale`, `split`.
    plan : mapping
        `C` (increasing), `select`, `metric`, `folds`.
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)
    judge_all : bool
        Give every C the metrics on the test rows. What is selected doesn't depend on them.
    describe : callable, optional
        Gets each model that is judged; what it returns goes into the model's line and has the last
        word there.

    Returns
    -------
    list of dict
        A line for every C. One that failed has its reason under `error` and None for the rest.
    """
    split = random_split(len(X), unit["split"])
    lines = [{"C": C, "inner": math.nan, "selected": False, "error": None} for C in plan["C"]]
    judged_at = range(len(lines))
    if plan["select"] == "inner-cv":
        metric = get_metric(plan["metric"])
        values = []
        for fold in inner_folds(split.train, plan["folds"], unit["split"]):
            fitted = _fit_all(unit, plan["C"], X, Y, fold.train)
            values.append(
                [
                    _score(lines[i], fitted[i], X, Y, fold.test, metric.function)
                    for i in range(len(lines))
                ]
            )
        inner = np.mean(values, axis=0)
        for line, value in zip(lines, inner, strict=True):
            line["inner"] = value
        if np.isnan(inner).all():
            return [{**unit, **_empty(), **line} for line in lines]
        best = int(np.nanargmax(inner if metric.higher_is_better else -inner))
        lines[best]["selected"] = True
        judged_at = judged_at if judge_all else range(best, best + 1)
    fitted = _fit_all(unit, [plan["C"][i] for i in judged_at], X, Y, split.train)
    judged = {
        i: _judge(model, X, Y, split.test, describe)
        for i, model in zip(judged_at, fitted, strict=True)
    }
    return [
        {**unit, **line, **judged.get(i, _empty()), **_reason(line, judged.get(i))}
        for i, line in enumerate(lines)
    ]


def summarise(path: Path) -> list[tuple[str, int, dict[str, tuple[float, float]]]]:
    """Average a sweep's judged lines over its splits.

    Parameters
    ----------
    path : Path
        A file that `sweep` wrote.

    Returns
    -------
    list of (name, splits, values)
        For each learner and scaling, with C where it was not selected, metric to mean and standard
        deviation (ddof 1) over the splits.
    """
    header, lines = read_results(path)
    groups: dict[str, list[dict]] = {}
    for line in lines:
        if line["error"] is None and line["nonzeros"] is not None:
            name = f"{line['learner']}, {line['scale']}"
            if header["select"] == "none":
                name += f", C = {line['C']:g}"
            groups.setdefault(name, []).append(line)
    return [
        (name, len(members), {m: _mean_and_std([line[m] for line in members]) for m in METRICS})
        for name, members in groups.items()
    ]


def parse_C(text: str) -> list[float]:
    """Read `LOW:HIGH:COUNT`, evenly spaced in the logarithm, or numbers with commas.

    Raises
    ------
    InputError
        It is neither, or a number is not positive.

    Examples
    --------
    >>> parse_C("0.01:100:5"), parse_C("1,10")
    ([0.01, 0.1, 1.0, 10.0, 100.0], [1.0, 10.0])
    """
    try:
        if ":" in text:
            low, high, count = text.split(":")
            spaced = np.geomspace(float(low), float(high), int(count))
            values = [float(f"{value:.12g}") for value in spaced]
        else:
            values = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"C {text!r}; give LOW:HIGH:COUNT, as in 0.01:100:9, or 0.1,1,10"
        ) from error
    check_C(values)
    return values


def _check(learner, C, splits, select, metric, scale) -> None:
    for name in learner:
        find_learner(name)
    for name in scale:
        check_scaling(name)
    check_C(C)
    get_metric(metric)
    if select not in SELECTIONS:
        raise InputError(f"select {select!r}; give one of {', '.join(SELECTIONS)}")
    if splits < 1:
        raise InputError(f"splits {splits}; give a whole number from 1")


def _fit_all(unit: Cell, Cs: Sequence[float], X, Y, rows) -> list[Any]:
    """Fit a path; where that fails, every C alone, so that one bad C costs no other."""
    learner = find_learner(unit["learner"])
    scaler = MaxAbsScaler() if unit["scale"] == "max01" else None
    here = X[rows] if scaler is None else scaler.fit_transform(X[rows])
    first = learner.make(Cs[0], Y[rows])
    try:
        if hasattr(first, "fit_path"):
            models = first.fit_path(here, Y[rows], Cs)
            return [(scaler, model) for model in models]
    except Exception:  # whatever it is, it comes again below, beside the C that it belongs to
        pass
    return [_fit_one(learner.make(C, Y[rows]), scaler, here, Y[rows]) for C in Cs]


def _fit_one(model, scaler, X, Y):
    try:
        return scaler, model.fit(X, Y)
    except Exception as error:  # a failing fit is a line of the sweep, not its end
        return f"{type(error).__name__}: {error}"


def _scores(fitted, X) -> np.ndarray:
    scaler, model = fitted
    return model.decision_function(X if scaler is None else scaler.transform(X))


def _score(line, fitted, X, Y, rows, function) -> float:
    if isinstance(fitted, str):
        line["error"] = fitted
        return math.nan
    return function(Y[rows], _scores(fitted, X[rows]))


def _judge(fitted, X, Y, rows, describe) -> dict[str, Any]:
    if isinstance(fitted, str):
        return {**_empty(), "error": fitted}
    model, scores = fitted[1], _scores(fitted, X[rows])
    values = {name: get_metric(name).function(Y[rows], scores) for name in METRICS}
    gap = getattr(model, "dual_gap_", np.array([math.nan])) / getattr(model, "objective_", 1.0)
    return {
        **values,
        "nonzeros": float((model.coef_ != 0).sum(axis=1).mean()),
        "relative_gap": float(np.nanmax(gap)) if not np.isnan(gap).all() else math.nan,
        **(describe(model) if describe else {}),
    }


def _empty() -> dict[str, float]:
    return dict.fromkeys((*METRICS, "nonzeros", "relative_gap"), math.nan)


def _reason(line: Mapping[str, Any], judged: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"error": (judged or {}).get("error") or line["error"]}


def _mean_and_std(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None]
    if not known:
        return math.nan, math.nan
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
