"""Temporaries, locks, and files that this program did not make."""

import errno
import multiprocessing
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from features import files
from features.errors import InputError
from features.files.locks import open_locked
from features.files.ownership import begins, require_ours

STRANGERS = (
    "film.mkv.part",  # a browser's download
    "a-b.part",
    "shard-00000.h5.host-1.part",
    "x.0123456789abcdeg.part",
    ".part",
)


def parts(folder):
    return list(folder.glob(f"*{files.TEMPORARY}"))


def in_child(function, *arguments):
    """Run a function in a forked process, and give what it returns as an exit code."""

    def run():
        os._exit(function(*arguments))

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join()
    return child.exitcode


def die_with_a_temporary(path):
    files.Temporary(path).path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)


# Temporaries


def test_a_temporary_is_kept_while_its_writer_lives_and_removed_after_its_death(tmp_path):
    living = files.Temporary(tmp_path / "out.csv")
    assert in_child(die_with_a_temporary, tmp_path / "out.csv") == -signal.SIGKILL
    assert len(parts(tmp_path)) == 2
    assert in_child(files.remove_temporaries, tmp_path) == 1
    assert parts(tmp_path) == [living.path]
    assert files.remove_temporaries(tmp_path) == 0  # nor by the process that holds it
    living.path.write_text("whole")
    living.publish()
    assert (tmp_path / "out.csv").read_text() == "whole"
    assert parts(tmp_path) == []


def test_host_and_process_do_not_tell_whose_a_temporary_is(tmp_path, monkeypatch):
    """Two containers: the same host name, each with process 1."""
    monkeypatch.setattr(socket, "gethostname", lambda: "worker")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    one, two = (files.Temporary(tmp_path / "out.csv") for _ in range(2))
    assert one.path != two.path
    assert in_child(files.remove_temporaries, tmp_path) == 0
    for temporary in (one, two):
        temporary.path.write_text("x")
        temporary.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_files_of_other_programs_are_kept_however_old(tmp_path):
    for name in STRANGERS:
        (tmp_path / name).write_text("precious")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f"folder.{'a' * 16}.part").mkdir()
    (tmp_path / f"link.{'a' * 16}.part").symlink_to(tmp_path / STRANGERS[0])
    os.mkfifo(tmp_path / f"pipe.{'a' * 16}.part")
    assert files.remove_temporaries(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == len(STRANGERS) + 3
    assert (tmp_path / STRANGERS[0]).read_text() == "precious"


@pytest.mark.parametrize("dangling", [True, False])
def test_planted_links_are_not_followed(tmp_path, monkeypatch, dangling):
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_text("precious")
    names = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: next(names))
    planted = tmp_path / f"out.csv.{'0' * 16}.part"
    planted.symlink_to(victim)
    files.write_text(tmp_path / "out.csv", "results")
    assert (tmp_path / "out.csv").read_text() == "results"
    assert planted.is_symlink()
    assert victim.exists() != dangling
    assert dangling or victim.read_text() == "precious"


def test_a_link_under_the_final_name_is_replaced_and_its_file_kept(tmp_path):
    (tmp_path / "store").write_text("precious")
    (tmp_path / "out").symlink_to(tmp_path / "store")
    files.write_text(tmp_path / "out", "new")
    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "store").read_text() == "precious"


def test_a_temporary_that_was_taken_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    try_lock, removed = files.try_lock, []

    def late(descriptor, *, shared=False):
        if shared and not removed:  # between the making and the lock, another process cleans up
            removed.append(files.remove_temporaries(tmp_path))
        return try_lock(descriptor, shared=shared)

    monkeypatch.setattr(files, "try_lock", late)
    files.write_text(tmp_path / "out", "whole")
    assert removed == [1]
    assert (tmp_path / "out").read_text() == "whole"


