"""What the command lines of all packages share: commands, options, errors and exit codes.

A command is a record. Its function is imported only when the command is named, so that a help text
never waits for torch. An option repeats its parameter's default and type: both are written once, in
the function's signature.
"""

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

from features.command_line.numbers import number_type
from features.command_line.process import run_command
from features.errors import InputError, plain_words

__all__ = [
    "Command",
    "CommandParser",
    "add_options",
    "argument",
    "default",
    "examples",
    "load",
    "parse",
    "path",
    "run_command",
    "run_commands",
]


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are an `InputError` instead of a usage message.

    Attributes
    ----------
    launcher : str
        What stands before the program's name in help texts; the ``multilabel`` command puts itself
        there.
    is_complete : bool
        Whether all arguments are declared.
    """

    launcher = "python -m"
    is_complete = True

    def __init__(self, *, prog: str = "", **options: Any):
        super().__init__(prog=prog.replace("python -m", self.launcher, 1) or None, **options)

    def add_argument(self, *names: Any, **given: Any) -> Any:
        """Declare an argument.

        A number has the bounds of its name (`numbers.number_type`), a path is one (`path`).
        """
        if given.get("type") in (int, float):
            name = given.get("dest") or names[0].lstrip("-").replace("-", "_")
            given["type"] = number_type(name, given["type"])
        elif given.get("type") is Path:
            given["type"] = path
        return super().add_argument(*names, **given)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left over: the command that did not take it names its help."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self.is_complete:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Report what is wrong with the arguments.

        Raises
        ------
        InputError
            Always.
        """
        given = plain_words(Exception(message))
        raise InputError(f"{given}; `{self.prog} --help` shows what can be given")


def path(text: str) -> Path:
    """Read a path from a command line: an empty one would stand for the folder of the shell.

    Raises
    ------
    argparse.ArgumentTypeError
        It is empty or has a zero byte, which no file system takes.
    """
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"a path must be a name of a file or folder. Got {text!r}")
    return Path(text)


class Command(NamedTuple):
    """One command.

    Attributes
    ----------
    path : tuple of str
        Its words, such as ``("tables", "miml")``.
    summary : str
        One line for the help text, without a full stop.
    example : str
        A line to paste into a shell; several lines are allowed.
    add_arguments : str
        ``module:function`` that declares the options on a parser. Loading that module must not
        load torch, numba, scikit-learn or scipy.
    run : str
        ``module:function`` that gets the options as keyword arguments.
    """

    path: tuple[str, ...]
    summary: str
    example: str
    add_arguments: str
    run: str


