"""``tables miml`` at the optimum: along C, C selected, non-zeros a layer, parts of the layers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tables.miml.ablations import CS, KEY, fit_path_and_evaluate, layer_groups
from benchmarks.tables.miml.ablations_report import path_panels, sections
from benchmarks.tables.miml.learners import MIML_LEARNERS
from benchmarks.tables.miml.run import miml
from benchmarks.tables.reading import read_task
from classify.logistic import LogisticTagger
from classify.metrics import MIML_METRICS, example_ap
from classify.results import read_results
from features.splits import random_split
from tests.caches import write_cache, write_data
from tests.folders import results_in

ROOT = Path(__file__).parents[3]
SCENE = ("desert", "mountains", "sea", "sunset", "trees")
N, D, SPLITS = 45, 9, 2
SPANS = {"net/low": (0, 2), "net/mid": (2, 5), "net/high": (5, 9)}
PARTS = [*SPANS, "net/low to net/mid"]
FILES = ["ablations.jsonl", "miml.jsonl", "miml.md", "miml_path.png"]


def _problem():
    """Non-negative features; every image has 1 to 4 of 5 labels.

    The last label has its two positives among the training rows of the first split, and among the
    test rows of the second.
    """
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 3.0, (N, D)).astype(np.float32)
    strength = X @ rng.normal(size=(D, 5)) + 6 * rng.normal(size=(N, 5))
    Y = (strength > np.median(strength, axis=0)).astype(np.int8)
    rare = np.intersect1d(random_split(N, 0).train, random_split(N, 1).test)[:2]
    Y[:, 4] = np.isin(np.arange(N), rare)
    Y[~Y[:, :4].any(axis=1), 0] = 1
    Y[Y.all(axis=1), 1] = 0
    return X, Y


def _made(folder, spans):
    X, Y = _problem()
    data = write_data(folder / "small", [f"{row:03}.jpg" for row in range(N)], SCENE, Y)
    layers = {name: X[:, first:end] for name, (first, end) in spans.items()}
    return data, write_cache(folder / "cache", data, layers)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set with Scene's label names and its cache of three layers."""
    return _made(tmp_path_factory.mktemp("made"), SPANS)


def _run(made, out, **options):
    default = {"splits": SPLITS, "jobs": 1, "curve_sizes": [], "learners": MIML_LEARNERS[:2]}
    return miml(*made, out, **{**default, **options})


def _bytes(folder):
    return {path.name: path.read_bytes() for path in results_in(folder)}


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The files that an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole")
    _run(made, out)
    assert sorted(_bytes(out)) == FILES
    return out


@pytest.fixture(scope="module")
def lines(whole):
    return read_results(whole / "ablations.jsonl")[1]


def _pick(lines, **wanted):
    return [line for line in lines if all(line[name] == wanted[name] for name in wanted)]


def test_there_is_a_line_for_every_learner_scaling_part_split_and_C(whole, lines):
    kinds = [(learner, scale, "all") for learner in ("l1", "l2") for scale in CS]
    kinds += [(learner, "none", part) for learner in ("l1", "l2") for part in PARTS]
    cells = {(*kind, split, C) for kind in kinds for split in range(SPLITS) for C in CS[kind[1]]}
    cells |= {("l1-liblinear", "none", "all", split, 1.0) for split in range(SPLITS)}
    assert {tuple(line[name] for name in KEY) for line in lines} == cells
    assert len(lines) == len(cells)
    assert all(line["error"] is None and line["relative_gap"] is not None for line in lines)
    own, other = (read_results(whole / name)[0] for name in ("ablations.jsonl", "miml.jsonl"))
    for field in ("caches", "labels", "splits", "seeds"):
        assert own[field] == other[field]


@pytest.mark.parametrize("scale", CS)
@pytest.mark.parametrize("learner", ["l1", "l2"])
def test_one_C_a_path_is_selected_and_it_has_the_best_inner_score(lines, learner, scale):
    for split in range(SPLITS):
        path = _pick(lines, learner=learner, scaling=scale, layers="all", seed=split)
        (selected,) = _pick(path, selected=True)
        assert selected["inner"] == max(line["inner"] for line in path)


