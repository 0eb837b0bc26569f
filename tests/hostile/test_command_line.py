"""Whatever happens in a command is one line and an exit code; numbers of options are bounded."""

import errno
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from extract.__main__ import main as extract
from extract.__main__ import part
from features.command_line import run_command
from features.command_line.environment import local_rank, rank_and_world
from features.errors import InputError

ROOT = Path(__file__).parents[2]


def outcome(main, capsys):
    """Run a function as a command: its exit code, what it printed, and its errors."""
    with pytest.raises(SystemExit) as left:
        run_command(main)
    printed = capsys.readouterr()
    return left.value.code, printed.out, printed.err


def raising(error):
    def main():
        raise error

    return main


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def nested():
    return nested()


RAISED = {
    "input": (InputError("x is bad.\nGive y."), r"error: x is bad\. Give y\."),
    "memory": (MemoryError(), "there is too little memory. Finished work is kept. Give fewer"),
    "memory of an array": (MemoryError("Unable to allocate 9 TiB"), r"memory \(Unable to allocate"),
    "memory of a GPU": (OutOfMemoryError("CUDA: 2 GiB"), r"memory \(CUDA: 2 GiB\)"),
    "memory of torch": (RuntimeError("[x] can't allocate memory: 9 bytes"), "too little memory"),
    "memory of the system": (OSError(errno.ENOMEM, "Cannot allocate memory"), "too little memory"),
    "disk": (OSError(errno.ENOSPC, "No space left on device", "m.csv"), "m.csv.*Free space, then"),
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded", "m.csv"), "m.csv.*Free space, then"),
    "permission": (
        PermissionError(errno.EACCES, "Permission denied", "a"),
        "a: .* denied. Give",
    ),
    "not there": (
        FileNotFoundError(errno.ENOENT, "No such file", "a"),
        "a: .*. Give a path",
    ),
    "a folder": (
        IsADirectoryError(errno.EISDIR, "Is a directory", "a"),
        "a: .*. Give a file",
    ),
    "no folder": (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a"), "y. A file stands"),
    "in the way": (
        FileExistsError(errno.EEXIST, "File exists", "a"),
        "a: .*. A file stands",
    ),
    "a long name": (
        OSError(errno.ENAMETOOLONG, "File name too long", "a"),
        "a: .*. Give a shorter",
    ),
    "links in a ring": (OSError(errno.ELOOP, "Too many levels", "a"), "a: .* link to each other"),
    "pathlib's ring": (RuntimeError("Symlink loop from 'a'"), "'a'. .* link to each other"),
    "read only": (OSError(errno.EROFS, "Read-only file system", "a"), "a: .* Give another place"),
    "open files": (OSError(errno.EMFILE, "Too many open files", "a"), "ulimit -n"),
    "input or output": (
        OSError(errno.EIO, "Input/output error", "a"),
        "a: .*. Check the disk",
    ),
    "large file": (
        OSError(errno.EFBIG, "File too large", "a"),
        "a: .*. Give a place whose files may",
    ),
    "large library": (
        ImportError("libtorch_cuda.so: failed to map segment from shared object"),
        "there is too little memory .*libtorch_cuda",
    ),
    "no library": (ImportError("libfoo.so: cannot open"), "unexpected ImportError .libfoo"),
    "another": (OSError(errno.EBUSY, "Device busy", "a"), "a: Device busy. Mend that, then run"),
    "pipe": (BrokenPipeError(errno.EPIPE, "Broken pipe"), "what reads the output .* has closed it"),
    "recursion": (RecursionError("maximum recursion depth"), "nested too deeply to be read"),
    "defect": (KeyError("widht"), "unexpected KeyError .*'widht'.* TAGGING_DEBUG=1"),
    "assertion": (AssertionError(), r"unexpected AssertionError\. Finished work is kept"),
    "several lines": (ValueError("a\n\tb\r\nc"), "a b c"),
    "escapes": (InputError("name \x1b[31m\x07 \udce9"), r"name \\x1b\[31m\\x07 \\udce9"),
    "right to left": (InputError("gpj.\u202eexe"), r"gpj\.\\u202eexe"),
}


@pytest.mark.parametrize(("error", "expected"), RAISED.values(), ids=RAISED)
def test_an_error_is_one_line_and_exit_code_1(error, expected, capsys, monkeypatch):
    monkeypatch.delenv("TAGGING_DEBUG", raising=False)
    code, out, err = outcome(raising(error), capsys)
    assert code == 1 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert re.search(expected, err)
    assert err.rstrip("\n").isprintable()


def test_a_recursion_without_end_is_one_line(capsys):
    code, _, err = outcome(nested, capsys)
    assert code == 1 and err.count("\n") == 1 and "nested too deeply" in err


@pytest.mark.parametrize(
    ("value", "shown"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_the_traceback_is_shown_on_demand(value, shown, capsys, monkeypatch):
    monkeypatch.setenv("TAGGING_DEBUG", value)
    _, _, err = outcome(raising(KeyError("x")), capsys)
    assert ("Traceback" in err) == shown
    assert err.splitlines()[-1].startswith("error: unexpected KeyError")


def interrupted_while_loading():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("numpy's core failed to import") from None


def interrupted():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "main", [interrupted, interrupted_while_loading, raising(KeyboardInterrupt())]
)
def test_an_interrupt_is_exit_code_130_whatever_a_library_makes_of_it(main, capsys):
    code, out, err = outcome(main, capsys)
    assert code == 130 and out == ""
    assert err == "interrupted: run the same command again to go on where it stopped\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_exit_codes_of_a_command_and_of_argparse(capsys):
    assert outcome(lambda: None, capsys)[0] == 0
    assert outcome(lambda: 3, capsys)[0] == 3
    assert outcome(lambda: "a page that was printed", capsys)[0] == 0
    assert outcome(raising(SystemExit(0)), capsys)[0] == 0
    assert outcome(raising(SystemExit("why")), capsys) == (1, "", "error: why\n")


# Streams that are closed, full, or of another encoding

PRINTS = """
import contextlib, os, sys
from features.command_line import run_command
def main():
    print("± é \\udce9", flush=True)
    print("progress ± \\udce9", file=sys.stderr, flush=True)
    with open(sys.argv[1], "w") as file:
        with contextlib.suppress(OSError):
            os.write(2, b"from a library")
        file.write("work")
run_command(main)
"""


def run_shell(redirections, tmp_path, **environment):
    """Run `PRINTS` by a shell: the process, and the file that it is to write."""
    path = tmp_path / "work"
    command = f'"$0" -c "$1" "$2" {redirections}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, PRINTS, str(path)],
        cwd=ROOT, capture_output=True, text=True, errors="replace",
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    return done, path


@pytest.mark.parametrize(
    "redirections",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", "2> >(exec 0<&-)"],
)
def test_a_closed_or_full_stream_ends_no_work_and_goes_into_no_file(redirections, tmp_path):
    done, path = run_shell(redirections, tmp_path)
    assert done.returncode == 0
    assert path.read_text() == "work"


def test_output_that_nobody_can_take_is_one_line(tmp_path):
    done, _ = run_shell(">/dev/full", tmp_path)
    assert done.returncode == 1
    assert "error: No space left on device. Finished work is kept." in done.stderr
    script = '"$0" -c "$1" "$2" | true; exit "${PIPESTATUS[0]}"'
    late = PRINTS.replace("def main():", "def main():\n    import time; time.sleep(0.3)")
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, late, str(tmp_path / "work")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: what reads the output of this command has closed it")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_any_text_is_printed_in_any_encoding(encoding, tmp_path):
    done, path = run_shell("| cat -v", tmp_path, PYTHONIOENCODING=encoding)
    assert "error" not in done.stderr
    assert path.read_text() == "work"
    assert r"\udce9" in done.stdout


# What torchrun and job arrays tell


@pytest.mark.parametrize(
    "text", ["²/4", "1/²", "4/4", "-1/4", "1/0", "0/0", "1", "/", "1/2/3", "a/b", "", "1 2/4",
             "9" * 5000 + "/4", "1.0/4"],
)  # fmt: skip
def test_a_part_that_is_none_is_refused(text, capsys, tmp_path):
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "o"), f"--shards={text}"]
    code, _, err = outcome(lambda: extract(words), capsys)
    assert code == 1 and err.count("\n") == 1
    assert "The 'shards' option must be I/N with 0 <= I < N, as in 0/4 to 3/4. Got" in err


