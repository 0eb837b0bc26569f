"""``tables rml`` on small made-up caches: protocol, selection, noise, kills, refusals, report."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.claims import FAILS, HOLDS
from benchmarks.tables.experiment import Source, Task
from benchmarks.tables.rml import learners
from benchmarks.tables.rml import run as command
from benchmarks.tables.rml.claims import claims
from benchmarks.tables.rml.data import BlockScaler, read_ranking_task
from benchmarks.tables.rml.groups import chosen_inside, gains
from benchmarks.tables.rml.learners import LEARNERS, Protocol, labeled_rows, run_cell
from benchmarks.tables.rml.published import RML_TABLES
from benchmarks.tables.rml.report import CHOSEN, page
from benchmarks.tables.rml.run import KEY, NOISY, SEMI_SUPERVISED, SUPERVISED, rml
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.results import read_results
from classify.warp.tagger import WarpTagger
from features.errors import InputError
from features.splits import random_split
from tests.caches import write_cache, write_data

ROOT = Path(__file__).parents[3]
N, N_TRAIN = 60, 40
IDS = [f"{row:03}.jpg" for row in range(N)]
LABELS = ("sky", "sea", "sand", "ship", "sun")
SMALL = {
    "splits": 3,
    "repeats": 2,
    "noise": [0.0, 0.5],
    "labeled": [0.4],
    "learning_rates": [0.1, 1.0],
    "weight_decays": [0.0],
    "C": [1.0, 10.0],
    "epochs": 4,
    "validation": 0.3,
    "jobs": 1,
}
PROTOCOL = Protocol(
    learning_rates=(0.1, 1.0),
    weight_decays=(0.0,),
    C=(1.0, 10.0),
    epochs=4,
    validation=0.3,
)


def _problem(seed=0):
    """Every image has 1 to 4 of 5 labels, which depend on the features; the columns differ."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(1.0, 3.0, (N, 12)).astype(np.float32)
    X[:, 8:] *= 50
    Z = X / X.mean(axis=0)
    Y = (Z @ rng.normal(size=(12, 5)) + rng.normal(size=(N, 5)) > 1).astype(np.int8)
    Y[~Y.any(axis=1), 0] = 1
    Y[Y.all(axis=1), 1] = 0
    return X, Y


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set and its features, in one cache and in two."""
    X, Y = _problem()
    folder = tmp_path_factory.mktemp("made")
    data = write_data(folder / "small", IDS, LABELS, Y)
    whole = write_cache(folder / "whole", data, {"net/all": X})
    left = write_cache(folder / "left", data, {"net/low": X[:, :3], "net/high": X[:, 3:8]})
    right = write_cache(folder / "right", data, {"other/top": X[:, 8:]})
    return data, whole, left, right


def _run(made, out, **options):
    return rml(made[0], [made[1]], out, **{**SMALL, **options})


def _bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The files that an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole")
    _run(made, out)
    return out


@pytest.fixture(scope="module")
def lines(whole):
    return read_results(whole / "rml.jsonl")[1]


@pytest.fixture(scope="module")
def task(made):
    return read_ranking_task([made[1]], made[0])


def _line(lines, stage, learner, draw, *, noise=0.0, labeled=1.0, **more):
    wanted = {"stage": stage, "learner": learner, "seed": draw, "noise": noise}
    wanted |= {"labeled": labeled, **more}
    (line,) = [x for x in lines if all(x[name] == value for name, value in wanted.items())]
    return line


def _cell(learner, setting, *, stage="test", noise=0.0, labeled=1.0, draw=0):
    values = (stage, learner, setting, noise, labeled, draw)
    return dict(zip(KEY, values, strict=True))


def test_lines_hold_every_fit_and_where_it_comes_from(whole, lines, made):
    header, _ = read_results(whole / "rml.jsonl")
    assert (header["rows"], header["caches"][0]["layers"]) == (N, {"net/all": 12})
    assert len(header["splits"]) == len(header["labels"]) == 64
    assert (header["seeds"], header["split"]) == ("0 to 2", "random")
    assert header["selection"]["learning_rates"] == [0.1, 1.0]
    tested = [x for x in lines if x["stage"] == "test"]
    expected = {(one, 0.0, 1.0, draw) for one in SUPERVISED for draw in range(3)}
    expected |= {(one, rate, 1.0, draw) for one in NOISY for rate in (0.0, 0.5) for draw in (0, 1)}
    expected |= {(one, 0.0, 0.4, draw) for one in SEMI_SUPERVISED for draw in (0, 1)}
    found = [(x["learner"], x["noise"], x["labeled"], x["seed"]) for x in tested]
    assert set(found) == expected and len(found) == len(expected)
    assert len(lines) == 3 * len(expected)  # two settings were tried for each


def test_the_setting_with_the_best_inner_score_is_fitted(lines):
    for line in lines:
        if line["stage"] == "test":
            fit = {name: line[name] for name in KEY if name not in ("stage", "setting")}
            tried = [
                x
                for x in lines
                if x["stage"] == "inner" and all(x[name] == fit[name] for name in fit)
            ]
            best = max(tried, key=lambda x: x["score"])
            assert line["setting"] == best["setting"]


@pytest.mark.parametrize("learner, loss", [("rmlc", "ramp"), ("warp", "hinge"), ("lr", None)])
def test_a_line_follows_the_protocol(lines, learner, loss):
    X, Y = _problem()
    line = _line(lines, "test", learner, 2)
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
        for setting in PROTOCOL.settings(learner):
            cell = _cell(learner, setting, stage="inner", draw=1, noise=0.2, labeled=0.6)
            assert run_cell(cell, task, PROTOCOL) == run_cell(
                cell, replace(task, Y=other), PROTOCOL
            )


def test_folds_average_over_all_training_rows(task):
    folds = Protocol(folds=3, C=(1.0,), metric="hamming_loss")
    score = run_cell(_cell("lr", "none, C 1", stage="inner"), task, folds)["score"]
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
    clean, noisy = (_line(lines, "test", "bce", 0, noise=rate) for rate in (0.0, 0.5))
    assert clean["wrong_rows"] == 0 < noisy["wrong_rows"] <= 0.5
    assert noisy["map"] != clean["map"]


def test_half_of_the_training_rows_are_relabeled(task, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        WarpTagger, "fit", lambda self, X, Y: seen.update(Y=Y) or setattr(self, "fitted_", 1)
    )
    with pytest.raises(AttributeError):
        run_cell(_cell("bce", "none, rate 1, decay 0", noise=0.5, draw=1), task, PROTOCOL)
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
    monkeypatch.setattr(learners, "_fit_and_score", lambda *given: given[1].Y[given[-1]] * 1.0)
    cell = _cell("bce", "none, rate 1, decay 0", stage="inner", noise=0.4, draw=3)
    wrong = run_cell(cell, task, protocol)["score"]
    assert wrong == pytest.approx(0.4 * 3 / 4, abs=0.1)


@pytest.mark.parametrize("learner", ["rmlc", "ss-rmlc-official"])
def test_labels_of_unlabeled_rows_are_not_seen(task, learner):
    train = task.split(0).train
    hidden = np.setdiff1d(train, labeled_rows(train, 0.4, 0))
    other = task.Y.copy()
    other[hidden] = 1 - other[hidden]
    cell = _cell(learner, "none, rate 1, decay 0", labeled=0.4)
    values = run_cell(cell, task, PROTOCOL)
    assert values["error"] is None
    assert run_cell(cell, replace(task, Y=other), PROTOCOL) == values


def test_only_semi_supervised_learners_see_unlabeled_rows(task):
    train = task.split(0).train
    hidden = np.setdiff1d(train, labeled_rows(train, 0.4, 0))
    X = task.X.copy()
    X[hidden] = X[hidden][::-1] * 2
    for learner, same in (("rmlc", True), ("bce", True), ("ss-rmlc-paper", False)):
        cell = _cell(learner, "none, rate 1, decay 0", labeled=0.4)
        before, after = (run_cell(cell, t, PROTOCOL) for t in (task, replace(task, X=X)))
        assert (before == after) is same


@given(st.integers(4, 200), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 99))
def test_labeled_rows_are_nested(n, one, other, draw):
    rows = np.arange(100, 100 + n)
    few, many = (labeled_rows(rows, share, draw) for share in sorted((one, other)))
    assert set(few) <= set(many) <= set(rows)
    assert len(set(many)) == len(many)


@given(st.integers(0, 99), st.integers(1, 5), st.integers(1, 5))
def test_scaled_blocks_lie_at_the_same_mean_distance(seed, first, second):
    X = np.random.default_rng(seed).normal(3.0, 1.0, (9, first + second))
    X[:, first:] *= 1000
    scaled = BlockScaler([first, second]).fit(X).transform(X)
    for block in np.split(scaled, [first], axis=1):
        distances = np.linalg.norm(block - block.mean(axis=0), axis=1)
        assert distances.mean() == pytest.approx(1)


def test_a_constant_block_stays_as_it_is():
    assert (BlockScaler([2]).fit_transform(np.full((3, 2), 7.0)) == 7).all()


def test_two_caches_stand_side_by_side(made, task, tmp_path):
    data, _, left, right = made
    both = read_ranking_task([left, right], data)
    np.testing.assert_array_equal(both.X, task.X)
    assert (both.widths, len(both.sources)) == ((8, 4), 2)
    chosen = read_ranking_task([left, right], data, layers=["other/top", "net/low"])
    np.testing.assert_array_equal(chosen.X, task.X[:, [0, 1, 2, 8, 9, 10, 11]])
    options = {**SMALL, "parts": ["supervised"], "learners": ["lr"], "splits": 2}
    text = rml(data, [left, right], tmp_path, **options).read_text()
    assert "net/low, net/high and other/top" in text
    assert "side by side (8 and 4), so that the caches weigh alike" in text.replace("\n", " ")


def test_caches_of_different_images_are_refused(made, tmp_path):
    X, _ = _problem()
    data, cache, *_ = made
    fewer = write_cache(tmp_path / "fewer", data, {"net/all": X}, failed=[3])
    with pytest.raises(InputError, match=r"hold features of different images \(59 and 60, "):
        read_ranking_task([cache, fewer], data)
    with pytest.raises(InputError, match=r"every one must be in a cache .* there are net/low"):
        read_ranking_task([made[2], made[3]], data, layers=["net/low"])


def _split_file(path, parts):
    rows = [f"{image},{part}\n" for image, part in zip(IDS, parts, strict=True)]
    path.write_text("image,split\n" + "".join(rows))
    return path


def test_an_official_split_serves_all_draws(made, tmp_path):
    parts = ["train"] * 30 + ["val"] * 10 + ["test"] * 20
    split = _split_file(tmp_path / "split.csv", parts)
    options = {"split": split, "noise": [0.5], "learners": ["rmlc", "warp", "lr"], "seed": 7}
    text = _run(made, tmp_path / "out", **options).read_text()
    header, lines = read_results(tmp_path / "out" / "rml.jsonl")
    assert header["split"] == "official"
    assert {x["seed"] for x in lines if x["stage"] == "inner"} == {7}
    assert {x["seed"] for x in lines if x["stage"] == "test"} == {7, 8}
    assert {x["seed"] for x in lines if x["learner"] == "lr"} == {7}  # no seed moves it
    settings = {(x["learner"], x["noise"], x["labeled"], x["setting"]) for x in lines}
    chosen = {
        (x["learner"], x["noise"], x["labeled"], x["setting"])
        for x in lines
        if x["stage"] == "test"
    }
    assert 2 * len(chosen) == len(settings)  # one of two settings, the same for all draws
    assert "40 training and 20 test images" in text
    task = read_ranking_task([made[1]], made[0], split=split)
    assert task.split(0) is task.split(5)
    assert task.split(0).test.tolist() == list(range(40, 60))


def test_judged_labels_are_present_in_both_parts_and_the_commonest(made, tmp_path):
    _, Y = _problem()
    Y[:, 2] = 0
    Y[:5, 2] = 1  # in no test row
    Y[45] = [1, 1, 0, 1, 1]
    Y[50] = [0, 0, 0, 0, 0]
    data = write_data(tmp_path / "data", IDS, LABELS, Y)
    cache = write_cache(tmp_path / "cache", data, {"net/all": _problem()[0]})
    split = _split_file(tmp_path / "split.csv", ["train"] * 40 + ["test"] * 20)
    task = read_ranking_task([cache], data, split=split)
    assert task.label_names == ("sky", "sea", "ship", "sun")
    two = read_ranking_task([cache], data, split=split, n_labels=2)
    counts = Y[:40].sum(axis=0)
    counts[2] = 0
    kept = np.sort(np.argsort(-counts, kind="stable")[:2])
    assert two.label_names == tuple(LABELS[k] for k in kept)
    left = Y[:, kept].any(axis=1)
    assert not left.all()
    np.testing.assert_array_equal(two.Y, Y[left][:, kept])
    assert [IDS[row] for row in np.flatnonzero(left)] == list(two.ids)
    test = two.split(0).test
    assert {two.ids[row] for row in test} == {IDS[r] for r in range(40, 60) if left[r]}
    assert f"2 of 5 labels are evaluated; {(~left).sum()} of 60 images" in two.notes[0]


def test_the_table_states_mean_and_std_of_the_lines(whole, lines):
    text = (whole / "rml.md").read_text()
    for learner in SUPERVISED:
        mine = [_line(lines, "test", learner, draw) for draw in range(3)]
        row = next(r for r in text.splitlines() if r.startswith(f"| {LEARNERS[learner].title} "))
        for metric in ("top3_precision_macro", "top3_f1_macro", "top3_f1_micro", "map_voc12"):
            values = [100 * line[metric] for line in mine]
            assert f" {np.mean(values):.2f} ± {np.std(values, ddof=1):.2f} |" in row
    few = [_line(lines, "test", "ss-rmlc-paper", d, labeled=0.4)["map"] for d in (0, 1)]
    assert f"{100 * np.mean(few):.2f} ± {100 * np.std(few, ddof=1):.2f} |" in text


def test_numbers_of_learners_without_signs_are_left_out(whole):
    text = (whole / "rml.md").read_text()
    above_zero = text.split("only those with a score above 0")[1].split("multi-instance")[0]
    hamming = text.split("multi-instance")[1].split("What was chosen")[0]
    for name, record in LEARNERS.items():
        if name in SUPERVISED:
            assert (f"| {record.title} " in above_zero) is record.signs
            (row,) = [r for r in hamming.splitlines() if r.startswith(f"| {record.title} ")]
            assert bool(row.split("|")[4].strip()) is record.signs


def test_published_numbers_stand_beside_and_are_marked(whole):
    text = (whole / "rml.md").read_text()
    for data, methods in RML_TABLES.items():
        for method in methods:
            assert f"| {method}, {data}, quoted" in text
    assert "| SS-RML-CNN, quoted | 91.46 ± 0.20 |" in text


def test_quoted_rows_are_those_of_exactly_three_labels():
    """Then P-O / R-O is a third of the labels an image: 2.42 on NUS-WIDE, 2.88 on COCO."""
    for data, mean in (("NUS-WIDE", 2.42), ("COCO", 2.88)):
        for row in RML_TABLES[data].values():
            assert 3 * row["top3_precision_micro"] / row["top3_recall_micro"] == pytest.approx(
                mean, abs=0.02
            )
    row = RML_TABLES["NUS-WIDE"]["CNN+RMLC"]  # a mean of F1, below the harmonic mean
    harmonic = (
        2
        * row["top3_precision_macro"]
        * row["top3_recall_macro"]
        / (row["top3_precision_macro"] + row["top3_recall_macro"])
    )
    assert harmonic == pytest.approx(0.5181, abs=5e-5) and row["top3_f1_macro"] == 0.488


def test_the_best_inside_is_picked_draw_by_draw():
    groups = {
        ("rmlc", 0.0, 1.0): [{"seed": 0, "inner": 0.5, "n": 1}, {"seed": 1, "inner": 0.8, "n": 2}],
        ("lr", 0.0, 1.0): [{"seed": 0, "inner": 0.6, "n": 3}],
    }
    assert [line["n"] for line in chosen_inside(groups, "example_ap")] == [3, 2]
    assert [line["n"] for line in chosen_inside(groups, "coverage")] == [1, 3]


def test_the_best_inside_is_in_the_tables(whole, lines):
    best = []
    for draw in range(3):
        tried = [
            x
            for x in lines
            if (x["stage"], x["seed"], x["noise"], x["labeled"]) == ("inner", draw, 0.0, 1.0)
            and x["learner"] in SUPERVISED
        ]
        top = max(x["score"] for x in tried)
        best.append({x["learner"] for x in tried if x["score"] == top})
    text = (whole / "rml.md").read_text().split("What was chosen")[1]
    (row,) = [r for r in text.splitlines() if r.startswith(f"| {CHOSEN} ")]
    assert any(f"{LEARNERS[learner].title}, none" in row for learner in set.union(*best))


def test_gains_are_paired_by_seed():
    ours = [{"seed": seed, "map": value} for seed, value in ((0, 0.5), (1, 0.6), (2, 0.9))]
    theirs = [{"seed": 1, "map": 0.4}, {"seed": 0, "map": 0.4}]
    assert gains(ours, theirs, "map").tolist() == pytest.approx([0.1, 0.2])
    assert gains(theirs, ours, "map").tolist() == pytest.approx([-0.1, -0.2])
    assert np.isnan(gains(ours, [{"seed": 0, "map": None}], "map")).all()


HEADER = {"selection": {"metric": "map"}}


def _made_up(values, **more):
    """Lines of both stages: learner and noise to a value, each of two seeds a bit off it."""
    return [
        {
            **{"stage": stage, "learner": learner, "setting": "s", "noise": rate, "labeled": 1.0},
            **{"seed": seed, "map": value + seed / 1000, "score": value, **more},
        }
        for (learner, rate), value in values.items()
        for seed in (0, 1)
        for stage in ("inner", "test")
    ]


@pytest.mark.parametrize(
    "rmlc, near, above", [(0.51, HOLDS, HOLDS), (0.495, HOLDS, FAILS), (0.4, FAILS, FAILS)]
)
def test_whether_rmlc_is_near_or_above_others(rmlc, near, above):
    lines = _made_up({("rmlc", 0.0): rmlc, ("warp", 0.0): 0.5, ("bce", 0.0): 0.5})
    found = {one.text: one.verdict for one in claims(HEADER, lines)}
    assert found == {
        "RMLC above WARP": above,
        "RMLC above BCE": above,
        "RMLC not more than 0.01 below BCE": near,
    }


@pytest.mark.parametrize("gaps, verdict", [((0.1, 0.2), HOLDS), ((0.2, 0.1), FAILS)])
def test_whether_rmlc_falls_less_under_noise(gaps, verdict):
    values = {("warp", 0.0): 0.5, ("warp", 0.5): 0.3}
    values |= {("rmlc", 0.0): 0.5 + gaps[0], ("rmlc", 0.5): 0.3 + gaps[1]}
    found = {one.text: one for one in claims(HEADER, _made_up(values))}
    assert found["RMLC above WARP with 50% of the rows mislabeled"].verdict == HOLDS
    less = found["RMLC falls less than WARP under noise (50% to 50%, mean)"]
    assert less.verdict == verdict and f"{gaps[1] - gaps[0]:+.4f}" in less.numbers


def test_nothing_is_claimed_of_parts_that_were_not_run():
    assert claims(HEADER, []) == []
    assert claims(HEADER, _made_up({("rmlc", 0.0): 0.5})) == []


def test_the_page_comes_from_the_lines_alone(whole):
    text = (whole / "rml.md").read_text()
    assert page(*read_results(whole / "rml.jsonl")) == text
    below = text.split("## What follows")[1]
    for claim in (
        "RMLC above WARP with 50% of the rows mislabeled ",
        "RMLC falls less than WARP under noise",
        "SS-RMLC, paper above RMLC, 40% labeled ",
    ):
        assert claim in below


def test_a_killed_run_goes_on_and_leaves_the_same_files(made, whole, tmp_path):
    words = [sys.executable, "-m", "benchmarks", "tables", "rml", "--jobs", "2"]
    words += ["--data", str(made[0]), "--cache", str(made[1]), "--out", str(tmp_path)]
    for name, value in SMALL.items():
        if name != "jobs":
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    target = tmp_path / "rml.jsonl"
    process = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and _count(target) < 20:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    total = (whole / "rml.jsonl").read_bytes().count(b"\n")
    assert 20 <= _count(target) < total
    _run(made, tmp_path)
    assert _bytes(tmp_path) == _bytes(whole)


def _count(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_finished_fits_are_not_done_again(made, whole, tmp_path, monkeypatch):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    monkeypatch.setattr(command, "run_cell", None)  # would fail
    _run(made, tmp_path)
    assert _bytes(tmp_path) == _bytes(whole)


def test_parts_share_a_file(made, whole, tmp_path):
    _run(made, tmp_path, parts=["supervised"])
    assert "## Few labels" not in (tmp_path / "rml.md").read_text()
    assert "rml_noise.png" not in _bytes(tmp_path)
    _run(made, tmp_path)
    assert _bytes(tmp_path) == _bytes(whole)


def test_a_rate_that_diverges_is_a_line(made, tmp_path):
    options = {"parts": ["supervised"], "learners": ["bce"], "splits": 1}
    _run(made, tmp_path / "out", learning_rates=[1.0, 1e9], **options)
    _, lines = read_results(tmp_path / "out" / "rml.jsonl")
    assert [x["error"] is None for x in lines if x["stage"] == "inner"] == [True, False]
    assert [x["setting"] for x in lines if x["stage"] == "test"] == ["none, rate 1, decay 0"]
    with pytest.raises(InputError, match="no setting of bce could be judged.*too large"):
        _run(made, tmp_path / "other", learning_rates=[1e9], **options)


def test_without_matplotlib_all_but_the_picture_is_written(
    made, whole, tmp_path, monkeypatch, capsys
):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _run(made, tmp_path)
    assert "pip install -e '.[plots]'" in capsys.readouterr().err
    expected = _bytes(whole)
    del expected["rml_noise.png"]
    assert _bytes(tmp_path) == expected


def test_results_of_another_selection_are_refused(made, whole, tmp_path):
    (tmp_path / "rml.jsonl").write_bytes((whole / "rml.jsonl").read_bytes())
    with pytest.raises(InputError, match="holds results of something else: .*selection"):
        _run(made, tmp_path, epochs=5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"splits": 0}, "splits and repeats must be 1 or more, got 0 and 2"),
        ({"parts": ["all"]}, "part is one of supervised, noise, semi, got"),
        ({"learners": ["SVM"]}, "learner is one of rmlc, .*got"),
        ({"noise": [0.1, 1.5]}, "noise holds shares"),
        ({"labeled": [0.0]}, "labeled holds shares"),
        ({"variant": "flip"}, "variant is one of"),
        ({"metric": "auc"}, "no metric 'auc'"),
        ({"learning_rates": [0.0]}, "learning_rates must be above 0"),
        ({"weight_decays": [-1.0]}, "weight_decays must be 0 or more"),
        ({"scaling": ["log"]}, "'scaling' option must be one of none, max01. Got 'log'"),
        ({"validation": 1.0}, "validation is a share"),
        ({"n_labels": 1}, r"'n_labels' option must be an int in the range \[2, inf\)"),
        ({"layers": ["net/top"]}, "must be one of net/all. Got 'net/top'"),
    ],
)
def test_bad_options_are_one_line(made, tmp_path, options, message):
    with pytest.raises(InputError, match=message) as raised:
        _run(made, tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_split_without_test_rows_is_refused(made, tmp_path):
    split = _split_file(tmp_path / "split.csv", ["train"] * N)
    with pytest.raises(InputError, match="leaves 60 training and 0 test images"):
        read_ranking_task([made[1]], made[0], split=split)


def test_random_splits_are_those_of_the_other_tables(task):
    assert task.split(4).train.tolist() == random_split(N, 4).train.tolist()
