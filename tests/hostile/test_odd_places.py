"""Links that lead in a circle, pipes in a folder of ours, and names that a terminal would obey."""

import os
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.report.markdown import plain, table
from classify.__main__ import COMMANDS as CLASSIFY
from classify.audit.command import run_audit
from classify.finetune.checkpoint import load_checkpoint, save_checkpoint, story_of
from classify.finetune.config import CONFIG, read_run
from classify.finetune.log import Log
from classify.model_files import load_model
from classify.predictions import predict
from classify.training import fit
from extract.weights import load_weights
from features.__main__ import COMMANDS as FEATURES
from features.cache import FeatureCache
from features.command_line import parse, run_command
from features.commands.export import export
from features.commands.options import run_info, run_merge, run_verify
from features.commands.verify import find_faults
from features.errors import InputError, printable
from features.files.ownership import require_own_folder
from tests.caches import write_data, write_labeled_cache
from tests.features.test_cache import make_cache
from tests.tiny_backbone import TINY

NAMES = ["a\u202egpj.exe", "b\x9b2J", "c\u200b"]


def put(path, kind):
    """Put a link to itself, a pipe or a link to nothing in a file's place."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if kind == "circle" else "nothing")


KINDS = {
    "circle": r"can't be read now \(Too many levels of symbolic links\)|Too many levels",
    "pipe": "a named pipe, a socket or a device",
    "dangling": "is missing|No such file",
}


@pytest.mark.parametrize(("kind", "message"), KINDS.items(), ids=KINDS)
@pytest.mark.parametrize("name", ["manifest.json", "index.csv", "labels.csv"])
def test_a_file_of_a_cache_that_is_none(tmp_path, name, kind, message):
    cache = make_cache(tmp_path)
    put(cache / name, kind)
    with pytest.raises((InputError, OSError), match=message) as caught:
        opened = FeatureCache(cache)
        assert opened.ids and opened.labels is None
    assert name in str(caught.value)


def test_a_view_that_has_no_end_is_a_fault(tmp_path):
    cache = make_cache(tmp_path)
    put(cache / "features.h5", "pipe")
    assert any("features.h5" in fault for fault in find_faults(cache))


@pytest.mark.parametrize(("kind", "message"), KINDS.items(), ids=KINDS)
def test_settings_of_a_run_that_are_no_file(tmp_path, kind, message):
    put(tmp_path / CONFIG, kind)
    require_own_folder(tmp_path, CONFIG, what="run folder")  # the mark is there
    with pytest.raises(InputError, match=message):
        read_run(tmp_path)


def test_a_checkpoint_or_log_that_has_no_end(tmp_path):
    put(tmp_path / "model.safetensors", "pipe")
    with pytest.raises(InputError, match="is a named pipe, a socket or a device, no checkpoint"):
        load_checkpoint(tmp_path / "model.safetensors")
    put(tmp_path / "log.jsonl", "pipe")
    with pytest.raises(InputError, match="log.jsonl is a named pipe"):
        Log(tmp_path / "log.jsonl", ("loss",)).cut(0)


# Names that are no UTF-8


NO_UTF8 = os.fsdecode(b"no\xffutf8")


@pytest.fixture
def oddly_named(tmp_path):
    folder = tmp_path / NO_UTF8
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    return folder


def test_a_model_is_read_there(oddly_named):
    X = np.random.default_rng(0).normal(size=(12, 3))
    data = write_data(
        oddly_named / "data", [f"{k}.jpg" for k in range(12)], ["x"], (X[:, :1] > 0).astype(int)
    )
    cache = write_labeled_cache(oddly_named / "c.cache", data, {"net/fc": X})
    fit(cache, oddly_named / "m.safetensors", learner="l2", C=1.0)
    assert load_model(oddly_named / "m.safetensors").label_names == ["x"]
    out = predict(oddly_named / "m.safetensors", cache, oddly_named / "p.csv")
    assert out.read_text().count("\n") == 13


def test_a_checkpoint_and_weights_are_read_there(oddly_named):
    path = oddly_named / "a.safetensors"
    save_checkpoint(path, {"x": torch.arange(9.0)}, {"step": 1})
    assert load_checkpoint(path)[1] == story_of(path) == {"step": 1}
    filters = load_weights(TINY, "random:0")
    save_file(dict(filters), os.fspath(oddly_named.parent / "w.safetensors"))
    (oddly_named.parent / "w.safetensors").rename(oddly_named / "w.safetensors")
    found = load_weights(TINY, os.fspath(oddly_named / "w.safetensors"))
    assert all(torch.equal(found[name], one) for name, one in filters.items())


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_features_are_exported_there(oddly_named, ending):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    out = export(make_cache(oddly_named), oddly_named / f"e.{ending}")
    assert out.stat().st_size > 100


# Names that a terminal would obey


@pytest.fixture
def named(tmp_path):
    """A cache whose files, labels and folder have such names."""
    data = write_data(tmp_path / "data", [*NAMES, "d"], ["x\u202e"], np.array([[1, 0, 1, 0]]).T)
    features = {"net/fc": np.repeat(np.eye(2), 2, axis=0)}
    return write_labeled_cache(tmp_path / "c\u202e.cache", data, features)


def test_reports_show_names_escaped(named, tmp_path, capsys):
    run_info(cache=named)
    run_verify(cache=named)
    run_merge(out=tmp_path / "m\u202e.cache", caches=[named])
    (named / "labels.csv").unlink()  # repeated pictures are looked for alone
    run_audit(None, cache=named)
    printed = capsys.readouterr().out
    assert r"\u202egpj.exe" in printed and r"x\u202e" in printed and r"m\u202e.cache" in printed
    assert printed.replace("\n", "").isprintable()


class Terminal:
    """A stream to a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_terminal_gets_nothing_that_it_would_obey(stream, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, stream, terminal)

    def main():
        print(*NAMES, file=getattr(sys, stream))
        print("50 %\r100 %\x1b[A", end="", file=getattr(sys, stream))  # as progress bars do

    with pytest.raises(SystemExit):
        run_command(main)
    shown = "a\\u202egpj.exe b\\x9b2J c\\u200b\n50 %\r100 %\x1b[A"
    assert terminal.text == shown