def test_the_selected_C_never_depends_on_test_rows(made):
    task = read_task([made[1]], made[0])
    test = random_split(N, 1).test
    X, Y = task.X.copy(), task.Y.copy()
    X[test], Y[test] = 1e3, 1 - Y[test]
    for learner, scale in (("l1", "none"), ("l2", "max01"), ("l2", "x57.4")):
        unit = {"learner": learner, "scaling": scale, "layers": "all", "seed": 1}
        first = fit_path_and_evaluate(unit, SPANS, task.X, task.Y)
        second = fit_path_and_evaluate(unit, SPANS, X, Y)
        for a, b in zip(first, second, strict=True):
            kept = ("C", "inner", "selected", "nonzeros", "nonzeros net/mid")
            assert [a[name] for name in kept] == [b[name] for name in kept]
        assert [a["example_ap"] for a in first] != [b["example_ap"] for b in second]


@pytest.mark.parametrize(
    ("learner", "scale", "part"),
    [("l1", "none", "net/mid"), ("l2", "none", "net/low to net/mid"), ("l1", "x57.4", "all")],
)
def test_a_line_is_a_fit_on_the_columns_and_the_scale_it_names(lines, learner, scale, part):
    X, Y = _problem()
    first, end = layer_groups(SPANS)[part]
    X = X[:, first:end] * np.float32(57.4 if scale == "x57.4" else 1)
    split = random_split(N, 1)
    for line in _pick(lines, learner=learner, scaling=scale, layers=part, seed=1)[::4]:
        tagger = LogisticTagger(learner, C=line["C"]).fit(X[split.train], Y[split.train])
        value = example_ap(Y[split.test], tagger.decision_function(X[split.test]))
        assert line["example_ap"] == pytest.approx(value, abs=0.02)


def test_non_zeros_of_the_layers_sum_to_all_of_them(lines):
    for line in _pick(lines, layers="all"):
        parts = [line[f"nonzeros {layer}"] for layer in SPANS]
        assert sum(parts) == pytest.approx(line["nonzeros"])
    assert any(0 < line["nonzeros"] < D for line in _pick(lines, learner="l1"))


def test_non_zeros_are_those_of_labels_with_both_classes(lines):
    X, Y = _problem()
    for split, n_labels in enumerate((5, 4)):
        rows = random_split(N, split).train
        both = [len(set(column)) == 2 for column in Y[rows].T]
        assert sum(both) == n_labels
        coef = LogisticTagger("l1", solver="liblinear").fit(X[rows], Y[rows]).coef_[both]
        (line,) = _pick(lines, learner="l1-liblinear", seed=split)
        for layer, (first, end) in SPANS.items():
            counts = (coef[:, first:end] != 0).sum(axis=1)
            assert line[f"nonzeros {layer}"] == pytest.approx(counts.mean())


def _sections(whole):
    """Each heading of the report and the text below it."""
    parts = ("\n" + (whole / "miml.md").read_text()).split("\n#")
    return {part.split("\n")[0].lstrip("# "): part for part in parts}


def _row(text, first_cell):
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]
    (row,) = [row for row in rows if row[0] == first_cell]
    return row


def _stated(lines, field, digits=4):
    values = [line[field] for line in lines]
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def test_the_sections_state_means_over_the_lines(whole, lines):
    sections = _sections(whole)
    path = _pick(lines, learner="l1", scaling="max01", layers="all")
    expected = [_stated(_pick(path, C=3.16), metric) for metric in MIML_METRICS]
    assert _row(sections["L1, max01"], "3.16")[1:6] == expected
    chosen = _pick(path, selected=True)
    row = _row(sections["C selected inside the training rows"], "L1, max01")
    assert row[1:6] == [_stated(chosen, metric) for metric in MIML_METRICS]
    low, high = sorted(line["C"] for line in chosen)
    assert row[6:] == [f"{low:g} ({low:g} to {high:g})", _stated(chosen, "nonzeros", 1)]
    assert "| VGG+LR, quoted" in sections["C selected inside the training rows"]


