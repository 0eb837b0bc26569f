"""From a cache to a trained model file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from classify.decisions.rules import parse_rule
from classify.learners import (
    LEARNERS,
    Learner,
    Weighting,
    check_C,
    check_from_disk,
    check_labels,
    check_weighting,
    find_learner,
)
from classify.losses.class_weights import weighting_of
from classify.metrics import METRICS
from classify.model_files import save_model
from classify.models import Decisions, Member, TaggerModel, library_versions
from classify.scaling import find_scaling
from classify.storage.content import claim_model
from features.errors import InputError, check_choice, check_number

if TYPE_CHECKING:  # help texts import this module, and are to wait neither for h5py nor sklearn
    from classify.selection.blend import Blend
    from features.cache import FeatureCache

AUTO = "auto"
CALIBRATIONS = ("platt", "isotonic", "none")


class _Rows(NamedTuple):
    """Training rows, in memory or on disk, their labels, and the columns of each layer."""

    X: Any
    Y: np.ndarray
    widths: list[int]


class _Choice(NamedTuple):
    """What is to be trained on all rows, and what was compared for it."""

    chosen: "Blend"
    records: list[dict[str, Any]]


def fit(
    cache: Path,
    out: Path,
    *,
    learner: str = AUTO,
    C: float | None = None,
    scaling: str | None = None,
    layers: Sequence[str] | None = None,
    labels: Path | None = None,
    metric: str = "example_ap+map",
    folds: int = 3,
    seed: int = 0,
    thorough: bool = False,
    blend: bool = True,
    class_weight: str | None = None,
    rare_weight: float | None = None,
    thresholds: str | None = None,
    calibration: str | None = None,
    jobs: int = -1,
    from_disk: bool = False,
) -> TaggerModel:
    """Train on every row of a cache that has features, and write the model file.

    Parameters
    ----------
    cache : Path
        A feature cache.
    out : Path
        The model file, `.safetensors`.
    learner : str
        A name in `classify.learners`, or "auto", which compares learners, scalings and values of C
        over folds, prints what it compared, and trains the best on all rows.
    C : float, optional
        Weight of the summed loss; see `classify.learners` for those trained by descent. By default
        1 for every learner that takes it, and what suits best with "auto".
    scaling : str, optional
        A name in `classify.scaling`, by default "none", and what suits best with "auto".
    layers : sequence of str, optional
        Layers to learn from; by default all, or for a learner of bags all quadrant-pooled ones, or
        else all maps.
    labels : Path, optional
        A labels.csv instead of the cache's own.
    metric : str
        What "auto" compares; a name in `classify.metrics.METRICS`.
    folds, seed : int
        Stratified folds of the rows, for "auto", thresholds and calibration.
    thorough : bool
        Whether "auto" tries the learners trained by descent too.
    blend : bool
        Whether "auto" averages the scores of up to three candidates where that is better out of
        fold, or else trains the best one alone.
    class_weight : {"balanced"}, optional
        Weigh each label's present and absent cells by the inverse of their frequency, as
        `classify.losses.class_weights` says. "auto" then compares those learners that take weights.
    rare_weight : float, optional
        In place of `class_weight`: the power of these weights, from 0 (none) to 1 (balanced).
    thresholds : str, optional
        A rule as `classify.decisions.rules.parse_rule` reads it, applied to out-of-fold
        scores; by default "f1" with "auto", else "zero".
    calibration : {"platt", "isotonic", "none"}, optional
        How probabilities are learned from out-of-fold scores; by default "platt" with "auto", else
        "none".
    jobs : int
        Processes for the folds; -1 for one per core.
    from_disk : bool
        Whether rows are read as they are needed, for a cache larger than memory: by learners that
        take them, with no choice by "auto", thresholds or calibration.

    Returns
    -------
    TaggerModel
        What was written.

    Raises
    ------
    InputError
        Unknown learner, layer, scaling, metric, rule or calibration; no labels, labels of other
        images, or not the unknown or known labels that the learner needs; no layer with the
        instances that it takes; a C that is not positive; a C or weights of classes that the
        learner doesn't take; fewer rows than folds.
    """
    from classify.storage.provenance import hash_labels, shard_checksums  # h5py, as the next
    from features.cache import FeatureCache

    auto = learner == AUTO
    _check(learner, C, scaling, metric)
    _check_counts(folds, seed, jobs)
    rule, method = _decision_options(auto, thresholds, calibration)
    weighting = weighting_of(class_weight, rare_weight)
    named = None if auto else find_learner(learner)
    if named:
        check_weighting(named, weighting)
    if from_disk:
        _check_from_disk(learner, rule, method)
    out = claim_model(out)
    features = FeatureCache(cache)
    rows, names, label_names = _read_rows(features, named, layers, labels, from_disk)
    options: dict[str, Any] = {"metric": metric, "folds": folds, "seed": seed, "jobs": jobs}
    options["weighting"] = weighting
    if auto:
        choice = _search(rows, scaling, C, {**options, "thorough": thorough}, blend)
    elif (rule, method) == ("zero", "none"):
        choice = _given(learner, scaling, C)
    else:
        choice = _given(learner, scaling, C, rows, options)
    model = TaggerModel(
        members=_fit_members(choice.chosen, rows, weighting),
        label_names=label_names,
        layers=names,
        n_rows=len(rows.X),
        manifest=features.manifest,
        manifest_hash=features.manifest_hash,
        versions=library_versions(),
        decisions=_decisions(rule, method, choice.chosen.scores, rows.Y, label_names),
        selection=choice.records,
        labels_hash=hash_labels(label_names, rows.Y),
        shards=shard_checksums(features),
    )
    save_model(out, model)
    return model


def _read_rows(
    features: "FeatureCache",
    learner: Learner | None,
    layers: Sequence[str] | None,
    labels: Path | None,
    from_disk: bool,
) -> tuple[_Rows, list[str], Sequence[str]]:
    """Read the rows that a learner is trained on, or all; with the names of layers and labels."""
    from classify.inputs import (
        input_widths,
        read_inputs,
        require_rows,
        resolve_layers,
        rows_on_disk,
    )
    from features.cache import labels_of
    from features.inputs.label_warnings import label_warnings

    require_rows(features)
    takes = learner.takes if learner else "vectors"
    names = resolve_layers(features, layers, takes)
    Y, label_names = labels_of(features, labels)
    valid = features.valid_rows
    Y = Y[valid]
    if learner:
        check_labels(learner, Y)
    report_excluded(features)
    if learner:
        taken = learner.rows_to_train_on(Y)
        valid, Y = valid[taken], Y[taken]
    for line in label_warnings(Y, label_names):
        print(line, file=sys.stderr)
    if from_disk:
        X: Any = rows_on_disk(features, names, valid)
    else:
        X = read_inputs(features, names, valid, takes)
    return _Rows(X, Y, input_widths(features, names, takes)), names, label_names


def report_excluded(cache: "FeatureCache") -> None:
    """Say on stderr which rows of a cache hold no features, if any."""
    if cache.excluded:
        print(cache.excluded, file=sys.stderr)


def _check_counts(folds: int, seed: int, jobs: int) -> None:
    check_number("folds", folds, whole=True, low=2)
    check_number("seed", seed, whole=True, low=0)
    if jobs != -1:
        check_number("jobs", jobs, whole=True, low=1)


def _check(learner: str, C, scaling, metric: str) -> None:
    check_choice("metric", metric, METRICS)
    find_scaling(scaling or "none")
    if learner != AUTO:
        check_choice("learner", learner, (*LEARNERS, AUTO))
        _strength(find_learner(learner), C)
    elif C is not None:
        check_C([C])


def _check_from_disk(learner: str, rule: str, method: str) -> None:
    if learner == AUTO or (rule, method) != ("zero", "none"):
        what = "the learner auto" if learner == AUTO else "--thresholds or --calibration"
        raise InputError(
            f"--from-disk came with {what}, which compares folds in memory: name a --learner that "
            "takes rows from disk, and leave out thresholds and calibration."
        )
    check_from_disk(find_learner(learner))


def _strength(learner: Learner, C: float | None) -> float | None:
    if C is None:
        return None if learner.C is None else 1.0
    check_C([C])
    if learner.C is None:
        raise InputError(f"The learner {learner.name!r} takes no C. Got {C!r}: leave --C out.")
    return C


def _decision_options(auto: bool, thresholds, calibration) -> tuple[str, str]:
    rule = thresholds or ("f1" if auto else "zero")
    method = calibration or ("platt" if auto else "none")
    parse_rule(rule)
    check_choice("calibration", method, CALIBRATIONS)
    return rule, method


def _search(
    rows: _Rows, scaling: str | None, C: float | None, options: dict[str, Any], blended: bool
) -> _Choice:
    from classify.selection import blend, report  # scikit-learn
    from classify.selection.candidates import Fixed
    from classify.selection.search import search

    fixed = Fixed(scaling and find_scaling(scaling).name, C)
    found, data = search(*rows, **options, fixed=fixed)
    best = found.ranked(data.metric)[0]
    chosen = blend.blend(found, data) if blended else blend.single(found, best)
    lines = report.records(found, data, chosen)
    print(report.table(lines, chosen), file=sys.stderr)
    return _Choice(chosen, lines)


def _given(
    learner: str, scaling, C, rows: _Rows | None = None, options: dict[str, Any] | None = None
) -> _Choice:
    """Take the user's learner; with `rows`, also its out-of-fold scores."""
    from classify.selection import blend, search
    from classify.selection.candidates import Candidate

    named, scaling = find_learner(learner), find_scaling(scaling or "none").name
    candidate = Candidate(learner, scaling, _strength(named, C))
    if rows is None or options is None:
        return _Choice(blend.Blend((candidate,), (1.0,), (), np.empty((0, 0))), [])
    data = search.folded(*rows, **options)
    found = search.try_one(candidate, data)
    return _Choice(blend.single(found, found.tried[0]), [])