def test_a_part_is_read():
    assert part("2/8", {"RANK": "x"}) == (2, 8)
    assert part(None, {"RANK": "1", "WORLD_SIZE": "4"}) == (1, 4)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"RANK": "x"}, "RANK"),
        ({"RANK": "1"}, "RANK"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK"),
        ({"RANK": "", "WORLD_SIZE": "2"}, "RANK"),
        ({"RANK": "²", "WORLD_SIZE": "4"}, "RANK"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "WORLD_SIZE"),
        ({"RANK": "0", "WORLD_SIZE": "1e3"}, "WORLD_SIZE"),
    ],
)
def test_torchrun_variables_that_are_no_numbers_are_named(environment, name, capsys, tmp_path):
    with pytest.raises(InputError, match=f"The '{name}' environment variable must be an int in"):
        rank_and_world(environment)
    with pytest.raises(InputError, match="unset it for a process that runs alone"):
        part(None, environment)


def test_a_local_rank_is_read_or_refused():
    assert local_rank({}) is None
    assert local_rank({"LOCAL_RANK": "3"}) == 3
    for text in ("x", "-1", "", "0.5"):
        with pytest.raises(InputError, match="'LOCAL_RANK' environment variable must be an int"):
            local_rank({"LOCAL_RANK": text})


