"""How the commands of ``python -m benchmarks`` are declared and their options parsed."""

import argparse
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from features.command_line import CommandParser


class Command(NamedTuple):
    """One command.

    Attributes
    ----------
    path : tuple of str
        Its words, such as ``("tables", "miml")``.
    summary : str
        One line for the help text.
    example : str
        A line to paste into a shell.
    add_arguments : callable
        Given a parser, declares the options.
    run : callable
        Gets the options as keyword arguments; its signature holds their defaults.
    """

    path: tuple[str, ...]
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., Any]


def parser_of(
    commands: Sequence[Command], program: str, description: str
) -> argparse.ArgumentParser:
    """Build the parser of some commands; every level's help ends with examples to paste.

    Parameters
    ----------
    commands : sequence of Command
    program : str
        As it is typed, such as ``python -m benchmarks``.
    description : str

    Returns
    -------
    argparse.ArgumentParser
        What it parses holds ``run`` and, by name, the options.
    """
    parser = CommandParser(prog=program, description=description, **_examples(commands))
    _add_level(parser, commands, 0)
    return parser


def default(function: Callable, name: str) -> Any:
    """Give a parameter's default, so that a command line repeats it instead of stating its own."""
    return inspect.signature(function).parameters[name].default


def _add_level(parser: argparse.ArgumentParser, commands: Sequence[Command], depth: int) -> None:
    choices = parser.add_subparsers(metavar="command", required=True)
    for word in dict.fromkeys(command.path[depth] for command in commands):
        members = [command for command in commands if command.path[depth] == word]
        if len(members[0].path) > depth + 1:
            topics = ", ".join(command.path[depth + 1] for command in members)
            _add_level(
                choices.add_parser(word, help=topics, **_examples(members)), members, depth + 1
            )
            continue
        (command,) = members
        summary = command.summary
        leaf = choices.add_parser(word, help=summary, description=summary, **_examples(members))
        command.add_arguments(leaf)
        leaf.set_defaults(run=command.run)


def _examples(commands: Sequence[Command]) -> dict[str, Any]:
    lines = [f"  {command.example}" for command in commands]
    return {
        "epilog": "\n".join(["for example:", *lines]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