def _fit_members(chosen: "Blend", rows: _Rows, weighting: Weighting) -> list[Member]:
    from classify.inputs import fit_scaler, scale

    members = []
    for candidate, weight in zip(chosen.candidates, chosen.weights, strict=True):
        scaler = fit_scaler(candidate.scaling, rows.widths, rows.X)
        estimator = find_learner(candidate.learner).make(candidate.C, rows.Y, weighting)
        estimator.fit(scale(scaler, rows.X), rows.Y)
        members.append(Member(candidate.learner, estimator, scaler, weight))
    return members


def _decisions(rule: str, method: str, scores: np.ndarray, Y, label_names) -> Decisions | None:
    if (rule, method) == ("zero", "none"):
        return None
    from classify.decisions.calibration import Calibrator
    from classify.decisions.thresholds import choose_thresholds

    calibrator = None
    if method != "none":
        calibrator = Calibrator(method).fit(scores, Y)
        shared = [name for name, s in zip(label_names, calibrator.shared_, strict=True) if s]
        if shared:
            print(
                f"{len(shared)} of {len(label_names)} labels have fewer than "
                f"{calibrator.min_rows} positive or negative rows; their probabilities take the "
                f"slope of all labels: {', '.join(shared[:5])}{', ...' if shared[5:] else ''}",
                file=sys.stderr,
            )
    return Decisions(parse_rule(rule), choose_thresholds(parse_rule(rule), scores, Y), calibrator)
