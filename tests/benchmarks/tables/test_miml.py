"""``tables miml`` on a small made-up cache: protocol, arithmetic, kills, refusals, commands."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import coverage_error, label_ranking_loss

from benchmarks.__main__ import main
from benchmarks.report.plots import draw_curves
from benchmarks.tables.miml.learners import KEY, MIML_LEARNERS, fit_and_evaluate
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.report import best_earlier
from benchmarks.tables.miml.run import miml
from classify.logistic import LogisticTagger
from classify.metrics import MIML_METRICS
from classify.results import read_results
from features.errors import InputError
from features.files.locks import holding_names
from tests.caches import write_cache, write_data
from tests.folders import results_in

ROOT = Path(__file__).parents[3]
SCENE = ("desert", "mountains", "sea", "sunset", "trees")
N, N_TRAIN = 60, 40
REGRESSIONS = [learner for learner in MIML_LEARNERS if not learner.is_constant]
SHORT = {"ablations": False}  # they have tests of their own


def _problem(seed=0):
    """Non-negative features of two layers; every image has 1 to 4 of 5 labels, the last is rare."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(1.0, 3.0, (N, 12)).astype(np.float32)
    Y = (X @ rng.normal(size=(12, 5)) + rng.normal(size=(N, 5)) > 2).astype(np.int8)
    Y[:, 4] = np.arange(N) < 3
    Y[~Y[:, :4].any(axis=1), 0] = 1
    Y[Y.all(axis=1), 1] = 0
    return X, Y


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set with Scene's label names and its cache."""
    X, Y = _problem()
    folder = tmp_path_factory.mktemp("made")
    data = write_data(folder / "small", [f"{row:03}.jpg" for row in range(N)], SCENE, Y)
    cache = write_cache(folder / "cache", data, {"net/low": X[:, :7], "net/high": X[:, 7:]})
    return data, cache


def _run(made, out, **options):
    data, cache = made
    return miml(
        data, cache, out, **{"splits": 3, "jobs": 1, "curve_sizes": [8, 20], **SHORT, **options}
    )


def _bytes(folder):
    return {path.name: path.read_bytes() for path in results_in(folder)}


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The files that an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole")
    _run(made, out)
    return out


def test_lines_hold_every_fit_and_where_it_comes_from(made, whole):
    header, lines = read_results(whole / "miml.jsonl")
    assert (header["rows"], header["train_rows"], header["data"]) == (N, N_TRAIN, "small")
    assert header["caches"][0]["layers"] == {"net/low": 7, "net/high": 5}
    assert len(header["splits"]) == len(header["caches"][0]["manifest"]) == 64
    full = [line for line in lines if line["n_train"] == N_TRAIN]
    assert {(line["learner"], line["seed"]) for line in full} == {
        (learner.learner, split) for learner in MIML_LEARNERS for split in range(3)
    }
    curve = {(line["learner"], line["n_train"]) for line in lines if line["n_train"] < N_TRAIN}
    assert curve == {("l1lr", 8), ("l1lr", 20), ("lr", 8), ("lr", 20)}


def _line_of(whole, learner, seed):
    _, lines = read_results(whole / "miml.jsonl")
    (line,) = [
        line
        for line in lines
        if (line["learner"], line["n_train"], line["seed"]) == (learner, N_TRAIN, seed)
    ]
    return line


@pytest.mark.parametrize("learner", REGRESSIONS, ids=lambda learner: learner.learner)
def test_a_line_follows_the_protocol(whole, learner):
    X, Y = _problem()
    line = _line_of(whole, learner.learner, 2)
    order = np.random.default_rng(2).permutation(N)
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    scale = {"none": np.float32(1), "max01": 1 / X[train].max(axis=0), "x57.4": np.float32(57.4)}
    X = X * scale[learner.scaling]
    tagger = LogisticTagger(learner.penalty, solver="liblinear", tol=learner.tol, bias=learner.bias)
    scores = tagger.fit(X[train], Y[train]).decision_function(X[test])
    assert line["ranking_loss"] == pytest.approx(label_ranking_loss(Y[test], scores))
    assert line["coverage"] == pytest.approx((coverage_error(Y[test], scores) - 1) / 5)
    assert line["hamming_loss"] == pytest.approx(np.mean((scores > 0) != Y[test]))
    assert line["objective"] == pytest.approx(np.nanmean(tagger.objective_))
    assert line["nonzeros"] <= 12


