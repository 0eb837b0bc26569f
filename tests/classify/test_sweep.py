"""Sweeps: selection inside the training rows, resuming, failing fits, a lost worker."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from sklearn.preprocessing import MaxAbsScaler

from classify.learners import LEARNERS
from classify.logistic import LogisticTagger
from classify.metrics import example_ap
from classify.results import read_results
from classify.sweep import parse_C, run_unit, summarise, sweep
from features.cache import FeatureCache
from features.errors import InputError
from features.splits import inner_folds, random_split
from tests.features.test_cache import ROWS, make_cache

CS = [0.1, 1.0, 10.0]
OPTIONS = {"C": CS, "splits": 3, "folds": 2, "jobs": 1, "scale": ("none", "max01")}


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


def test_every_cell_has_a_line_and_one_C_a_unit_is_selected(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(undisturbed)
    _, lines = read_results(path)
    assert len(lines) == 2 * 2 * 3 * len(CS)
    for line in lines:
        assert line["error"] is None and line["inner"] is not None
        assert (line["example_ap"] is not None) == line["selected"]
    assert sum(line["selected"] for line in lines) == 2 * 2 * 3
    names = [name for name, splits, _ in summarise(path) if splits == 3]
    assert names == ["l1, max01", "l1, none", "l2, max01", "l2, none"]


def test_selection_is_what_it_says(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    lines = run_unit({"learner": "l2", "scale": "none", "split": 5}, plan, X, Y)
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
    unit = {"learner": "l1", "scale": "max01", "split": 1}
    test = random_split(ROWS, 1).test
    X2, Y2 = X.copy(), Y.copy()
    X2[test], Y2[test] = 1e3, 1 - Y[test]
    kept = ("C", "inner", "selected", "nonzeros")
    first, second = (run_unit(unit, plan, *data) for data in ((X, Y), (X2, Y2)))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_equal([a[k] for k in kept], [b[k] for k in kept])


def test_every_C_can_be_judged_and_described_beside_the_selected_one(cache):
    features = FeatureCache(cache)
    data = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    unit = {"learner": "l1", "scale": "none", "split": 0}
    usual = run_unit(unit, plan, *data)
    lines = run_unit(
        unit,
        plan,
        *data,
        judge_all=True,
        describe=lambda model: {"nonzeros": -1, "C of it": model.C},
    )
    for line, other in zip(lines, usual, strict=True):
        assert (line["selected"], line["inner"]) == (other["selected"], other["inner"])
        assert (line["nonzeros"], line["C of it"]) == (-1, line["C"])
        if line["selected"]:
            assert line["example_ap"] == pytest.approx(other["example_ap"], abs=0.02)
    without = run_unit(unit, {**plan, "select": "none"}, *data)
    assert [line["example_ap"] for line in lines] == [line["example_ap"] for line in without]


def test_liblinear_is_swept_by_its_name(cache):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    unit = {"learner": "l1-liblinear", "scale": "none", "split": 0}
    (line,) = run_unit(unit, {"C": [0.5], "select": "none"}, X, Y)
    split = random_split(ROWS, 0)
    tagger = LogisticTagger("l1", C=0.5, solver="liblinear").fit(X[split.train], Y[split.train])
    scores = tagger.decision_function(X[split.test])
    assert line["example_ap"] == example_ap(Y[split.test], scores)


@pytest.mark.parametrize("learner", ["imcl", "rmlc", "warp", "pairwise", "softmax", "lsep", "bce"])
def test_a_learner_by_descent_is_swept_as_logistic_regression_is(cache, learner):
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    plan = {"C": CS, "select": "inner-cv", "metric": "example_ap", "folds": 2}
    lines = run_unit({"learner": learner, "scale": "max01", "split": 0}, plan, X, Y)
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
    decays = [LEARNERS[name].make(2.0, Y).weight_decay for name in ("bce", "ss-rmlc")]
    assert decays == [1 / (2 * (ROWS - 5)), 1 / (2 * ROWS)]


def test_rows_without_labels_are_for_the_learner_that_takes_them(cache, tmp_path):
    options = {**OPTIONS, "learner": ["ss-rmlc"], "splits": 1, "scale": ["none"]}
    with pytest.raises(InputError, match="'ss-rmlc' is for rows without labels .* take 'rmlc'"):
        sweep(cache, tmp_path / "s.jsonl", **options)
    some = (cache / "labels.csv").read_text().splitlines()[: ROWS // 2]
    (tmp_path / "some.csv").write_text("\n".join(some) + "\n")
    sweep(cache, tmp_path / "s.jsonl", **options, labels=tmp_path / "some.csv")
    _, lines = read_results(tmp_path / "s.jsonl")
    assert [line["error"] for line in lines] == [None] * len(CS)


def test_without_selection_every_C_is_judged(cache, tmp_path):
    path = sweep(cache, tmp_path / "s.jsonl", **{**OPTIONS, "select": "none", "learner": ["l2"]})
    _, lines = read_results(path)
    assert all(line["example_ap"] is not None and not line["selected"] for line in lines)
    assert len(summarise(path)) == 2 * len(CS)


def test_running_again_and_more_processes_change_nothing(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    sweep(cache, path, **{**OPTIONS, "jobs": 2})
    assert path.read_bytes() == undisturbed
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == undisturbed


def _sweep(cache, path, options):
    sweep(cache, path, **options)


def test_killed_anywhere_it_ends_the_same(cache, undisturbed, tmp_path):
    path = tmp_path / "s.jsonl"
    rng = np.random.default_rng(0)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.classify.test_sweep"])
    for _ in range(6):
        child = server.Process(target=_sweep, args=(cache, path, OPTIONS))
        child.start()
        child.join(timeout=rng.uniform(0.05, 1.0))
        child.kill()
        child.join()
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == undisturbed


def test_a_learner_by_descent_goes_on_after_a_kill_with_the_same_lines(cache, tmp_path):
    options = {**OPTIONS, "learner": ["rmlc"], "scale": ["none"]}
    undisturbed = sweep(cache, tmp_path / "whole.jsonl", **options).read_bytes()
    path = tmp_path / "s.jsonl"
    server = multiprocessing.get_context("forkserver")
    child = server.Process(target=_sweep, args=(cache, path, options))
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

    def __init__(self, C, labels):
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
    monkeypatch.setitem(LEARNERS, "l2", replace(LEARNERS["l2"], make=Failing))
    path = tmp_path / "s.jsonl"
    sweep(cache, path, **{**OPTIONS, "learner": ["l2"], "scale": ["none"]})
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
        ({"learner": ["svm"]}, "learner 'svm'; give one of l1, l2"),
        ({"scale": ["unit"]}, "scale 'unit'; give one of none, max01"),
        ({"C": [0.0]}, "C 0; give positive numbers"),
        ({"C": [float("inf")]}, "C inf; give positive numbers"),
        ({"metric": "auc"}, "no metric 'auc': choose one of example_ap"),
        ({"select": "test"}, "select 'test'; give one of inner-cv, none"),
        ({"splits": 0}, "splits 0; give a whole number from 1"),
    ],
    ids=str,
)
def test_bad_settings_are_one_line(cache, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        sweep(cache, tmp_path / "s.jsonl", **{**OPTIONS, **change})


def test_C_is_read_as_a_range_or_a_list():
    assert parse_C("0.01:100:9")[0] == 0.01 and len(parse_C("0.01:100:9")) == 9
    for text in ("1:2", "a", "1,,2"):
        with pytest.raises(InputError, match="give LOW:HIGH:COUNT"):
            parse_C(text)
    with pytest.raises(InputError, match="C -1; give positive numbers"):
        parse_C("-1,2")


def _kill_one_worker(path, stop):
    """Kill a Dask worker process as soon as there is a result."""
    while not stop.is_set():
        children = psutil.Process().children(recursive=True)
        workers = [p for p in children if "spawn_main" in " ".join(_command(p))]
        if len(workers) >= 2 and path.exists() and path.read_bytes().count(b"\n") > 1:
            os.kill(workers[0].pid, signal.SIGKILL)
            return
        time.sleep(0.01)


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_lines(cache, undisturbed, tmp_path):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    path, stop = tmp_path / "s.jsonl", threading.Event()
    killer = threading.Thread(target=_kill_one_worker, args=(path, stop))
    killer.start()
    try:
        sweep(cache, path, **{**OPTIONS, "dask": "local:2"})
    finally:
        stop.set()
        killer.join()
    assert path.read_bytes() == undisturbed
