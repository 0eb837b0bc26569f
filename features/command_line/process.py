"""Run a command and leave the process: whatever happens is one line and an exit code.

`TAGGING_DEBUG=1` shows the traceback before the line, and where a warning comes from.
"""

import errno
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from features.errors import InputError, plain_words, printable
from features.interrupts import INTERRUPTED, LINE

DEBUG = "TAGGING_DEBUG"
FAILED = 1
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
#: What to do about other errors of the system.
_REMEDIES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Give another place, or let this "
                    "user read and write there."),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "A file stands where a folder is needed: give "
                    "another path, or move it away."),
    errno.ENOENT: "Give a path that exists.",
    errno.EISDIR: "Give a file, not a folder.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.EFBIG: "Finished work is kept. Give a place whose files may be larger, or raise the "
                 "limit (`ulimit -f`).",
    errno.EIO: "Check the disk or the network, then run the same command again.",
    errno.ELOOP: "Symbolic links there link to each other: give another path.",
}  # fmt: skip
_LONG_WORD = re.compile(r"\S{500,}")  # longer than a path may be: a field of a file
_LONGEST = 16_000  # characters of a line; one that names a thousand keys is shorter
_MOVES = re.compile(r"(\r|\x1b\[A)")  # of the cursor, by progress bars
#: What torch's and other allocators write into a RuntimeError.
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "bad_alloc")
#: What the system says when a library can't be loaded for lack of it.
_NO_ROOM_TO_LOAD = ("failed to map segment", "cannot allocate memory")


def run_command(main: Callable[[], Any]) -> None:
    """Run a command's ``main`` and leave the process with its exit code.

    Parameters
    ----------
    main : callable
        Does the work; an int that it returns is the exit code.

    Raises
    ------
    SystemExit
        Always: 0 on success, 1 after any error, 130 after Ctrl-C.
    """
    _fill_descriptors()
    with _streams(), _warnings(), _interrupts() as interrupts:
        try:
            code = _run(main)
            sys.stdout.flush()
        except BaseException as error:
            if os.environ.get(DEBUG, "0") not in ("", "0"):
                traceback.print_exc()
            # A library that is interrupted while it loads may raise anything instead.
            stopped = isinstance(error, KeyboardInterrupt) or interrupts
            code = INTERRUPTED if stopped else FAILED
            line = LINE if stopped else f"error: {describe(error)}"
            print(line, file=sys.stderr)
        _drop_what_cannot_be_written(sys.stdout)
    _drop_what_cannot_be_written(sys.stderr)
    sys.exit(code)


def _run(main: Callable[[], Any]) -> Any:
    from features.command_line.cores import prepare_threads
    from features.files.locks import holding_names

    prepare_threads(os.environ)
    os.environ["MPLBACKEND"] = "agg"  # drawings go to files; that of a notebook may not be there
    try:
        with holding_names():
            done = main()
    except SystemExit as left:  # argparse, after a help text
        if isinstance(left.code, str):
            raise InputError(left.code) from left
        done = left.code
    return done if isinstance(done, int) else 0


def describe(error: BaseException) -> str:
    """Write an error as one line of printable text, with a remedy where its kind has one.

    Examples
    --------
    >>> describe(InputError("no such layer"))
    'no such layer'
    >>> describe(MemoryError())
    'there is too little memory. Finished work is kept. Give fewer layers, rows or --jobs, a smaller batch or size, or more memory.'
    """  # noqa: E501
    text = _plain(_described(error))
    text = _LONG_WORD.sub(lambda found: f"{found[0][:100]}...{found[0][-100:]}", text)
    return (
        text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    )


def _described(error: BaseException) -> str:
    if isinstance(error, InputError):
        return " ".join(str(error).split())
    text = _plain(plain_words(error))
    detail = f" ({text})" if str(error) else ""
    if _is_memory(error, text):
        return (
            f"there is too little memory{detail}. Finished work is kept. Give fewer layers, rows "
            "or --jobs, a smaller batch or size, or more memory."
        )
    if isinstance(error, BrokenPipeError) and error.filename is None:
        return f"what reads the output of this command has closed it{detail}; the rest is lost."
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{text}. Finished work is kept. Free space, then run the same command again."
    if isinstance(error, OSError) and error.errno in _TOO_MANY_FILES:
        return f"{text}. Raise the limit (`ulimit -n`) or give fewer --jobs or --workers."
    if isinstance(error, OSError) and error.errno is not None:
        # The system's own words, with the file.
        remedy = _REMEDIES.get(error.errno, "Mend that, then run the same command again.")
        return f"{text}. {remedy}"
    if isinstance(error, RuntimeError) and text.startswith("Symlink loop"):  # pathlib's, on 3.11
        return f"{text}. {_REMEDIES[errno.ELOOP]}"
    if isinstance(error, RecursionError):
        return f"an input is nested too deeply to be read{detail}. Restore it or make it anew."
    return (
        f"unexpected {type(error).__name__}{detail}. Finished work is kept. Run it again with "
        f"{DEBUG}=1 to see where, and report that."
    )


def _is_memory(error: BaseException, text: str) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = _NO_ROOM_TO_LOAD if isinstance(error, ImportError) else _NO_MEMORY
    is_told = isinstance(error, RuntimeError | ImportError)
    return is_told and any(one in text.lower() for one in said)


def _plain(text: str) -> str:
    """Join lines, and escape what a terminal would obey or can't show."""
    return printable(" ".join(text.split()))


def _fill_descriptors() -> None:
    """Open the null device for each of stdin, stdout and stderr that the caller has closed.

    Else the next file that is opened gets the number, and what a library prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one


class _ForPeople:
    """A stream that people read: what a terminal would obey is escaped, but for progress bars."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        parts = _MOVES.split(text)
        parts[::2] = map(printable, parts[::2])
        self._stream.write("".join(parts))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Diagnostics(_ForPeople):
    """A stderr that may be closed or full: messages and progress bars are lost, the work is not."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: closed on this side
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


@contextmanager
def _streams() -> Iterator[None]:
    """Let every text be printed, in whatever encoding, and no failure of stderr end the work."""
    before = sys.stdout, sys.stderr
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = _Diagnostics(sys.stderr)
    with suppress(ValueError):  # it is closed
        if sys.stdout.isatty():  # else it may be read by a program, which needs it as it is
            sys.stdout = _ForPeople(sys.stdout)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = (
            old if old is not None else new
            for old, new in zip(before, (sys.stdout, sys.stderr), strict=True)
        )


@contextmanager
def _warnings() -> Iterator[None]:
    before = warnings.showwarning
    warnings_as_lines()
    try:
        yield
    finally:
        warnings.showwarning = before


def warnings_as_lines() -> None:
    """Let this process print each warning once, in a line as an error's, without its place."""
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        return
    told = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        line = f"warning: {_plain(str(message))}"
        if line not in told:
            told.add(line)
            print(line, file=sys.stderr)

    warnings.showwarning = show


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Note each Ctrl-C, which raises KeyboardInterrupt as always."""
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        came.append(number)
        raise KeyboardInterrupt

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _drop_what_cannot_be_written(stream: TextIO) -> None:
    """Send what is left in a closed or full stream to the null device: Python tries again."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
            stream.flush()
