"""A grid that is stopped at any write to the disk, and run again, leaves the same file."""

import os

import pytest

from classify.parallel import run_grid
from classify.results import ResultFile
from features.errors import InputError

KEY = ("learner", "split", "C")
TRIALS = [{"learner": name, "split": split} for split in (1, 0) for name in ("b", "a")]


class Stopped(BaseException):
    """No handler of errors catches it."""


def lines_of(trial):
    """Two lines per trial, as a sweep along C has them."""
    return [{**trial, "C": C, "score": C / (trial["split"] + 3)} for C in (1.0, 10.0)]


def line_of(trial):
    """The values of a trial's one line, as a table of single fits has them."""
    return {"score": 1 / (trial["split"] + 3)}


def several(trial):
    return [{**trial, "C": C} for C in (1.0, 10.0)]


SHAPES = {
    "a line per trial": (line_of, [{**trial, "C": 1.0} for trial in TRIALS], lambda one: [one]),
    "several": (lines_of, TRIALS, several),
    "one trial, no C": (line_of, [{**trial, "C": None} for trial in TRIALS[:1]], lambda one: [one]),
}


def run(path, work, trials, expected):
    with ResultFile(path, key=KEY, header={"seed": 0}) as results:
        run_grid(work, trials, results, expected=expected, jobs=1)
        results.finish()


def count_calls(monkeypatch, run_once, at=None, after=False):
    """Run with a count of all fsyncs, links and renames; stop before or after number `at`."""
    calls = 0

    def counted(function):
        def call(*arguments):
            nonlocal calls
            calls += 1
            if calls == at and not after:
                raise Stopped
            function(*arguments)
            if calls == at:
                raise Stopped

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "replace"):
            patch.setattr(os, name, counted(getattr(os, name)))
        run_once()
    return calls


@pytest.mark.parametrize("shape", SHAPES)
def test_stopped_at_any_write_a_grid_ends_with_the_same_bytes(tmp_path, monkeypatch, shape):
    whole = tmp_path / "whole.jsonl"
    steps = count_calls(monkeypatch, lambda: run(whole, *SHAPES[shape]))
    _, trials, expected = SHAPES[shape]
    # Header and finish: file, name and folder each; between them one fsync per line.
    assert steps == 6 + sum(len(expected(trial)) for trial in trials)
    for at in range(1, steps + 1):
        for after in (False, True):
            path = tmp_path / f"{at}-{after}.jsonl"
            with pytest.raises(Stopped):
                count_calls(monkeypatch, lambda p=path: run(p, *SHAPES[shape]), at, after)
            run(path, *SHAPES[shape])
            assert path.read_bytes() == whole.read_bytes(), (at, after)


def test_a_trial_is_run_again_only_where_a_line_is_missing(tmp_path):
    ran = []

    def work(trial):
        ran.append(trial)
        return lines_of(trial)

    path = tmp_path / "r.jsonl"
    with ResultFile(path, key=KEY, header={"seed": 0}) as results:
        for line in [*lines_of(TRIALS[0]), lines_of(TRIALS[1])[0]]:
            results.append(line)
        run_grid(work, TRIALS, results, expected=several, jobs=1)
        assert ran == TRIALS[1:]
        assert len(results.lines) == 2 * len(TRIALS)


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_processes_that_is_none(tmp_path, jobs):
    with ResultFile(tmp_path / "r.jsonl", key=KEY, header={"seed": 0}) as results:
        with pytest.raises(InputError, match=f"jobs.*Got {jobs}"):
            run_grid(line_of, TRIALS, results, jobs=jobs)
        assert not results.lines
