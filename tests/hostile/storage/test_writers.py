"""Two writers of one thing, and files that this program made told from others."""

import os
import subprocess
import sys

import pytest

from features import files
from features.errors import InputError
from features.files.locks import LOCK, locked_folder, locked_name, open_locked
from features.files.ownership import begins, first_line, require_ours, write_once
from tests.hostile.storage.test_files import in_child, no_locks

# Two writers of one thing

HOLDER = """
import sys, time
from pathlib import Path
from features.files.locks import locked_folder, open_locked
path = Path(sys.argv[1])
with locked_folder(path) if path.is_dir() else open_locked(path):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_second_writer_gets_one_line_that_names_the_first(tmp_path, kind):
    path = tmp_path
    if kind == "file":
        path = tmp_path / "r.jsonl"
        path.write_text("results")

    def take():
        with locked_folder(path) if kind == "folder" else open_locked(path) as file:
            return file.read() if file else b"results"

    command = [sys.executable, "-c", HOLDER, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as first:
        assert first.stdout.readline() == "held\n"
        message = rf"{path} is being written by another run( \(process {first.pid} on this .*\))?\."
        with pytest.raises(InputError, match=message) as caught:
            take()
        assert "\n" not in str(caught.value)
        first.kill()
    assert take() == b"results"  # a lock ends with its process
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_fails_inside_is_free_again(tmp_path):
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path):
        raise ZeroDivisionError
    with locked_folder(tmp_path):
        assert in_child(_refused, tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def _refused(folder):
    try:
        with locked_folder(folder):
            return 0
    except InputError:
        return 1


def test_a_planted_lock_is_not_followed(tmp_path):
    (tmp_path / LOCK).symlink_to(tmp_path / "victim")
    with pytest.raises(InputError, match="is a symbolic link. Remove it"), locked_folder(tmp_path):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("kind", ["a named pipe", "a folder"])
@pytest.mark.parametrize("name", [LOCK, f".tags.csv{LOCK}"])
def test_what_is_no_file_is_no_lock(tmp_path, name, kind):
    (os.mkfifo if kind == "a named pipe" else os.mkdir)(tmp_path / name)
    locked = locked_folder(tmp_path) if name == LOCK else locked_name(tmp_path / "tags.csv")
    with pytest.raises(InputError, match=f"{name} is {kind}"):
        locked.__enter__()
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", [LOCK, f".tags.csv{LOCK}"])
def test_a_lock_of_another_program_is_left_as_it_is(tmp_path, name):
    (tmp_path / name).write_text("4711\n")
    locked = locked_folder(tmp_path) if name == LOCK else locked_name(tmp_path / "tags.csv")
    with pytest.raises(InputError, match="holds something, and locks of this program are empty"):
        locked.__enter__()
    assert (tmp_path / name).read_text() == "4711\n"
    (tmp_path / name).write_text("")  # left by a run that was killed
    with locked_folder(tmp_path) if name == LOCK else locked_name(tmp_path / "tags.csv"):
        pass


def test_a_file_that_was_replaced_before_it_was_locked_is_opened_again(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    path.write_text("old")
    from features.files import locks

    try_lock, calls = files.try_lock, []

    def late(descriptor, *, shared=False):
        calls.append(descriptor)
        if len(calls) == 1:  # its last writer puts the sorted file in its place
            files.write_text(path, "new")
        return try_lock(descriptor, shared=shared)

    monkeypatch.setattr(locks, "try_lock", late)
    with open_locked(path) as file:
        assert file.read() == b"new"
    assert len(calls) == 2


def test_a_file_system_without_locks_is_one_line_and_the_work_goes_on(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with locked_folder(tmp_path):
        (tmp_path / "r.jsonl").write_text("x")
        with open_locked(tmp_path / "r.jsonl") as file:
            assert file.read() == b"x"
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2
    assert all("this file system has no locks; see to it that" in line for line in printed)


# What this program made

FOREIGN = {
    "empty": b"",
    "notes": b"my notes\n",
    "labels": b"image,cat\na.jpg,1\n",
    "manifest": b'{"schema": 1}\n',
    "a list": b"[1, 2]\n",
    "a number": b"7\n",
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_someone_else_is_refused(tmp_path, content):
    path = tmp_path / "out"
    path.write_bytes(content)
    recognizers = (
        begins(b"image,label,score", b"PK"),
        first_line(lambda value: "key" in value["header"]),
    )
    for recognize in recognizers:
        with pytest.raises(InputError, match="out exists and is not a thing that this program"):
            require_ours(path, recognize, what="a thing")
    assert path.read_bytes() == content


def test_what_this_program_made_may_be_replaced(tmp_path):
    path = tmp_path / "out"
    require_ours(path, begins(b"PK"), what="an archive")  # the name is free
    path.write_bytes(b"PK...")
    require_ours(path, begins(b"image", b"PK"), what="an archive")
    path.write_bytes(b'{"header": {"key": ["x"]}}\n{"x": 1}\n')
    require_ours(path, first_line(lambda value: "key" in value["header"]), what="results")


def test_what_people_may_edit_is_written_once(tmp_path):
    path = tmp_path / "labels.csv"
    for _ in range(2):
        write_once(path, b"image,cat\n", remedy="Correct it there.")
    path.write_bytes(b"image,dog\n")
    with pytest.raises(InputError, match="labels.csv exists and holds .* is. Correct it there."):
        write_once(path, b"image,cat\n", remedy="Correct it there.")
    assert path.read_bytes() == b"image,dog\n"