def test_the_constant_predictor_gives_frequencies_and_decides_for_no_label(whole):
    _, Y = _problem()
    line = _line_of(whole, "constant", 2)
    order = np.random.default_rng(2).permutation(N)
    truth = Y[order[N_TRAIN:]]
    scores = np.tile(Y[order[:N_TRAIN]].mean(axis=0), (len(truth), 1))
    assert line["ranking_loss"] == pytest.approx(label_ranking_loss(truth, scores))
    assert line["coverage"] == pytest.approx((coverage_error(truth, scores) - 1) / 5)
    assert line["hamming_loss"] == pytest.approx(truth.mean())
    assert "objective" not in line


def test_constant_labels_are_counted_and_left_out_of_the_means():
    X, Y = _problem()
    cell = {**MIML_LEARNERS[0].fields(), "n_train": N_TRAIN, "seed": 0}
    train = np.random.default_rng(0).permutation(N)[:N_TRAIN]
    rare, none = Y.copy(), Y.copy()
    rare[train[0], 4] = 1
    none[train, 4] = 0
    values = fit_and_evaluate(cell, X, none)
    assert (values["constant_labels"], fit_and_evaluate(cell, X, rare)["constant_labels"]) == (1, 0)
    assert values["objective"] == pytest.approx(fit_and_evaluate(cell, X, none[:, :4])["objective"])


def test_the_table_states_mean_and_std_of_the_lines(whole):
    _, lines = read_results(whole / "miml.jsonl")
    results, _, fits = (whole / "miml.md").read_text().split("\n## ")
    for learner in MIML_LEARNERS:
        mine = [x for x in lines if (x["learner"], x["n_train"]) == (learner.learner, N_TRAIN)]
        of_fits = [] if learner.is_constant else [(fits, ["objective"], 3)]
        for text, fields, digits in ((results, MIML_METRICS, 4), *of_fits):
            (row,) = [r for r in text.splitlines() if _first_cell(r) == learner.title]
            for field in fields:
                values = [line[field] for line in mine]
                mean, std = np.mean(values), np.std(values, ddof=1)
                assert f" {mean:.{digits}f} ± {std:.{digits}f} |" in row


def _first_cell(row):
    return row.removeprefix("|").split("|")[0].strip()


def test_published_columns_are_quoted_and_subtracted(whole):
    text = (whole / "miml.md").read_text()
    assert re.search(r"\| MIMLkNN, quoted +\| +0.757 ± 0.011 \|", text)
    for method in MIML_TABLES["scene"].rows:
        assert f"| {method}, quoted" in text
    _, lines = read_results(whole / "miml.jsonl")
    ours = [x["coverage"] for x in lines if (x["learner"], x["n_train"]) == ("lr", N_TRAIN)]
    (row,) = [row for row in text.splitlines() if row.startswith("| LR - VGG+LR ")]
    assert f"{np.mean(ours) - 0.096:+.4f}" in row


def test_without_a_published_table_nothing_is_quoted(made, tmp_path, capsys):
    _run(made, tmp_path, published="none", curve_sizes=[], splits=1)
    assert "quoted" not in (printed := capsys.readouterr().out)
    assert "published" not in printed
    assert printed == (tmp_path / "miml.md").read_text()
    assert sorted(_bytes(tmp_path)) == ["miml.jsonl", "miml.md"]


@pytest.mark.parametrize("options", [{"jobs": 2}, {"layers": ["net/low", "net/high"]}])
def test_files_do_not_depend_on_how_they_were_made(made, whole, tmp_path, options):
    _run(made, tmp_path, **options)
    assert _bytes(tmp_path) == _bytes(whole)


