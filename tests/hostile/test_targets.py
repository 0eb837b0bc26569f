"""Where commands are told to write: folders and files of others, devices, pipes, odd names."""

import ast
import builtins
import errno
import os
import re
from pathlib import Path
from urllib.error import URLError

import pytest
from PIL import Image

from benchmarks import stored
from benchmarks.speed.record import Record
from benchmarks.tables.experiment import open_folder
from benchmarks.tables.finetune.run import finetune as table_of_runs
from classify.finetune.config import FinetuneConfig
from classify.finetune.run import finetune
from extract.config import ExtractConfig
from extract.run import run
from features.commands.merge import merge
from features.datasets import load_dataset
from features.errors import InputError, plain_words
from features.files.ownership import make_folder
from tests.features.test_cache import make_cache

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A data set of three pictures with a label."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for name in "abc":
        Image.new("RGB", (8, 8), "red").save(folder / "images" / f"{name}.png")
    (folder / "labels.csv").write_text("image,cat\na.png,1\nb.png,0\nc.png,1\n")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def writers(photos, cache, tiny_backbone):
    """Each command that fills a folder, as a function of the folder."""
    extraction = ExtractConfig(backbone=tiny_backbone, weights="random:0", workers=1)
    tuning = FinetuneConfig(backbone=tiny_backbone, weights="random:0", epochs=1, min_positives=0)
    return {
        "extract": lambda out: run(extraction, load_dataset(photos), out),
        "merge": lambda out: merge(out, [cache]),
        "finetune": lambda out: finetune(tuning, photos, out),
    }


THEIRS = {
    "pictures": lambda folder: Image.new("RGB", (4, 4)).save(folder / "mine.png"),
    "notes": lambda folder: (folder / "notes.txt").write_text("mine"),
    "folders": lambda folder: (folder / "2024").mkdir(),
    "links": lambda folder: (folder / "album").symlink_to("/nowhere"),
    "their own .part": lambda folder: (folder / "film.part").write_text("mine"),
}


def refused(message, function, *arguments, **options):
    with pytest.raises(InputError, match=message) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value) and "[Errno" not in str(caught.value)


@pytest.mark.parametrize("command", ["extract", "merge", "finetune"])
@pytest.mark.parametrize("kind", THEIRS)
def test_a_folder_of_others_is_not_filled(writers, tmp_path, command, kind):
    THEIRS[kind](tmp_path)
    (name,) = os.listdir(tmp_path)
    refused(f"holds {name} and no .*.json, so it is no .* new or empty", writers[command], tmp_path)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("command", ["extract", "merge", "finetune"])
@pytest.mark.parametrize("place", ["file", "file/below", "pipe", "device"])
def test_a_file_where_a_folder_is_needed_is_one_line(writers, tmp_path, command, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "device").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    refused("a file stands where a folder is needed", writers[command], tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_file_managers_and_killed_runs_leave_is_no_hindrance(writers, tmp_path):
    for name in (".DS_Store", ".nfs0000", "manifest.json.0123456789abcdef.part"):
        (tmp_path / name).touch()
    writers["extract"](tmp_path)
    assert (tmp_path / ".DS_Store").exists() and not list(tmp_path.glob("*.part"))


# The system's words


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileExistsError(17, "File exists", "a b"), "a b: File exists"),
        (OSError(18, "Invalid cross-device link", "a", None, "b"), "a -> b: Invalid cross-device"),
        (PermissionError(13, "Permission denied", b"raw"), "raw: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(5, "Unable to read (errno = 5, error message = 'x')"), "Input/output error"),
        (OSError(9, "Bad file descriptor", 3), "Bad file descriptor"),
        (URLError(OSError(-2, "Name or service not known")), "Name or service not known"),
        (URLError("no host given"), "<urlopen error no host given>"),
        (RuntimeError("hub: [Errno 111] Connection\nrefused"), "hub: Connection refused"),
        (OSError(), "OSError"),
        (ValueError("two\n lines"), "two lines"),
        (KeyError("labels"), "it has no 'labels'"),
        (KeyError("Unable to open object"), "'Unable to open object'"),
    ],
)
def test_errors_are_told_in_words(error, text):
    assert plain_words(error).startswith(text)


