"""Predictions for every image by a model that did not see it: what a page shows image by image.

Scores are those of folds that an image was held out of. Probabilities and thresholds are learned on
the scores of the other folds only, so that no image had a part in its own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classify.audit.label_errors import out_of_fold
from classify.decisions.calibration import Calibrator
from classify.decisions.rules import Rule
from classify.decisions.thresholds import choose_thresholds, decide
from classify.inputs import input_widths, read_inputs, resolve_layers
from classify.learners import LEARNERS, find_learner
from classify.metrics import METRICS
from classify.models import TaggerModel
from classify.report.files import number
from classify.report.lines import Scored
from classify.scaling import EARLIER_NAMES, SCALINGS, find_scaling
from classify.selection.candidates import Candidate
from classify.selection.folds import stratified_folds
from classify.selection.search import folded, try_one
from features.cache import FeatureCache
from features.errors import InputError, check_choice


@dataclass(frozen=True)
class Way:
    """One way to train that results name.

    Attributes
    ----------
    name : str
        In the results.
    candidate : Candidate
        Learner, scaling, and the C that most splits chose.
    layers : tuple of str
        Of the cache.
    """

    name: str
    candidate: Candidate
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Predictions:
    """What is predicted for every labeled or unlabeled row with features.

    Attributes
    ----------
    scores, probabilities : float ndarray of shape (n, L)
    decided : int8 ndarray of shape (n, L)
        1 or 0.
    rule : Rule
        By which they were decided.
    calibration : str
        Method of the probabilities.
    """

    scores: np.ndarray
    probabilities: np.ndarray
    decided: np.ndarray
    rule: Rule
    calibration: str


def ways(lines: Sequence[Scored], metric: str, cache: FeatureCache) -> list[Way]:
    """List the ways to train that can be trained again, the best first.

    Parameters
    ----------
    lines : sequence of Scored
    metric : str
        A name in `classify.metrics.METRICS` that they are ordered by.
    cache : FeatureCache
        Whose layers they are to take.
    """
    groups: dict[str, list[Scored]] = {}
    for one in lines:
        if one.source.is_sweep and one.line["learner"] in LEARNERS and _known_scaling(one):
            groups.setdefault(one.name, []).append(one)
    sign = -1 if METRICS[metric].higher_is_better else 1
    means = {
        name: float(np.mean([one.values[metric] for one in mine]))
        for name, mine in groups.items()
        if all(metric in one.values for one in mine)
    }
    return [_way(groups[name], cache) for name in sorted(means, key=lambda n: sign * means[n])]


def _known_scaling(one: Scored) -> bool:
    return isinstance(one.line["scaling"], str) and one.line["scaling"] in {
        *SCALINGS,
        *EARLIER_NAMES,
    }


def _way(lines: Sequence[Scored], cache: FeatureCache) -> Way:
    line, header = lines[0].line, lines[0].source.header
    learner = find_learner(line["learner"])
    found = Counter(sorted(C for one in lines if (C := number(one.line["C"])) is not None))
    C = found.most_common(1)[0][0] if found else None
    scaling = find_scaling(line["scaling"]).name
    named = header.get("layers" if learner.takes == "vectors" else "instance_layers")
    layers = resolve_layers(cache, named, learner.takes)
    return Way(lines[0].name, Candidate(line["learner"], scaling, C), tuple(layers))


def choose_way(found: Sequence[Way], name: str | None) -> Way:
    """Take the way of a name, by default the first.

    Raises
    ------
    InputError
        There is none of that name, or none at all.
    """
    if not found:
        raise InputError(
            "The results name no learner that can be trained again here, so nothing can be said "
            "about single images: give --model FILE or results of `classify sweep`."
        )
    if name is None:
        return found[0]
    check_choice("learner", name, [one.name for one in found])
    return next(one for one in found if one.name == name)


def predict_way(
    way: Way, cache: FeatureCache, Y: np.ndarray, folds: int, seed: int, jobs: int
) -> Predictions:
    """Predict all rows by a way to train, out of fold.

    Parameters
    ----------
    way : Way
    cache : FeatureCache
    Y : int8 array of shape (n, L)
        Labels of its `valid_rows`.
    folds, seed : int
        Stratified folds.
    jobs : int
        Processes.
    """
    takes = find_learner(way.candidate.learner).takes
    X = read_inputs(cache, way.layers, cache.valid_rows, takes)
    widths = input_widths(cache, way.layers, takes)
    # Unlike average precision, this metric has a value on every fold.
    data = folded(X, Y, widths, metric="hamming_loss", folds=folds, seed=seed, jobs=jobs)
    scores = try_one(way.candidate, data).scores[way.candidate]
    return held_out(scores, Y, folds, seed, Rule("f1"), "platt")


def predict_model(
    model: TaggerModel, cache: FeatureCache, Y: np.ndarray, folds: int, seed: int
) -> Predictions:
    """Predict all rows by a model's learners, out of fold; parameters as in `predict_way`."""
    X = read_inputs(cache, model.layers, cache.valid_rows, model.takes)
    scores = out_of_fold(model, X, Y, folds, seed)
    decisions = model.decisions
    rule = decisions.rule if decisions else Rule("zero" if model.decides else "f1")
    calibrator = decisions.calibrator if decisions else None
    return held_out(scores, Y, folds, seed, rule, calibrator.method if calibrator else "platt")


def held_out(
    scores: np.ndarray, Y: np.ndarray, folds: int, seed: int, rule: Rule, calibration: str
) -> Predictions:
    """Turn out-of-fold scores into probabilities and decisions, learned on other folds' scores.

    Parameters
    ----------
    scores : float array of shape (n, L)
    Y : int8 array of shape (n, L)
    folds, seed : int
        The stratified folds of the scores.
    rule : Rule
    calibration : {"platt", "isotonic"}
    """
    scores = np.asarray(scores, dtype=np.float64)
    probabilities = np.zeros(scores.shape)
    decided = np.zeros(scores.shape, dtype=np.int8)
    for fold in stratified_folds(Y, folds, seed):
        calibrator = Calibrator(calibration).fit(scores[fold.train], Y[fold.train])
        probabilities[fold.test] = calibrator.predict_proba(scores[fold.test])
        thresholds = choose_thresholds(rule, scores[fold.train], Y[fold.train])
        decided[fold.test] = decide(rule, scores[fold.test], thresholds)
    return Predictions(scores, probabilities, decided, rule, calibration)
