"""Run a command and leave the process: whatever happens is one line and an exit code.

`TAGGING_DEBUG=1` shows the traceback before the line, and where a warning comes from.
"""

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

from features.errors import InputError, printable
from features.interrupts import INTERRUPTED, LINE

DEBUG = "TAGGING_DEBUG"
FAILED = 1
_MOVES = re.compile(r"(\r|\x1b\[A)")  # of the cursor, by progress bars


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
    # Now: an error may leave no file to be opened.
    from features.command_line.messages import describe

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
    from features.command_line.messages import plain

    told = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        line = f"warning: {plain(str(message))}"
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
