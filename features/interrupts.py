"""Ctrl-C before a command has begun: while its modules load, Python would print a traceback.

This module loads nothing that Python has not loaded, and is the first that a program imports.
"""

import _thread  # `signal` and `threading` take long to load
import os
import sys
import time

INTERRUPTED = 130  # a shell's exit code for a process that SIGINT ended
LINE = "interrupted: run the same command again to go on where it stopped"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def end_quietly() -> None:
    """Let a Ctrl-C that nothing catches end this process with one line and exit code 130.

    `command_line.run_command` does the same, and more, once it runs.
    """
    sys.excepthook = _end
    sys.unraisablehook = _again


def _end(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    if not _is_interrupt(error):
        sys.__excepthook__(kind, error, trace)
        return
    if os.environ.get("TAGGING_DEBUG", "0") not in ("", "0"):
        sys.__excepthook__(kind, error, trace)
    try:
        os.write(2, f"{LINE}\n".encode())
    finally:
        os._exit(INTERRUPTED)


def _is_interrupt(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C led to an error: what is interrupted while it loads may raise another."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send Ctrl-C once more: it came in a callback, in which Python only reports it."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    _thread.start_new_thread(_soon, ())


def _soon() -> None:
    time.sleep(0.02)  # at once, it would come in the hook, where it would be lost, too
    _thread.interrupt_main()
