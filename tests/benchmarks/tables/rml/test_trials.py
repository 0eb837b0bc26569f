"""Trials of ``tables rml``: what is fitted to which rows and labels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tables.experiment import fit_and_evaluate, try_setting
from benchmarks.tables.method import Method
from benchmarks.tables.rml.data import BlockScaler
from benchmarks.tables.rml.learners import LEARNERS, Protocol
from benchmarks.tables.rml.trials import RankingExperiment, labeled_rows
from benchmarks.tables.task import Source, Task
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.warp.tagger import WarpTagger
from tests.benchmarks.tables.rml.small import (
    LABELS,
    N_TRAIN,
    PROTOCOL,
    N,
    line_of,
    problem,
    trial_of,
)


def run_trial(trial, task, protocol=PROTOCOL):
    """Run a trial of either stage."""
    experiment = RankingExperiment(task, protocol, protocol.methods(task.widths))
    return (try_setting if trial["stage"] == "inner" else fit_and_evaluate)(trial, experiment)


@pytest.mark.parametrize("learner, loss", [("rmlc", "ramp"), ("warp", "hinge"), ("lr", None)])
def test_a_line_follows_the_protocol(lines, learner, loss):
    X, Y = problem()
    line = line_of(lines, "test", learner, 2)
    order = np.random.default_rng(2).permutation(N)
    train, test = np.sort(order[:N_TRAIN]), order[N_TRAIN:]
    X = X / np.linalg.norm(X[train] - X[train].mean(axis=0), axis=1).mean()
    if loss:
        rate = float(line["setting"].split()[2].strip(","))
        options = {"kappa": 0.0} if loss == "hinge" else {}
        model = WarpTagger(loss, learning_rate=rate, epochs=4, random_state=2, **options)
    else:
        model = LogisticTagger("l2", C=float(line["setting"].split()[-1]))
    scores = model.fit(X[train], Y[train]).decision_function(X[test])
    for name in ("top3_f1_macro", "map", "coverage", "top3_positive_precision_micro"):
        assert line[name] == pytest.approx(METRICS[name].function(Y[test], scores), abs=1e-5)


def test_selection_sees_no_test_row(task):
    other = task.Y.copy()
    other[task.split(1).test] = 1 - other[task.split(1).test]
    for learner in ("rmlc", "lr", "ss-rmlc-paper"):
        for setting in PROTOCOL.settings(LEARNERS[learner].descent):
            trial = trial_of(learner, setting, stage="inner", draw=1, noise=0.2, labeled=0.6)
            assert run_trial(trial, task, PROTOCOL) == run_trial(
                trial, replace(task, Y=other), PROTOCOL
            )


def test_folds_average_over_all_training_rows(task):
    folds = Protocol(folds=3, C=(1.0,), metric="hamming_loss")
    score = run_trial(trial_of("lr", "none, C 1", stage="inner"), task, folds)["score"]
    train = task.split(0).train
    wrong = []
    for part in np.array_split(np.random.default_rng(0).permutation(train), 3):
        rest = np.sort(np.setdiff1d(train, part))
        scaler = BlockScaler([12]).fit(task.X[rest])
        model = LogisticTagger("l2").fit(scaler.transform(task.X[rest]), task.Y[rest])
        scores = model.decision_function(scaler.transform(task.X[part]))
        wrong.append(np.mean((scores > 0) != task.Y[part]))
    assert score == pytest.approx(np.mean(wrong))


def test_noise_is_in_the_training_labels_only(lines):
    clean, noisy = (line_of(lines, "test", "bce", 0, noise=rate) for rate in (0.0, 0.5))
    assert clean["wrong_rows"] == 0 < noisy["wrong_rows"] <= 0.5
    assert noisy["map"] != clean["map"]


def test_half_of_the_training_rows_are_relabeled(task, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        WarpTagger, "fit", lambda self, X, Y: seen.update(Y=Y) or setattr(self, "fitted_", 1)
    )
    with pytest.raises(AttributeError):
        run_trial(trial_of("bce", "none, rate 1, decay 0", noise=0.5, draw=1), task, PROTOCOL)
    train = np.sort(task.split(1).train)
    changed = (seen["Y"] != task.Y[train]).any(axis=1).sum()
    assert 10 <= changed <= 20 and seen["Y"].any(axis=1).all()


def test_rows_to_select_on_are_corrupted_no_more_than_others(monkeypatch):
    """A learner that knows the true labels is wrong on the replaced share of the rows set aside."""
    Y = np.zeros((600, 4), dtype=np.int8)
    Y[np.arange(600), np.arange(600) % 4] = 1
    ids = tuple(map(str, range(600)))
    task = Task("made", Y.astype(np.float32), Y, ids, LABELS[:4], (Source("", {"net/all": 4}),))
    protocol = Protocol(variant="permute", metric="one_error", validation=0.25)
    monkeypatch.setattr(Method, "score", lambda *given: task.Y[given[-1].test] * 1.0)
    trial = trial_of("bce", "none, rate 1, decay 0", stage="inner", noise=0.4, draw=3)
    wrong = run_trial(trial, task, protocol)["score"]
    assert wrong == pytest.approx(0.4 * 3 / 4, abs=0.1)


@pytest.mark.parametrize("learner", ["rmlc", "ss-rmlc-official"])
def test_labels_of_unlabeled_rows_are_not_seen(task, learner):
    train = task.split(0).train
    hidden = np.setdiff1d(train, labeled_rows(train, 0.4, 0))
    other = task.Y.copy()
    other[hidden] = 1 - other[hidden]
    trial = trial_of(learner, "none, rate 1, decay 0", labeled=0.4)
    values = run_trial(trial, task, PROTOCOL)
    assert values["error"] is None
    assert run_trial(trial, replace(task, Y=other), PROTOCOL) == values


def test_only_semi_supervised_learners_see_unlabeled_rows(task):
    train = task.split(0).train
    hidden = np.setdiff1d(train, labeled_rows(train, 0.4, 0))
    X = task.X.copy()
    X[hidden] = X[hidden][::-1] * 2
    for learner, same in (("rmlc", True), ("bce", True), ("ss-rmlc-paper", False)):
        trial = trial_of(learner, "none, rate 1, decay 0", labeled=0.4)
        before, after = (run_trial(trial, t, PROTOCOL) for t in (task, replace(task, X=X)))
        assert (before == after) is same


@given(st.integers(4, 200), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 99))
def test_labeled_rows_are_nested(n, one, other, draw):
    rows = np.arange(100, 100 + n)
    few, many = (labeled_rows(rows, share, draw) for share in sorted((one, other)))
    assert set(few) <= set(many) <= set(rows)
    assert len(set(many)) == len(many)