def test_what_is_piped_on_is_as_it_is(capsys):
    with pytest.raises(SystemExit):
        run_command(lambda: print(*NAMES))
    assert capsys.readouterr().out == " ".join(NAMES) + "\n"


@pytest.mark.parametrize("text", ["größe 猫", "a\tb\nc", "", "🦊"])
def test_printable_text_is_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    "name", ["a|b", "a\nb", "`x`", "<script>x</script>", "[a](b)", "*a*", "_a_"]
)
def test_names_are_no_markup_in_pages(name):
    lines = table(["name"], [[plain(name)]]).splitlines()
    assert len(lines) == 3
    assert len(lines[2].replace("\\|", "").split("|")) == 3
    assert "<" not in lines[2]
    for mark in "`[*":
        assert mark not in lines[2].replace("\\" + mark, "")


def test_names_of_data_sets_are_as_they_are():
    assert plain("msrc_v2 (30 %), vgg16/pool5") == "msrc_v2 (30 %), vgg16/pool5"


# Help that fits


@pytest.mark.parametrize(
    ("commands", "words", "help_of"),
    [
        (CLASSIFY, ["fit", "a.cache", "--out", "m", "--bogus"], "multilabel classify fit"),
        (CLASSIFY, ["predict", "m", "a.cache", "b", "--out", "p"], "multilabel classify predict"),
        (FEATURES, ["info", "a.cache", "b.cache"], "multilabel features info"),
        (FEATURES, ["--bogus", "info", "a.cache"], "multilabel features"),
    ],
)
def test_what_a_command_does_not_take_points_to_its_own_help(commands, words, help_of):
    program = " ".join(help_of.split()[:2])
    with pytest.raises(InputError, match=f"unrecognized arguments: .*; `{help_of} --help` shows"):
        parse(commands, program, "text", words)