def no_locks(descriptor, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_without_locks_a_temporary_is_left_behind_when_it_is_a_day_old(tmp_path, monkeypatch):
    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    temporary = files.Temporary(tmp_path / "out")
    assert files.remove_temporaries(tmp_path) == 0
    day_ago = temporary.path.stat().st_mtime - files.STALE_SECONDS - 1
    os.utime(temporary.path, (day_ago, day_ago))
    assert files.remove_temporaries(tmp_path) == 1
    temporary.discard()


def test_a_name_of_255_bytes_and_one_that_is_no_utf8(tmp_path):
    for name in ("n" * 255, "é" * 127, os.fsdecode(b"caf\xe9"), "two\nlines"):
        files.write_text(tmp_path / name, "x")
        temporary = files.Temporary(tmp_path / name)
        in_child(die_with_a_temporary, tmp_path / name)
        assert files.remove_temporaries(tmp_path) == 1
        temporary.discard()
        assert (tmp_path / name).read_text() == "x"
    assert parts(tmp_path) == []


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        files.write_text(tmp_path / "out", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_file_and_keeps_the_old_one(tmp_path, number):
    path = tmp_path / "out"
    files.write_text(path, "old")
    with pytest.raises(OSError, match="out") as caught, files.atomic_write(path):
        raise OSError(number, os.strerror(number))
    assert caught.value.filename == str(path)
    assert path.read_text() == "old" and parts(tmp_path) == []


def test_a_folder_that_is_missing_names_the_file_of_the_user(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        files.write_text(tmp_path / "no" / "out", "x")
    assert caught.value.filename == str(tmp_path / "no" / "out")


# Making a file once, and linking one


def test_a_file_is_made_once(tmp_path):
    path = tmp_path / "r.jsonl"
    assert files.create(path, b"first")
    assert not files.create(path, b"second")
    assert path.read_bytes() == b"first"
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    assert not files.create(tmp_path / "dangling", b"x")
    assert not (tmp_path / "elsewhere").exists() and parts(tmp_path) == []


def test_a_file_is_made_once_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    test_a_file_is_made_once(tmp_path)


def test_of_many_creations_one_succeeds(tmp_path):
    path = tmp_path / "r.jsonl"
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def make(number):
        queue.put((files.create(path, b"%d" % number), number))

    children = [context.Process(target=make, args=(number,)) for number in range(8)]
    for child in children:
        child.start()
    outcomes = [queue.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    (winner,) = [number for made, number in outcomes if made]
    assert path.read_bytes() == b"%d" % winner


def test_a_link_that_another_process_removed_is_made_again(tmp_path, monkeypatch):
    (tmp_path / "source").write_text("shard")
    publish, removed = files.publish, []

    def late(temporary, path):
        if not removed:
            removed.append(files.remove_temporaries(tmp_path))
        publish(temporary, path)

    monkeypatch.setattr(files, "publish", late)
    assert files.link(tmp_path / "source", tmp_path / "target")
    assert removed == [1]
    assert (tmp_path / "target").samefile(tmp_path / "source")


# Names that stand for no file


def special_files(folder):
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket has at most 107 bytes
    server.bind("socket")
    os.chdir(here)
    server.close()
    for name in ("folder", "pipe", "socket"):
        (folder / f"link to {name}").symlink_to(folder / name)
    (folder / "link to device").symlink_to("/dev/null")
    return [Path("/dev/null"), Path("/dev/full"), *folder.iterdir()]


def test_devices_pipes_sockets_and_folders_are_refused(tmp_path):
    for path in special_files(tmp_path):
        before = os.lstat(path)
        for write in (files.write_text, files.create):
            with pytest.raises(InputError, match="is a .*written to a file. Give another name"):
                write(path, "x")
        with pytest.raises(InputError, match="is a "):
            open_locked(path)
        with pytest.raises(InputError, match="is a "):
            require_ours(path, begins(b""), what="a page")
        assert os.lstat(path).st_mode == before.st_mode and os.lstat(path).st_ino == before.st_ino
    assert parts(tmp_path) == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400])
def test_what_is_replaced_keeps_its_permissions(tmp_path, mode):
    """A model or a sidecar that others may not read must not become readable by a second fit."""
    path = tmp_path / "private.csv"
    path.write_text("old")
    path.chmod(mode)
    files.write_text(path, "new")
    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == mode | 0o600
