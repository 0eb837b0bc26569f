"""Sweeps of odd options, of fits that fail, on full disks, with killed workers, closed streams."""

import errno
import multiprocessing
import os
import sys

import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from classify.__main__ import main
from classify.learners import LEARNERS, Learner
from classify.results import ResultFile, read_results
from classify.sweep import parse_C, sweep
from features.cache import FeatureCache
from features.command_line import run_command
from features.errors import InputError
from tests.caches import SMALL_SWEEP, write_labeled_cache

# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "The 'seed' option must be an int in the range [0, "),
        (["--jobs", "0"], "The 'jobs' option must be an int in the range [1, "),
        (["--jobs", "-2"], "The 'jobs' option must be an int in the range [1, "),
        (["--splits", "0"], "The 'splits' option must be an int in the range [1, "),
        (["--folds", "1"], "The 'folds' option must be an int in the range [2, "),
        (["--folds", "17"], "17 folds need as many rows, and "),
        (["--C", "nan"], "The 'C' option must be a float in the range (0, inf). Got nan"),
        (["--C", "1:inf:3"], "The 'C' option must be a float in the range (0, inf). Got inf"),
        (["--C", "0:1:3"], "The 'C' option must be a float in the range (0, inf). Got 0.0"),
        (["--C=-1:1:3"], "The 'C' option must be a float in the range (0, inf). Got -1.0"),
        (["--C", "1:2:0"], "The 'COUNT of C' option must be an int in the range [1, 10000]. Got 0"),
        (["--C", "1:2:99999999999"], "must be an int in the range [1, 10000]. Got 99999999999"),
        (["--C", "1:2:3.5"], "The 'C' option must be LOW:HIGH:COUNT"),
        (["--C", ""], "The 'C' option must be LOW:HIGH:COUNT"),
        (["--C", "²"], "The 'C' option must be LOW:HIGH:COUNT"),
        (
            ["--splits", "²"],
            "The 'splits' option must be an int in the range [1, 2147483647]. Got '²'",
        ),
        (["--dask", "nowhere"], "nowhere"),
        (["--layers", "net/none"], "must be one of net/fc. Got 'net/none'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_odd_options_are_one_line_and_leave_no_file(labeled, tmp_path, capsys, options, message):
    out = tmp_path / "s.jsonl"
    with pytest.raises(SystemExit) as left:
        run_command(lambda: main(["sweep", str(labeled), "--out", str(out), *options]))
    error = capsys.readouterr().err
    assert left.value.code == 1 and error.startswith("error: ") and message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_range_of_one_value_and_twice_the_same_learner(labeled, tmp_path):
    assert parse_C("2:8:1") == [2.0] and parse_C("8:2:2") == [8.0, 2.0]
    options = {**SMALL_SWEEP, "learner": ["l2", "l2"], "scaling": ["none", "none"], "C": [1.0, 1.0]}
    _, lines = read_results(sweep(labeled, tmp_path / "s.jsonl", **options))
    assert len(lines) == 2


# Fits that fail


class Diverging:
    """Its weights are NaN from C = 1 on."""

    def __init__(self, C):
        self.C = C

    def fit(self, X, Y):
        self.coef_ = np.full((Y.shape[1], X.shape[1]), np.nan if self.C >= 1 else 0.5)
        return self

    def decision_function(self, X):
        return X @ self.coef_.T


def test_a_fit_of_NaN_is_a_failed_line_and_the_exit_code_says_so(
    labeled, tmp_path, monkeypatch, capsys
):
    record = Learner("l2", "NaN from C = 1 on", f"{__name__}:Diverging")
    monkeypatch.setitem(LEARNERS, "l2", record)
    out = tmp_path / "s.jsonl"
    words = ["sweep", str(labeled), "--out", str(out), "--learner", "l2", "l1", "--C", "0.1,1"]
    words += ["--splits", "2", "--folds", "2", "--jobs", "1"]
    assert main(words) == 1
    _, lines = read_results(out)
    assert len(lines) == 8
    for line in lines:
        failed = line["learner"] == "l2" and line["C"] == 1
        assert (line["error"] is not None) == failed
        assert (line["inner"] is None) == failed
    assert sum(line["selected"] for line in lines) == 4
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: 2 of 8 fits failed; the first: learner l2, scaling none, split ")
    assert said.endswith("scores are not finite")
    assert main(words) == 1  # nothing is left to run, and the failed lines are told again


@pytest.mark.filterwarnings("ignore")  # of values that overflow
def test_features_that_no_fit_survives_end_no_sweep(labeled, tmp_path):
    X = FeatureCache(labeled).read() * 1e30
    folder = write_labeled_cache(tmp_path / "cache", labeled.parent / "data", {"net/fc": X})
    path = sweep(folder, tmp_path / "s.jsonl", **{**SMALL_SWEEP, "scaling": ["none", "max"]})
    _, lines = read_results(path)
    assert {line["scaling"] for line in lines if line["error"] is None} >= {"max"}
    for line in lines:
        assert (line["error"] is None) == (line["inner"] is not None)


# Stops


def test_a_full_disk_is_named_and_keeps_whole_lines(labeled, swept, tmp_path, monkeypatch):
    path, write, count = tmp_path / "s.jsonl", os.write, 0

    def full(descriptor, data):
        nonlocal count
        count += 1
        if count > 1:
            write(descriptor, bytes(data)[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr("classify.results.os.write", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*s.jsonl'"):
            sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == b"".join(swept.splitlines(keepends=True)[:2])
    sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept


def test_a_killed_worker_is_one_line(labeled, tmp_path, monkeypatch):
    class Killed:
        def __init__(self, **options):
            pass

        def __call__(self, tasks):
            raise TerminatedWorkerError("A worker process managed by the executor was killed")
            yield

    monkeypatch.setattr("classify.parallel.Parallel", Killed)
    with pytest.raises(InputError, match="a process of --jobs 1 was killed, most likely because"):
        sweep(labeled, tmp_path / "s.jsonl", **SMALL_SWEEP)
    header, lines = read_results(tmp_path / "s.jsonl")
    assert header["folds"] == 2 and lines == []


def create_at_once(path, barrier, results):
    barrier.wait()
    try:
        with ResultFile(path, key=("split",), header={"seed": 0}) as file:
            file.append({"split": 0})
            results.put("")
            barrier.wait()
            file.finish()
    except InputError as error:
        results.put(str(error))
        barrier.wait()


def test_of_two_creations_at_once_the_second_gets_one_line(tmp_path):
    context = multiprocessing.get_context("fork")
    for number in range(3):
        path = tmp_path / f"{number}.jsonl"
        barrier, results = context.Barrier(2), context.SimpleQueue()
        children = [
            context.Process(target=create_at_once, args=(path, barrier, results)) for _ in range(2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
        said = sorted([results.get(), results.get()])
        assert said[0] == "" and "is being written by another run" in said[1]
        assert read_results(path)[1] == [{"split": 0}]


def sweep_in_ascii(words, closed, told):
    """Be a sweep whose stdout or stderr is closed, and whose other one takes ASCII only."""
    kept = 3 - closed
    goes_to = os.open(told if kept == 2 else "/dev/full", os.O_WRONLY | os.O_CREAT)
    os.dup2(goes_to, kept)
    os.close(closed)
    stream = open(kept, "w", encoding="ascii", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (None, stream) if closed == 1 else (stream, None)
    run_command(lambda: main(words))


@pytest.mark.parametrize("closed", [1, 2])
def test_ascii_output_and_closed_streams_are_no_traceback(labeled, tmp_path, closed):
    out, told = tmp_path / "s.jsonl", tmp_path / "stderr"
    words = ["sweep", str(labeled), "--learner", "l2", "--C", "1", "--splits", "2", "--jobs", "1"]
    arguments = ([*words, "--out", str(out)], closed, told)
    child = multiprocessing.get_context("fork").Process(target=sweep_in_ascii, args=arguments)
    child.start()
    child.join()
    assert child.exitcode == closed - 1  # nobody reads stdout: no error; it is full: one
    assert "Traceback" not in (told.read_text() if told.exists() else "")
    assert len(read_results(out)[1]) == 2
