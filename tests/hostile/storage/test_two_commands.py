"""Two commands that are to write one file: the second is told at its start, before any work."""

import numpy as np
import pytest

from classify.__main__ import main
from classify.predictions import predict
from classify.training import fit
from features.annotations import index
from features.command_line import run_command
from features.errors import InputError
from features.files.locks import holding_names, locked_name
from features.files.ownership import begins, claim
from tests.annotation_samples import write_files
from tests.caches import halved_problem, write_problem
from tests.folders import results_in


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache, and a model of it."""
    folder = tmp_path_factory.mktemp("made")
    X, Y = halved_problem(40)
    cache = write_problem(folder, ["a", "b", "c"], Y, {"x": X})
    fit(cache, folder / "m.safetensors", learner="l2")
    return cache, folder / "m.safetensors"


COMMANDS = {
    "fit": ("m.safetensors", ["fit", "CACHE", "--learner", "l2"]),
    "predict": ("p.csv", ["predict", "MODEL", "CACHE"]),
    "sweep": ("s.jsonl", ["sweep", "CACHE", "--learner", "l2", "--splits", "1", "--jobs", "1"]),
    "audit": ("a.jsonl", ["audit", "CACHE", "--jobs", "1"]),
    "neighbors": ("n.csv", ["neighbors", "CACHE", "--row", "1"]),
    "suggest": ("u.csv", ["suggest", "CACHE", "--model", "MODEL", "--all"]),
}


def run(name, made, out, capsys):
    cache, model = made
    _, words = COMMANDS[name]
    given = {"CACHE": str(cache), "MODEL": str(model)}
    argv = [*(given.get(word, word) for word in words), "--out", str(out)]
    with pytest.raises(SystemExit) as left:
        run_command(lambda: main(argv))
    return left.value.code, capsys.readouterr().err.splitlines()[-1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_command_gets_one_line_at_its_start(made, tmp_path, name, capsys):
    out = tmp_path / COMMANDS[name][0]
    with locked_name(out):
        code, (line,) = run(name, made, out, capsys)
        assert code == 1 and line.startswith(f"error: {out} is being written by another run")
        assert not out.exists()
    assert run(name, made, out, capsys)[0] == 0  # the lock ended with the first
    assert [path.name for path in results_in(tmp_path)] == [out.name]
    assert run(name, made, out, capsys)[0] == 0  # and its own with the command


def test_a_command_that_fails_leaves_no_lock(tmp_path, capsys):
    def fail():
        claim(tmp_path / "x.csv", begins(b"x"), what="a file")
        raise InputError("as it happens")

    with pytest.raises(SystemExit):
        run_command(fail)
    assert not list(tmp_path.iterdir()) and "as it happens" in capsys.readouterr().err


def test_one_command_may_claim_a_name_again_and_a_library_call_locks_nothing(tmp_path):
    path = tmp_path / "x.csv"
    with holding_names():
        for _ in range(2):
            assert claim(path, begins(b"x"), what="a file") == path
        with pytest.raises(InputError, match="is being written by another run"):
            locked_name(path).__enter__()
    claim(path, begins(b"x"), what="a file")
    assert not list(tmp_path.iterdir())


def test_a_file_that_came_while_predictions_were_made_stays(made, tmp_path, monkeypatch):
    cache, model = made
    out = tmp_path / "p.csv"

    def scores(self, features):
        out.write_text("mine")
        yield np.arange(2), np.zeros((2, 3))

    monkeypatch.setattr("classify.models.TaggerModel.predict", scores)
    with pytest.raises(InputError, match="p.csv is not what would be written now and carries no"):
        predict(model, cache, out)
    assert out.read_text() == "mine"
    assert [path.name for path in results_in(tmp_path)] == ["p-1.csv", "p.csv"]


def test_labels_that_came_while_annotations_were_read_stay(tmp_path, monkeypatch):
    source = write_files(tmp_path, {"images/a.jpg": "a", "l.csv": "image,cat\na.jpg,1\n"}) / "l.csv"
    mine, real = tmp_path / "out" / "labels.csv", index.make_folder

    def slow(folder):
        real(folder)
        mine.write_text("mine")

    monkeypatch.setattr(index, "make_folder", slow)
    with pytest.raises(InputError, match="labels.csv exists already. Move it away or"):
        index.index_annotations("auto", source, tmp_path / "images", tmp_path / "out")
    assert mine.read_text() == "mine"
    monkeypatch.setattr(index, "make_folder", real)
    other = tmp_path / "other"
    other.mkdir()
    with (
        locked_name(other / "labels.csv"),
        pytest.raises(InputError, match="labels.csv is being written by another run"),
    ):
        index.index_annotations("auto", source, tmp_path / "images", other)
    assert len(index.index_annotations("auto", source, tmp_path / "images", other)) == 1
