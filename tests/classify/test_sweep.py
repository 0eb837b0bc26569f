"""Sweeps: selection inside the training rows, resuming, failing fits, a lost worker."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
from sklearn.preprocessing import MaxAbsScaler

from classify.learners import LEARNERS, Learner
from classify.logistic import LogisticTagger
from classify.metrics import example_ap
from classify.results import read_results
from classify.sweep import parse_C, summarize, sweep
from classify.trials import run_trial
from features.cache import FeatureCache
from features.errors import InputError
from features.splits import inner_folds, random_split
from tests.features.test_cache import ROWS, make_cache

CS = [0.1, 1.0, 10.0]
OPTIONS = {"C": CS, "splits": 3, "folds": 2, "jobs": 1, "scaling": ("none", "max01")}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = make_cache(tmp_path_factory.mktemp("cache"))
    X = FeatureCache(folder).read()
    noise = np.random.default_rng(0).normal(size=(ROWS, 3))
    Y = (X[:, :3] + noise > 0).astype(int)
    lines = ["image,a,b,c"]
    lines += [
        f"{id_},{','.join(map(str, y))}" for id_, y in zip(FeatureCache(folder).ids, Y, strict=True)
    ]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(cache, tmp_path_factory):
    return sweep(cache, tmp_path_factory.mktemp("out") / "s.jsonl", **OPTIONS).read_bytes()


def test_every_C_has_a_line_and_one_is_selected_per_trial(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(undisturbed)
    _, lines = read_results(path)
    assert len(lines) == 2 * 2 * 3 * len(CS)
    for line in lines:
        assert line["error"] is None and line["inner"] is not None
        assert (line["example_ap"] is not None) == line["selected"]
    assert sum(line["selected"] for line in lines) == 2 * 2 * 3
    names = [name for name, splits, _ in summarize(path) if splits == 3]
    assert names == ["l1, max01", "l1, none", "l2, max01", "l2, none"]


def test_selection_is_what_it_says(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    lines = run_trial({"learner": "l2", "scaling": "none", "split": 5}, plan, X, Y)
    split = random_split(ROWS, 5)
    expected = []
    for C in CS:
        tagger = LogisticTagger("l2", C=C)
        expected.append(
            np.mean(
                [
                    example_ap(
                        Y[fold.test],
                        tagger.fit(X[fold.train], Y[fold.train]).decision_function(X[fold.test]),
                    )
                    for fold in inner_folds(split.train, 2, 5)
                ]
            )
        )
    np.testing.assert_allclose([line["inner"] for line in lines], expected, rtol=1e-6)
    best = CS[int(np.argmax(expected))]
    (chosen,) = [line for line in lines if line["selected"]]
    assert chosen["C"] == best
    scores = LogisticTagger("l2", C=best).fit(X[split.train], Y[split.train])
    value = example_ap(Y[split.test], scores.decision_function(X[split.test]))
    assert chosen["example_ap"] == pytest.approx(value, rel=1e-6)


def test_selection_never_sees_test_rows(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "map", "folds": 2}
    trial = {"learner": "l1", "scaling": "max01", "split": 1}
    test = random_split(ROWS, 1).test
    X2, Y2 = X.copy(), Y.copy()
    X2[test], Y2[test] = 1e3, 1 - Y[test]
    kept = ("C", "inner", "selected", "nonzeros")
    first, second = (run_trial(trial, plan, *data) for data in ((X, Y), (X2, Y2)))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_equal([a[k] for k in kept], [b[k] for k in kept])


def test_every_C_can_be_evaluated_and_described_beside_the_selected_one(cache):
    features = FeatureCache(cache)
    data = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    trial = {"learner": "l1", "scaling": "none", "split": 0}
    usual = run_trial(trial, plan, *data)
    lines = run_trial(
        trial,
        plan,
        *data,
        evaluate_all=True,
        describe=lambda model: {"nonzeros": -1, "C of it": model.C},
    )
    for line, other in zip(lines, usual, strict=True):
        assert (line["selected"], line["inner"]) == (other["selected"], other["inner"])
        assert (line["nonzeros"], line["C of it"]) == (-1, line["C"])
        if line["selected"]:
            assert line["example_ap"] == pytest.approx(other["example_ap"], abs=0.02)
    without = run_trial(trial, {**plan, "select": "none"}, *data)
    assert [line["example_ap"] for line in lines] == [line["example_ap"] for line in without]


def test_liblinear_is_swept_by_its_name(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    trial = {"learner": "l1-liblinear", "scaling": "none", "split": 0}
    (line,) = run_trial(trial, {"C": [0.5], "select": "none"}, X, Y)
    split = random_split(ROWS, 0)
    tagger = LogisticTagger("l1", C=0.5, solver="liblinear").fit(X[split.train], Y[split.train])
    scores = tagger.decision_function(X[split.test])
    assert line["example_ap"] == example_ap(Y[split.test], scores)


@pytest.mark.parametrize("learner", ["imcl", "rmlc"])
def test_a_learner_by_descent_is_swept_as_logistic_regression_is(cache, learner):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    lines = run_trial({"learner": learner, "scaling": "max01", "split": 0}, plan, X, Y)
    assert [line["error"] for line in lines] == [None] * len(CS)
    (best,) = [line for line in lines if line["selected"]]
    assert best["inner"] == max(line["inner"] for line in lines)
    assert best["nonzeros"] == X.shape[1] and np.isnan(best["relative_gap"])
    split = random_split(ROWS, 0)
    train, test = split.train, split.test
    scaler = MaxAbsScaler().fit(X[train])
    tagger = LEARNERS[learner].make(best["C"], Y[train]).fit(scaler.transform(X[train]), Y[train])
    scores = tagger.decision_function(scaler.transform(X[test]))
    assert best["example_ap"] == example_ap(Y[test], scores)


def test_C_weighs_the_summed_loss_of_the_rows_that_take_part(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels.copy()
    X /= np.linalg.norm(X - X.mean(axis=0), axis=1).mean()
    tagger = LEARNERS["bce"].make(2.0, Y).set_params(epochs=3000, batch_size=ROWS).fit(X, Y)
    peer = LogisticTagger("l2", C=2.0, bias="unpenalized", tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(tagger.coef_, peer.coef_, atol=1e-3)
    Y[:5] = -1
    around = LEARNERS["ss-rmlc"].make(2.0, Y)
    decays = [
        LEARNERS["bce"].make(2.0, Y).fit(X, Y).weight_decay_,
        around.fit(X, Y).estimator_.weight_decay_,
    ]
    np.testing.assert_allclose(decays, [1 / (2 * (ROWS - 5)), 1 / (2 * ROWS)], rtol=0.2)


def test_rows_without_labels_are_for_the_learner_that_takes_them(cache, tmp_path):
    options = {**OPTIONS, "learner": ["ss-rmlc"], "splits": 1, "scaling": ["none"]}
    with pytest.raises(InputError, match="'ss-rmlc' needs unlabeled rows, .* or use 'rmlc'"):
        sweep(cache, tmp_path / "s.jsonl", **options)
    some = (cache / "labels.csv").read_text().splitlines()[: ROWS // 2]
    (tmp_path / "some.csv").write_text("\n".join(some) + "\n")
    sweep(cache, tmp_path / "s.jsonl", **options, labels=tmp_path / "some.csv")
    _, lines = read_results(tmp_path / "s.jsonl")
    assert [line["error"] for line in lines] == [None] * len(CS)


def test_without_selection_every_C_is_evaluated(cache, tmp_path):
    path = sweep(cache, tmp_path / "s.jsonl", **{**OPTIONS, "select": "none", "learner": ["l2"]})
    _, lines = read_results(path)
    assert all(line["example_ap"] is not None and not line["selected"] for line in lines)
    assert len(summarize(path)) == 2 * len(CS)


def test_running_again_and_more_processes_change_nothing(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    sweep(cache, path, **{**OPTIONS, "jobs": 2})
    assert path.read_bytes() == undisturbed
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == undisturbed


def _sweep(cache, path, options):
    sweep(cache, path, **options)


def test_a_killed_sweep_goes_on_with_the_same_lines(cache, tmp_path):
    options = {**OPTIONS, "learner": ["rmlc"], "scaling": ["none"], "select": "none"}
    undisturbed = sweep(cache, tmp_path / "whole.jsonl", **options).read_bytes()
    path = tmp_path / "s.jsonl"
    child = multiprocessing.get_context("forkserver").Process(
        target=_sweep, args=(cache, path, options)
    )
    child.start()
    while child.is_alive() and not (path.exists() and path.read_bytes().count(b"\n") > 1):
        time.sleep(0.005)
    child.kill()
    child.join()
    assert 1 < path.read_bytes().count(b"\n") <= undisturbed.count(b"\n")
    sweep(cache, path, **options)
    assert path.read_bytes() == undisturbed


class Failing:
    """Fits only small C."""

    def __init__(self, C):
        self.C = C

    def fit(self, X, Y):
        if self.C > 1:
            raise FloatingPointError("diverged")
        self.inner_ = LogisticTagger("l2", C=self.C).fit(X, Y)
        self.coef_ = self.inner_.coef_
        return self

    def decision_function(self, X):
        return self.inner_.decision_function(X)


def test_a_failing_fit_is_one_line(cache, tmp_path, monkeypatch):
    monkeypatch.setitem(LEARNERS, "l2", Learner("l2", "fits only small C", f"{__name__}:Failing"))
    path = tmp_path / "s.jsonl"
    sweep(cache, path, **{**OPTIONS, "learner": ["l2"], "scaling": ["none"]})
    _, lines = read_results(path)
    for line in lines:
        if line["C"] > 1:
            assert line["error"] == "FloatingPointError: diverged" and line["inner"] is None
        else:
            assert line["error"] is None and line["inner"] is not None
    assert sum(line["selected"] for line in lines) == 3


def test_another_sweep_is_refused(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(undisturbed)
    with pytest.raises(InputError, match="metric: there example_ap, here map"):
        sweep(cache, path, **{**OPTIONS, "metric": "map"})
    assert path.read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"learner": ["svm"]}, "The 'learner' option must be one of l1, l2, .* Got 'svm'."),
        (
            {"scaling": ["unit"]},
            "The 'scaling' option must be one of none, max, .* Got 'unit'.",
        ),
        ({"C": [0.0]}, r"The 'C' option must be a float in the range \(0, inf\). Got 0.0."),
        ({"C": [float("inf")]}, r"The 'C' option must be a float in .* Got inf."),
        ({"metric": "auc"}, "The 'metric' option must be one of example_ap, .* Got 'auc'."),
        ({"select": "test"}, "The 'select' option must be one of inner-cv, none. Got 'test'."),
        ({"splits": 0}, r"The 'splits' option must be an int in the range \[1, inf\). Got 0."),
    ],
    ids=str,
)
def test_bad_settings_are_one_line(cache, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        sweep(cache, tmp_path / "s.jsonl", **{**OPTIONS, **change})


def test_C_is_read_as_a_range_or_a_list():
    assert parse_C("0.01:100:9")[0] == 0.01 and len(parse_C("0.01:100:9")) == 9
    for text in ("1:2", "a", "1,,2"):
        with pytest.raises(InputError, match="must be LOW:HIGH:COUNT"):
            parse_C(text)
    with pytest.raises(InputError, match="Got -1.0"):
        parse_C("-1,2")


def _kill_one_worker(pid, path, stop):
    """Kill a process as soon as there is a result."""
    while not stop.is_set():
        if path.exists() and path.read_bytes().count(b"\n") > 1:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_lines(
    cache, undisturbed, tmp_path, dask_cluster
):
    path, stop = tmp_path / "s.jsonl", threading.Event()
    pid = next(iter(dask_cluster.workers.values())).pid
    killer = threading.Thread(target=_kill_one_worker, args=(pid, path, stop))
    killer.start()
    try:
        sweep(cache, path, **{**OPTIONS, "dask": dask_cluster.scheduler_address})
    finally:
        stop.set()
        killer.join()
    assert path.read_bytes() == undisturbed
    assert next(iter(dask_cluster.workers.values())).pid != pid
