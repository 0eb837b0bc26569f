"""How every command reports bad input: one line on stderr that names the remedy, exit code 1."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn


class InputError(ValueError):
    """Something the user gave can't be used.

    The message is one line that names what came, what is allowed and the remedy.
    """


class CommandParser(argparse.ArgumentParser):
    """A parser of a command line that reports as everything else does, and not by its usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(f"{message}; `{self.prog} --help` shows what can be given")


def argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse, which hides the message of a ValueError, show that of an `InputError`.

    Parameters
    ----------
    read : callable
        Turns a text into a value, or raises `InputError`.

    Returns
    -------
    callable
        The same, for `type=` of an argument.
    """

    def checked(text: str) -> Any:
        try:
            return read(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's ``main`` and leave the process with its exit code.

    Parameters
    ----------
    main : callable
        Does the work; returns an exit code, or None for 0.

    Raises
    ------
    SystemExit
        Always: 0 on success, 1 after an `InputError` or an `OSError`, 130 after Ctrl-C.
    """
    try:
        code = main() or 0
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on where it stopped", file=sys.stderr)
        code = 130
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 1
    except OSError as error:
        # A full disk or a folder without permission is the user's to mend, not a defect to trace.
        print(f"error: {error}", file=sys.stderr)
        code = 1
    sys.exit(code)
