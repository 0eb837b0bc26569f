"""``speed miml``: its loops agree with the library, and its page follows from the lines."""

import json

import numpy as np
import pytest

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.speed.miml.reference import loop_distances
from benchmarks.speed.miml.report import METHODS, page
from benchmarks.speed.miml.run import speed_miml
from benchmarks.speed.miml.work import epoch_lines, synthetic_bags
from benchmarks.stored import read_stored, store
from classify.miml import selection
from classify.miml.distances import bag_distances
from features.errors import InputError

GRIDS = dict(selection.GRIDS)
HEADER = {"machine": "a machine", "distances": "5 bags", "tuning": "few bags"}


def lines_of(**changes):
    """Lines that meet every target exactly, but for the changed CPU seconds."""
    seconds = {
        "distances distances": 3.0,
        "distances products": 2.0,
        "distances loop": 600.0,
        "epoch epoch": 1.0,
        "epoch loop": 20.0,
        **{f"tuning {name}": 10.0 for name in METHODS},
        **changes,
    }
    more = {"pairs": 10, "error": 0.0, "peak_mb": 1.0, "instances_mb": 2.0}
    more |= {"example_ap": 0.5, "settings": "{}"}
    keys = [(*name.split(" "), value) for name, value in seconds.items() if value is not None]
    return [
        {"part": part, "what": what, "round": 0, "cpu_seconds": value, "seconds": value, **more}
        for part, what, value in keys
    ]


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, ""),
        ({"distances products": 1.9}, "Hausdorff distances over the matrix products"),
        ({"distances loop": 590.0}, "Hausdorff distances over the loop"),
        ({"epoch loop": 19.0}, "MIMLfast over the loop"),
        ({"tuning DBA": 11.0}, "CPU seconds of all six methods"),
    ],
)
def test_a_verdict_follows_from_the_lines(changes, failing):
    text = page(HEADER, lines_of(**changes))
    failed = [line for line in text.splitlines() if FAILS in line]
    assert len(failed) == bool(failing) and all(failing in line for line in failed)
    assert text.count(f" {HOLDS} ") == 6 - len(failed)


def test_what_was_not_measured_is_not_shown():
    text = page(HEADER, [one for one in lines_of() if one["part"] == "epoch"])
    assert text.count(NOT_SHOWN) == 4 and text.count(f" {HOLDS} ") == 2
    text = page(HEADER, lines_of(**{"tuning DBA": None}))
    assert [NOT_SHOWN in line for line in text.splitlines()].count(True) == 1


def test_loops_agree_with_the_library():
    bags = synthetic_bags(6, 4, 5).bags
    np.testing.assert_allclose(loop_distances(bags), bag_distances(bags), rtol=1e-5, atol=1e-6)
    ours, theirs = epoch_lines(synthetic_bags(20, 3, 4, labels=3), 1, 20)
    assert theirs["error"] < 1e-12 and ours["pairs"] == theirs["pairs"] > 20


def test_the_command_writes_lines_that_give_its_page(tmp_path, monkeypatch, capsys):
    few = {name: ({key: one[key][:1] for key in one},) for name, (one, *_) in GRIDS.items()}
    monkeypatch.setattr(selection, "GRIDS", few)
    out = tmp_path / "miml.md"
    speed_miml(out, count=10, size=3, width=4, rounds=1, loop_bags=4, epoch_bags=20)
    assert capsys.readouterr().out == out.read_text()
    stored = read_stored(store(out.with_suffix(".jsonl"), "speed/x", {}, folder=tmp_path))
    assert page(stored.header, stored.lines) == out.read_text()
    assert {"command", "date", "machine", "seconds"} <= set(stored.run)
    assert set(METHODS) == {line["what"] for line in stored.lines if line["part"] == "tuning"}
    errors = [line["error"] for line in stored.lines if "error" in line]
    assert len(errors) == 3 and max(errors) < 1e-5
    assert json.loads(out.with_suffix(".jsonl").read_text().splitlines()[0])["run"]["date"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1}, "count"),
        ({"rounds": 0}, "rounds"),
        ({"count": 5, "loop_bags": 6}, "loop_bags"),
        ({"out": "page.txt"}, r"must end in \.md"),
        ({"bags": "none.mat"}, "is no file"),
    ],
)
def test_bad_options_are_refused(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        speed_miml(**options)
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "a.md").write_text("mine\n")
    with pytest.raises(InputError, match="left as it is"):
        speed_miml(tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == "mine\n"
    (tmp_path / "b.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="left as it is"):
        speed_miml(tmp_path / "b.md")
    assert (tmp_path / "b.jsonl").read_text() == "{}\n"