def test_a_killed_run_goes_on_and_leaves_the_same_files(made, whole, tmp_path, capsys):
    command = [sys.executable, "-m", "benchmarks", "tables", "miml", "--splits", "3"]
    command += ["--data", str(made[0]), "--cache", str(made[1]), "--out", str(tmp_path)]
    command += ["--curve-sizes", "8", "20", "--jobs", "2", "--no-ablations"]
    lines = tmp_path / "miml.jsonl"
    total = (whole / "miml.jsonl").read_bytes().count(b"\n")
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and _count(lines) < 10:
        time.sleep(0.005)
    workers = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(_runs(worker) for worker in workers):  # or the next run would compete with them
        time.sleep(0.05)
    assert 10 <= _count(lines) <= total
    command[command.index("--jobs") + 1] = "1"
    with holding_names():  # as a command does, which removes the locks that the killed one left
        main(command[3:])
    assert capsys.readouterr().out == (whole / "miml.md").read_text()
    assert _bytes(tmp_path) == _bytes(whole)


def _children(parent):
    stats = [(path, _stat(path)) for path in Path("/proc").glob("[0-9]*")]
    return [path for path, stat in stats if stat[1:2] == [str(parent)]]


def _runs(process):
    return _stat(process)[:1] not in ([], ["Z"])