def test_no_handler_of_system_errors_tells_their_numbers():
    """`str` of an OSError begins with ``[Errno N]``; `plain_words` and others leave it out."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("features", "extract", "classify", "benchmarks")
        for path in sorted((ROOT / package).rglob("*.py"))
        if re.search(r"except[^:]* as ", text := path.read_text())
        for line in _told_as_they_are(ast.parse(text))
    ]
    assert not found


def _told_as_they_are(tree):
    for handler in ast.walk(tree):
        if isinstance(handler, ast.ExceptHandler) and handler.name and _of_system(handler.type):
            for node in ast.walk(handler):
                text = isinstance(node, ast.FormattedValue) and node.value
                if isinstance(text, ast.Name) and text.id == handler.name:
                    yield node.lineno


def _of_system(kinds):
    named = [node.id for node in ast.walk(kinds) if isinstance(node, ast.Name)]
    found = [vars(builtins).get(name, InputError) for name in named]
    return any(issubclass(OSError, kind) or issubclass(kind, OSError) for kind in found)


# Pages and result lines of the benchmarks


BAD_PAGES = {
    "notes": (lambda path: path.write_text("mine"), "is not a page or picture"),
    "empty": (lambda path: path.touch(), "is not a page or picture"),
    "pipe": (os.mkfifo, "is a named pipe"),
    "folder": (Path.mkdir, "is a folder"),
    "device": (lambda path: path.symlink_to("/dev/null"), "is a device"),
    "dangling": (lambda path: path.symlink_to("nothing"), "is a symbolic link to nothing"),
}


@pytest.mark.parametrize(("make", "message"), BAD_PAGES.values(), ids=BAD_PAGES)
def test_a_page_is_claimed_before_anything_is_measured(tmp_path, make, message):
    page = tmp_path / "speed.md"
    make(page)
    refused(message, Record, "speed-warp", None, page, {})
    (tmp_path / "t.jsonl").write_text('{"header": {"key": []}}\n')
    refused(message, open_folder, tmp_path, "t.jsonl", "speed.md")
    assert sorted(os.listdir(tmp_path)) == ["speed.md", "t.jsonl"]


@pytest.mark.parametrize("name", ["imcl.jsonl", "a.png", "b.html"])
def test_all_that_a_table_writes_is_claimed(tmp_path, name):
    (tmp_path / "t.jsonl").touch()
    (tmp_path / name).write_text("mine")
    refused("exists and is not a", open_folder, tmp_path, "t.jsonl", name)


@pytest.mark.parametrize("name", ["t.jsonl", "t", ".md", "t.MD"])
def test_a_table_of_runs_is_a_page_beside_its_lines(tmp_path, name):
    refused("'out' option must end in .md", table_of_runs, tmp_path / name, runs=[])


NAMES = ["../x", "/tmp/x", "auto", "auto/a/b", "auto/..", "auto/.x", "notes/x", "a b/c", "a/x\n"]


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_stored_in_the_folder_of_results_only(tmp_path, name):
    source = tmp_path / "lines.jsonl"
    source.write_text('{"header": {"table": "auto", "key": ["seed"]}}\n{"seed": 1}\n')
    folder = tmp_path / "results"
    refused("'name' option must be TABLE/RUN", stored.store, source, name, {}, folder=folder)
    assert os.listdir(tmp_path) == ["lines.jsonl"]


def test_what_is_stored_is_of_one_table_and_in_one_file(tmp_path, monkeypatch):
    source, folder = tmp_path / "lines.jsonl", tmp_path / "results"
    given = {"name": "auto/x", "run": {}, "folder": folder}
    source.write_text('{"header": {"table": "none", "key": []}}\n')
    refused("'table' header field must be one of", stored.store, source, **given)
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "gone"):
        refused("is no file", stored.store, path, **given)
    assert not folder.exists()
    source.write_text('{"header": {"table": "auto", "key": ["seed"]}}\n{"seed": 1}\n')
    first = stored.store(source, **given)
    monkeypatch.setattr(stored, "PLAIN", 10)
    second = stored.store(source, **given)  # the run again, with more lines
    assert second.name == "x.jsonl.gz" and not first.exists()
    source.write_text('{"header": {"table": "rml", "key": ["seed"]}}\n{"seed": 1}\n')
    before = second.read_bytes()
    refused("x.jsonl.gz exists and is not a result file of rml", stored.store, source, **given)
    second.write_bytes(before[:12] + b"\0\0\0\0" + before[16:])
    refused("is not a result file of rml", stored.store, source, **given)


def test_a_folder_that_can_t_be_made_keeps_its_cause(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space left"):
        make_folder(tmp_path / "x")