def load(name: str) -> Any:
    """Import ``module:attribute``.

    Examples
    --------
    >>> load("math:sqrt")(4)
    2.0
    """
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def parse(
    commands: Sequence[Command], program: str, description: str, words: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Parse a command line. Only the named command's options are loaded.

    Every level's help ends with examples to paste.

    Parameters
    ----------
    commands : sequence of Command
    program : str
        As it is typed, such as ``python -m benchmarks``.
    description : str
        For the help text of the program itself.
    words : sequence of str
        What follows the program.

    Returns
    -------
    run : str
        The named command's ``module:function``.
    options : dict
        What to call it with.

    Raises
    ------
    InputError
        The arguments are wrong.
    """
    parser = CommandParser(prog=program, description=description, **examples(commands))
    _add_level(parser, commands, 0, words)
    options = vars(parser.parse_args(words))
    return options.pop("_run"), options


def run_commands(
    commands: Sequence[Command], program: str, description: str, argv: Sequence[str] | None = None
) -> Any:
    """Parse a command line and run the command that it names.

    Parameters
    ----------
    commands, program, description
        As for `parse`.
    argv : sequence of str, optional
        By default the process's arguments.

    Returns
    -------
    object
        What the command's function returns.

    Raises
    ------
    InputError
        The arguments are wrong, or as the function raises.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    run, options = parse(commands, program, description, words)
    return load(run)(**options)


def default(function: Callable, name: str) -> Any:
    """Give a parameter's default, so that a command line repeats it instead of stating its own."""
    return inspect.signature(function).parameters[name].default


def _add_level(
    parser: CommandParser, commands: Sequence[Command], depth: int, words: Sequence[str]
) -> None:
    choices = parser.add_subparsers(metavar="command", required=True)
    for word in dict.fromkeys(command.path[depth] for command in commands):
        members = [command for command in commands if command.path[depth] == word]
        if len(members[0].path) > depth + 1:
            topics = ", ".join(command.path[depth + 1] for command in members)
            level = choices.add_parser(word, help=topics, **examples(members))
            _add_level(level, members, depth + 1, words)
            continue
        (command,) = members
        text = f"{command.summary[0].upper()}{command.summary[1:]}."
        leaf = choices.add_parser(
            word, help=command.summary, description=text, **examples([command])
        )
        leaf.is_complete = tuple(words[: len(command.path)]) == command.path
        if leaf.is_complete:
            load(command.add_arguments)(leaf)
            leaf.set_defaults(_run=command.run)


def examples(commands: Sequence[Command]) -> dict[str, Any]:
    """Give the arguments of a parser that make its help end with examples."""
    lines = [f"  {line}" for command in commands for line in command.example.splitlines()]
    return {
        "epilog": "\n".join(["example:" if len(lines) == 1 else "examples:", *lines]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def add_options(
    parser: argparse.ArgumentParser,
    function: Callable,
    texts: Mapping[str, str],
    **overrides: Mapping[str, Any],
) -> None:
    """Declare one option for each parameter of a function, or field of a dataclass.

    ``x_y`` becomes ``--x-y`` with the parameter's default; a parameter without one is required. Its
    annotation gives the type: a sequence takes several values, a bool becomes a pair of flags
    ``--x-y`` and ``--no-x-y`` (one flag where the default is False), a Literal lists its choices.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    function : callable
        A function or dataclass.
    texts : mapping of str to str
        Name of a parameter to its help text, in the order of the help. The default is added.
    **overrides : mapping
        Name of a parameter to arguments of `argparse.ArgumentParser.add_argument` that replace
        what the signature gives. ``{"positional": True}`` makes it positional.

    Examples
    --------
    >>> def fit(cache: str, *, C: float = 1.0, layers: Sequence[str] | None = None): ...
    >>> parser = CommandParser()
    >>> texts = {"cache": "features", "C": "weight", "layers": "layers to learn from (all)"}
    >>> add_options(parser, fit, texts, cache={"positional": True})
    >>> parser.parse_args(["a.cache", "--layers", "x", "y"])
    Namespace(cache='a.cache', C=1.0, layers=['x', 'y'])
    """
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters
    for name, text in texts.items():
        default = parameters[name].default
        given = {**_from_signature(hints.get(name, str), default, text), **overrides.get(name, {})}
        if given.pop("positional", False):
            given.pop("required", None)
            parser.add_argument(name, **given)
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, **given)


def _from_signature(hint: Any, default: Any, text: str) -> dict[str, Any]:
    text = text.replace("%", "%%")
    if default is inspect.Parameter.empty:
        given: dict[str, Any] = {"required": True, "help": text}
    else:
        given = {"default": default, "help": text + _shown(default)}
    if get_origin(hint) in (Union, UnionType):
        (hint,) = [one for one in get_args(hint) if one is not NoneType][:1]
    if get_origin(hint) in (list, tuple, Sequence):
        given["nargs"] = "+"
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        return {**given, "choices": get_args(hint)}
    if hint is bool:
        action = argparse.BooleanOptionalAction if default else "store_true"
        return {**given, "action": action}
    return {**given, "type": hint}


def _shown(default: Any) -> str:
    """Write a default behind a help text; None has its meaning in the text itself."""
    if default is None or default is False:
        return ""
    if default is True:
        return " (yes)"
    values = default if isinstance(default, list | tuple) else [default]
    return f" ({' '.join(map(str, values))})".replace("%", "%%")


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