@pytest.mark.parametrize("name", ["NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT"])
@pytest.mark.parametrize("value", ["0", "all", "2.5", "-1"])
def test_counts_that_libraries_read_are_named(name, value, capsys, monkeypatch):
    """Their own errors come late, without the name, numba's with a traceback in a warning."""
    monkeypatch.setenv(name, value)
    code, _, err = outcome(lambda: None, capsys)
    assert code == 1 and err.count("\n") == 1
    assert f"The '{name}' environment variable must be an int" in err and "or unset it" in err


@pytest.mark.parametrize("value", ["", " "])
def test_empty_counts_are_none(value, capsys, monkeypatch):
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    for name in names:
        monkeypatch.setenv(name, value)
    seen = {}
    assert outcome(lambda: seen.update(os.environ), capsys) == (0, "", "")
    assert "NUMBA_NUM_THREADS" not in seen and seen.get("OMP_NUM_THREADS", "1").strip()


@pytest.mark.parametrize("value", ["module://matplotlib_inline.backend_inline", "tkagg", "none"])
def test_drawings_need_no_backend_of_the_caller(value, capsys, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", value)
    backends = []
    assert outcome(lambda: backends.append(os.environ["MPLBACKEND"]), capsys)[0] == 0
    assert backends == ["agg"]


def warn_twice():
    for number in (1, 1, 2):
        warnings.warn(f"stopped at\nstep {number}", RuntimeWarning, stacklevel=1)


@pytest.mark.filterwarnings("always")
def test_a_warning_is_one_line_without_a_place(capsys, monkeypatch):
    before = warnings.showwarning
    assert outcome(warn_twice, capsys) == (
        0, "", "warning: stopped at step 1\nwarning: stopped at step 2\n"
    )  # fmt: skip
    monkeypatch.setenv("TAGGING_DEBUG", "1")
    shown = []
    outcome(lambda: shown.append(warnings.showwarning), capsys)
    assert shown == [before] and warnings.showwarning is before


@pytest.mark.parametrize("text", ["x" * 10**6, "a b " * 10**6, "/".join(["y" * 90] * 10)])
def test_no_line_is_longer_than_people_read(text, capsys):
    code, _, err = outcome(raising(InputError(f"begin {text} end")), capsys)
    assert code == 1 and err.startswith("error: begin ") and err.endswith(" end\n")
    assert len(err) < 17_000