def _stat(process):
    """State and parent, and what follows them in /proc; nothing where the process is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _count(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_finished_fits_are_not_done_again(made, whole, tmp_path, monkeypatch):
    _run(made, tmp_path)
    monkeypatch.setattr(LogisticTagger, "fit", None)  # would fail
    _run(made, tmp_path)
    assert _bytes(tmp_path) == _bytes(whole)


def test_a_failing_fit_loses_no_finished_one(made, whole, tmp_path, monkeypatch):
    fit, calls = LogisticTagger.fit, []

    def failing(self, X, Y):
        calls.append(1)
        if len(calls) == 6:
            raise InputError("made to fail")
        return fit(self, X, Y)

    monkeypatch.setattr(LogisticTagger, "fit", failing)
    with pytest.raises(InputError, match="made to fail"):
        _run(made, tmp_path)
    assert len(read_results(tmp_path / "miml.jsonl")[1]) == 5
    monkeypatch.undo()
    _run(made, tmp_path)
    assert _bytes(tmp_path) == _bytes(whole)


def test_without_matplotlib_all_but_the_picture_is_written(
    made, whole, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("benchmarks.tables.experiment.draw_curves", draw_curves)
    _run(made, tmp_path)
    assert "pip install 'multilabel-from-cache[plots]'" in capsys.readouterr().err
    expected = _bytes(whole)
    del expected["miml_curves.png"]
    assert _bytes(tmp_path) == expected


def test_images_without_features_are_left_out(tmp_path, capsys):
    X, Y = _problem()
    data = write_data(tmp_path / "small", [f"{row:03}.jpg" for row in range(N)], SCENE, Y)
    cache = write_cache(tmp_path / "cache", data, {"net/all": X}, failed=[5, 9])
    miml(data, cache, tmp_path / "out", splits=1, jobs=1, curve_sizes=[], **SHORT)
    assert "2 of 60 rows excluded: 2 undecodable" in capsys.readouterr().err
    header, lines = read_results(tmp_path / "out" / "miml.jsonl")
    kept = np.delete(np.arange(N), [5, 9])
    assert (header["rows"], lines[0]["n_train"]) == (58, 38)
    cell = {name: lines[0][name] for name in KEY}
    assert {**cell, **fit_and_evaluate(cell, X[kept], Y[kept])} == lines[0]


def test_results_of_other_splits_are_refused(made, tmp_path):
    _run(made, tmp_path, splits=1, curve_sizes=[])
    before = _bytes(tmp_path)
    with pytest.raises(InputError, match=r"seeds: there 0 to 0, here 1 to 1; splits: there"):
        _run(made, tmp_path, splits=1, seed=1)
    with pytest.raises(InputError, match=r"caches: there .*, here .*'net/low': 7}}\]"):
        _run(made, tmp_path, splits=1, layers=["net/low"])
    assert _bytes(tmp_path) == before


@pytest.mark.parametrize(
    "options, message",
    [
        ({"splits": 0}, "The .splits. option must be an int in the range .1, inf.. Got 0"),
        ({"seed": -1}, "The .seed. option must be an int in the range .0, inf.. Got -1"),
        ({"layers": ["net/top"]}, "must be one of net/low, net/high. Got 'net/top'"),
        ({"curve_sizes": [5, 41]}, "must be from 1 to 40, the training rows. Got 5 to 41"),
    ],
)
def test_bad_options(made, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        _run(made, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"one_error": "0.5"}, "line 2 has one_error '0.5': remove that line"),
        ({"objective": [1]}, "line 2 is damaged: remove that line"),
        ({"nonzeros": True}, "line 2 has nonzeros True: remove that line"),
        ({"bias": "\ud800"}, "line 2 is damaged: remove that line"),
        ({"hamming_loss": ...}, "line 2 lacks hamming_loss: remove that line"),
    ],
)
def test_an_edited_line_is_named(made, whole, tmp_path, edit, message):
    header, first, *rest = (whole / "miml.jsonl").read_text().splitlines()
    line = {name: one for name, one in (json.loads(first) | edit).items() if one is not ...}
    text = "\n".join([header, json.dumps(line), *rest, ""])
    (tmp_path / "miml.jsonl").write_text(text)
    with pytest.raises(InputError, match=f"miml.jsonl, {message}"):
        _run(made, tmp_path)
    assert (tmp_path / "miml.jsonl").read_text() == text


def test_inputs_that_do_not_fit_each_other(made, tmp_path):
    _, Y = _problem()
    ids = [f"{row:03}.jpg" for row in range(N)]
    fewer = write_data(tmp_path / "fewer", ids[:-1], SCENE, Y[:-1])
    with pytest.raises(InputError, match=r"1 images of .*cache are not in .*fewer.* 059.jpg"):
        miml(fewer, made[1], tmp_path / "out")
    more = write_data(tmp_path / "more", [*ids, "new.jpg"], SCENE, np.vstack([Y, Y[:1]]))
    with pytest.raises(InputError, match=r"1 images of .*more are not in .*cache.* new.jpg"):
        miml(more, made[1], tmp_path / "out")
    (more / "labels.csv").unlink()
    with pytest.raises(InputError, match="has no labels"):
        miml(more, made[1], tmp_path / "out")


def test_labels_are_matched_by_id_not_by_row(made, whole, tmp_path):
    _, Y = _problem()
    order = np.random.default_rng(1).permutation(N)
    data = write_data(tmp_path / "small", [f"{row:03}.jpg" for row in order], SCENE, Y[order])
    _run((data, made[1]), tmp_path / "out")
    assert _bytes(tmp_path / "out") == _bytes(whole)


def test_papers_agree_with_the_gains_their_text_states():
    """LR over the best earlier method in average precision: 23.7 % on MSRC, 19.9 % on Scene."""
    for name, best, gain in (("msrc", "MIMLfast", 23.7), ("scene", "KISAR", 19.9)):
        paper = MIML_TABLES[name]
        method, value = best_earlier(paper, "example_ap")
        assert method == best
        ours = paper.rows["VGG+LR"]["example_ap"].mean
        assert round(100 * (ours - value) / value, 1) == gain
        assert set(paper.ours) < set(paper.rows) and len(paper.rows) == 8
        assert all(set(row) == set(MIML_METRICS) for row in paper.rows.values())
    assert best_earlier(MIML_TABLES["msrc"], "ranking_loss") == ("RankLSIM", 0.107)
    assert len(MIML_TABLES["msrc"].labels) == 23


def test_bad_input_is_one_line_and_exit_code_1(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "tables", "miml", "--data", str(tmp_path)]
    command += ["--cache", "c", "--out", "o"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: c is not a feature cache: ")
    assert done.stderr.count("\n") == 1


def test_lines_are_plain_json(whole):
    first, *rest = (whole / "miml.jsonl").read_text().splitlines()
    assert "header" in json.loads(first)
    keys = [tuple(json.loads(line)[name] for name in KEY) for line in rest]
    assert keys == sorted(keys)