def test_the_layers_are_stated_with_their_share_and_alone(whole, lines):
    sections = _sections(whole)
    row = _row(sections["Non-zeros of L1 in each layer"], "exact, max01, C = 1")
    at_one = _pick(lines, learner="l1", scaling="max01", layers="all", C=1.0)
    count = np.mean([line["nonzeros net/mid"] for line in at_one])
    assert row[2] == f"{count:.1f} ({count / 3:.1%})"
    l1, l2 = sections["Layers alone and together"].split("| L2 ")
    for learner, text in (("l1", l1), ("l2", l2)):
        for part in [*PARTS, "all"]:
            fits = _pick(lines, learner=learner, scaling="none", layers=part)
            row = _row(text, part)
            first, end = layer_groups(SPANS)[part]
            assert row[1:3] == [str(end - first), _stated(_pick(fits, selected=True), "example_ap")]
            assert row[-1] == _stated(_pick(fits, C=1.0), "example_ap")


def test_the_picture_has_a_panel_a_scaling_and_its_references(lines):
    panels = path_panels(lines, {"max01": {"quoted": 0.7}})
    assert [panel.references for panel in panels] == [{}, {"quoted": 0.7}, {}]
    curve = panels[1].curves["L2, exact"]
    path = _pick(lines, learner="l2", scaling="max01", layers="all")
    means = [np.mean([x["example_ap"] for x in _pick(path, C=C)]) for C in CS["max01"]]
    assert curve.places == CS["max01"]
    np.testing.assert_allclose(curve.means, means)


def test_a_failed_fit_is_counted_and_its_mean_undefined(whole, lines):
    failed = [dict(line) for line in lines]
    (broken,) = _pick(failed, learner="l2", scaling="max01", layers="all", seed=0, C=10.0)
    broken.update(dict.fromkeys((*MIML_METRICS, "nonzeros"), None), error="E: diverged")
    header, _ = read_results(whole / "ablations.jsonl")
    text = sections(header, failed)
    assert f"1 of {len(lines)} fits failed, the first with: E: diverged" in text
    l2_max01 = text.split("### L2, max01")[1].split("###")[0]
    assert _row(l2_max01, "10")[1:] == ["undefined"] * 6
    assert "undefined" not in _row(l2_max01, "31.6")


def test_what_is_written_is_printed(made, whole, tmp_path, capsys):
    for path in results_in(whole):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    _run(made, tmp_path)
    assert capsys.readouterr().out == (whole / "miml.md").read_text()
    assert _bytes(tmp_path) == _bytes(whole)


def test_without_ablations_there_is_only_the_table(made, whole, tmp_path):
    _run(made, tmp_path, ablations=False)
    assert sorted(_bytes(tmp_path)) == ["miml.jsonl", "miml.md"]
    assert (whole / "miml.md").read_text().startswith((tmp_path / "miml.md").read_text())


def test_one_layer_has_no_parts(tmp_path):
    made = _made(tmp_path, {"net/only": (0, D)})
    _run(made, tmp_path / "out", splits=1)
    _, lines = read_results(tmp_path / "out" / "ablations.jsonl")
    assert {line["layers"] for line in lines} == {"all"}
    assert all(line["nonzeros net/only"] == line["nonzeros"] for line in lines)
    assert "alone and together" not in (tmp_path / "out" / "miml.md").read_text()


CODE = """
import sys
from pathlib import Path
from benchmarks.tables.miml.learners import MIML_LEARNERS
from benchmarks.tables.miml.run import miml
data, cache, out = map(Path, sys.argv[1:])
miml(data, cache, out, splits=SPLITS, jobs=1, curve_sizes=[], learners=MIML_LEARNERS[:2])
""".replace("SPLITS", str(SPLITS))


@pytest.mark.slow  # the table itself is killed in `test_miml`, and grids in `test_parallel`
def test_a_killed_run_goes_on_in_more_processes_and_leaves_the_same_files(made, whole, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, made), str(tmp_path)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    blocks = tmp_path / "ablations.jsonl"
    while process.poll() is None and _count(blocks) < 30:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 30 <= _count(blocks) <= _count(whole / "ablations.jsonl")
    _run(made, tmp_path, jobs=2)
    assert _bytes(tmp_path) == _bytes(whole)


def _count(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0
