"""``speed sweep`` on tiny data: who is listed, that objectives are recomputed, how it grows."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from benchmarks.speed import workers
from benchmarks.speed.sweep import run
from benchmarks.speed.sweep.comparison import Comparison, evaluate
from benchmarks.speed.sweep.comparison_report import ahead, comparison_targets
from benchmarks.speed.sweep.data import Task, first_task, second_task, usable
from benchmarks.speed.sweep.peers import OURS, PEERS, REFERENCE, find_peer
from benchmarks.speed.sweep.plan import QUICK
from benchmarks.speed.sweep.points import Found, Point, Timings
from benchmarks.speed.sweep.report import page
from benchmarks.speed.sweep.run import speed_sweep
from benchmarks.speed.sweep.scaling import Generator, write_cache
from benchmarks.speed.sweep.solver import FitResult, Solver
from benchmarks.stored import read_stored, store
from features.cache import FeatureCache
from features.errors import InputError
from tests import children
from tests.fake_solvers import ROWS

COLUMNS, LABELS = 8, 4


def _name(peer):
    return f"tests.fake_solvers:{peer}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "tiny.cache"
    write_cache(folder, ROWS, COLUMNS, LABELS, shard_rows=32)
    return folder


@pytest.fixture
def task(tmp_path):
    X, Y = Generator(COLUMNS, LABELS).rows(ROWS)
    return Task.make("made up", tmp_path / "task", X, Y)


@pytest.fixture(scope="module")
def report(made, tmp_path_factory):
    """A whole quick run: its text, its folder, and its rows by section and solver."""
    out = tmp_path_factory.mktemp("out")
    solvers = [OURS, REFERENCE, _name("zeros"), _name("missing")]
    # A forked process holds torch, which counts.
    plan = replace(QUICK, sizes=replace(QUICK.sizes, limit_mb=4000))
    with pytest.MonkeyPatch.context() as patch, children.stand_in_for_subprocess(workers):
        patch.setattr(run, "QUICK", plan)
        text = speed_sweep(
            made, out / "sweep.md", solvers=solvers, threads=[1], rounds=2, quick=True
        )
    return text, out


def _section(text, title):
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def _cells(text, first):
    lines = [line for line in text.splitlines() if line.startswith(f"| {first}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_section_has_its_table_and_its_targets(report):
    text, out = report
    assert (out / "sweep.md").read_text() == text
    for title in ("L1, one C", "L1, a path of C", "L2, one C", "L2, a path of C"):
        section = _section(text, title)
        tables = [line for line in section.splitlines() if line.startswith("|:--")]
        assert len(tables) == 2
        assert "asked |" in section and "verdict |" in section
    sweep = _section(text, "The whole sweep")
    assert "2 splits x 3 values of C; 1 thread" in sweep
    assert sweep.count("scaled from 1 label of a split") == 4
    assert sweep.count("at least 20 x") == 2
    scaling = _section(text, "Scaling")
    assert [row[0] for row in _cells(scaling, "l1")][:4] == [
        "l1, labels",
        "l1, columns",
        "l1, splits",
        "l1, rows",
    ]
    assert "not larger, at these sizes, than the 4,000 MiB" in scaling


def test_stored_lines_give_the_page(report, tmp_path):
    text, out = report
    stored = read_stored(store(out / "sweep.jsonl", "speed/x", {}, folder=tmp_path))
    assert page(stored.header, stored.lines) == text
    assert {line["round"] for line in stored.lines if line["part"] == "path"} == {0, 1}


def test_the_curves_have_pictures(report):
    for penalty in ("l1", "l2"):
        assert (report[1] / f"sweep-{penalty}.png").read_bytes()[1:4] == b"PNG"


def test_an_absent_peer_is_listed_with_the_reason(report):
    for title in ("L1, one C", "L2, one C"):
        section = _section(report[0], title)
        assert f"- {_name('missing')} is absent: ImportError: no such library\n" in section
        assert not _cells(section, _name("missing"))


def test_the_harness_finds_a_wrong_objective(report, made, tmp_path):
    _, task = first_task(made, tmp_path)
    section = _section(report[0], "L1, one C")
    default, within = _cells(section, _name("zeros"))
    true = (len(task.X) * np.log(2) / task.optimum("l1", 1.0)).max()
    assert float(default[6]) == pytest.approx(true, abs=1e-6)
    assert true > 1.01
    assert within[1] == "within 0.001: no"
    assert f"- {_name('zeros')}: nearest {true:.6g} x the optimum" in section


def test_a_row_says_what_was_reached(report):
    ours = _cells(_section(report[0], "L1, one C"), OURS)
    assert [row[1].split(" (")[0] for row in ours[:2]] == ["default", "within 0.001"]
    for row in ours[:2]:
        assert row[2] == f"{LABELS} of {LABELS}"
        assert float(row[3]) * LABELS == pytest.approx(float(row[4]), abs=1e-3)
        assert 1 - 1e-6 <= float(row[6]) <= 1.001
        assert 0 < float(row[8]) <= COLUMNS and float(row[9]) > 0


def test_the_optimum_is_that_of_a_general_minimizer(task):
    rows = np.column_stack([task.X, np.ones(ROWS)]).astype(float)
    for label, expected in enumerate(task.optimum("l2", 2.0)):
        signs = np.where(task.Y[:, label] == 1, 1.0, -1.0)

        def objective(w, signs=signs):
            return w @ w / 2 + 2 * np.logaddexp(0, -signs * (rows @ w)).sum()

        found = minimize(objective, np.zeros(COLUMNS + 1), method="BFGS", options={"gtol": 1e-7})
        assert found.fun == pytest.approx(expected, rel=1e-6)


def _save_weights(name, penalty, X, Y, path):
    peer = PEERS[name]
    [weights] = peer.build(X, penalty)(Y, [0.5], peer.levels[penalty][-1])
    np.save(path, weights)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_minimizes_the_same_objective(task, name, penalty, tmp_path):
    """In a process of its own: a peer built with -ffast-math changes floats wherever it loads."""
    if penalty not in PEERS[name].levels:
        pytest.skip(f"{name} has no {penalty}")
    given = name, penalty, np.array(task.X), np.array(task.Y), tmp_path / "weights.npy"
    done = children.run(_save_weights, *given, cwd=tmp_path)
    if "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("the extra `peers` is not installed")
    assert done.returncode == 0, done.stderr
    weights = np.load(tmp_path / "weights.npy")
    ratio, gap, _ = evaluate(task, weights, range(task.Y.shape[1]), penalty, 0.5)
    assert weights.shape == (task.Y.shape[1], COLUMNS + 1)
    assert 1 - 1e-6 <= ratio <= 1.001 and gap < 0.01


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_cumls_interface_is_met(task, penalty, monkeypatch):
    """Without a GPU: scikit-learn stands in for it, with the options that its pages list."""

    def stand_in(*, penalty, C, fit_intercept, tol, max_iter, output_type):
        assert output_type == "numpy"
        is_new = LogisticRegression().get_params()["penalty"] == "deprecated"
        norm = {"l1_ratio": float(penalty == "l1")} if is_new else {"penalty": penalty}
        options = {"C": C, "fit_intercept": fit_intercept, "tol": tol, "max_iter": max_iter}
        return LogisticRegression(solver="saga", random_state=0, **options, **norm)

    linear_model = SimpleNamespace(LogisticRegression=stand_in)
    for name, module in (
        ("cupy", np),
        ("cuml", SimpleNamespace(linear_model=linear_model)),
        ("cuml.linear_model", linear_model),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    labels, peer = range(2), PEERS["cuML"]
    [weights] = peer.build(task.X, penalty)(task.Y[:, :2], [0.5], peer.levels[penalty][-1])
    ratio, gap, _ = evaluate(task, weights, labels, penalty, 0.5)
    assert weights.shape == (2, COLUMNS + 1)
    assert 1 - 1e-6 <= ratio <= 1.001 and gap < 0.01


def test_labels_are_distributed_and_come_back_in_order(task):
    labels = [3, 0, 2]
    turn = {"penalty": "l2", "Cs": [1.0, 3.0], "level": None, "labels": labels}
    with Solver(REFERENCE, task.folder, 2, penalties=["l2"]) as pair:
        weights = pair.fit(**turn).weights
    [*alone] = PEERS[REFERENCE].build(task.X, "l2")(task.Y[:, labels], [1.0, 3.0], None)
    assert np.allclose(weights, alone)


def test_a_late_solver_is_ended_and_may_start_again(task):
    turn = {"penalty": "l1", "Cs": [1.0], "level": None, "labels": [0]}
    with Solver(_name("slow"), task.folder, 1) as solver:
        assert solver.fit(**turn, limit=0.2) == "over 0.2 s"
        assert isinstance(solver.fit(**turn, rows=20, limit=20), FitResult)


def test_a_setting_that_fails_is_a_note(task):
    with Solver(_name("failing"), task.folder, 1) as solver:
        found = Comparison(task, "l1", 1.0, (1e-3,), 1e-6)
        found.explore([solver], limit=1.0)
    one = found.timings[_name("failing")]
    assert one.notes == {0.1: "ValueError: can't go"}
    assert [point.level for point in one.points] == [None]


def test_weights_that_are_no_numbers_are_a_note(task):
    with Solver(_name("diverging"), task.folder, 1) as solver:
        found = Comparison(task, "l2", 1.0, (1e-3,), 1e-6)
        found.explore([solver], limit=1.0)
    assert [line["failed"] for line in found.lines()] == ["weights that are no finite numbers"] * 2


def test_memory_is_limited_and_the_cache_is_not_part_of_it(made):
    turn = {"penalty": "l1", "Cs": [1.0], "labels": [0]}
    with Solver(_name("greedy"), made, 1, limit_mb=512) as solver:
        assert isinstance(solver.fit(**turn, level=None), FitResult)
        assert solver.fit(**turn, level=0.1).startswith(("MemoryError", "_ArrayMemoryError"))
    assert (np.load(made / "X.npy") == FeatureCache(made).read()).all()


def _lane(*points):
    made = [Point(level, 1, 1, ratio, 0.0, 1, 1, [time]) for level, ratio, time in points]
    return Timings(made, knob="tol")


def test_targets_compare_equal_objectives():
    timings = {
        OURS: _lane((None, 1.0, 2.0), (0.1, 1.0005, 1.0)),
        REFERENCE: _lane((None, 1.05, 6.0), (1e-5, 1.0009, 20.0), (1e-6, 1.0, 30.0)),
        "celer": _lane((None, 1.02, 0.5), (0.1, 99.0, 0.1)),
    }
    found = Found("made up", "l1", 1, (45, 8, 1), 50.0, timings)
    equal, default = comparison_targets(found, 10, default_factor=7)
    assert (equal.measured, equal.met) == ("20.0 x", True)
    assert (default.measured, default.met) == ("6.0 x", False)
    assert ahead(found)[2:] == ("0.50 x, celer at default", False)
    del timings["celer"]
    assert ahead(found)[2:] == ("6.00 x, liblinear-official at default", True)
    del timings[OURS]
    assert [target.met for target in (*comparison_targets(found, 10), ahead(found))] == [None, None]


def test_labels_that_cannot_be_fitted_are_left_out(tmp_path):
    Y = np.array([[0, 1, 1, -1], [1, 1, 0, 1], [1, 1, 0, 0]], dtype=np.int8)
    assert usable(Y).tolist() == [0, 2]
    task = Task.make("three rows", tmp_path / "task", np.eye(3, dtype=np.float32), Y)
    assert task.Y.tolist() == [[1, 0], [0, 1], [0, 1]]  # the rarer one first
    with pytest.raises(InputError, match="no label with both classes among 3 rows"):
        Task.make("constant", tmp_path / "none", np.eye(3, dtype=np.float32), Y[:, 1:2])


def test_the_second_cache_brings_its_split(made, tmp_path):
    ids, truth = FeatureCache(made).ids, FeatureCache(made).labels
    parts = ["train"] * 30 + ["test"] * (ROWS - 30)
    split = tmp_path / "split.csv"
    lines = [f"{id_},{part}\n" for id_, part in zip(ids, parts, strict=True)]
    split.write_text("image,split\n" + "".join(lines))
    task = second_task(made, split, 260, tmp_path)
    both = (truth[:30] == 1).any(axis=0) & (truth[30:] == 1).any(axis=0)
    assert task.X.shape == (30, COLUMNS) and task.Y.shape[1] == both.sum()
    assert second_task(made, split, 1, tmp_path / "one").Y.shape == (30, 1)
    with pytest.raises(InputError, match="--corel needs --corel-split"):
        second_task(made, None, 260, tmp_path)


def test_unknown_solvers_are_refused():
    for name in ("vowpal", "benchmarks.speed.sweep.peers:nothing", "no.such.module:peer"):
        with pytest.raises(InputError, match="module:attribute or one of this project, liblinear"):
            find_peer(name)


def test_made_up_rows_go_on_from_block_to_block():
    made_up = Generator(COLUMNS, LABELS, seed=3)
    (X, Y), (more_X, more_Y) = made_up.rows(400), made_up.rows(400)
    assert (X >= 0).all() and not (more_X == X).all()
    assert (Y.mean(axis=0) == 0.1).all()  # the thresholds are those of the first block
    assert ((more_Y.mean(axis=0) > 0.03) & (more_Y.mean(axis=0) < 0.25)).all()
    assert (Generator(COLUMNS, LABELS, seed=3).rows(400)[0] == X).all()
