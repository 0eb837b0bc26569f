import inspect
import shlex
import sys
from dataclasses import fields, is_dataclass

import pytest

from benchmarks.__main__ import main
from benchmarks.catalog import CATALOG
from features.command_line import load, parse
from features.errors import InputError

COMMANDS = list(dict.fromkeys(entry.command for entry in CATALOG.values()))
GROUPS = [[], ["tables"], ["speed"]]


@pytest.mark.parametrize("words", [*GROUPS, *(list(one.path) for one in COMMANDS)], ids=" ".join)
def test_help_shows_its_examples(words, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--help"])
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {' '.join(['python -m benchmarks', *words])} ")
    shown = [one.example for one in COMMANDS if list(one.path[: len(words)]) == words]
    assert shown and all(f"\n  {example}\n" in text for example in shown)


def defaults_of(function):
    """Give defaults by name; dataclasses of its module stand behind ``**options``."""
    parameters = inspect.signature(function).parameters.values()
    found = {one.name: None if one.default is one.empty else one.default for one in parameters}
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        members = vars(sys.modules[function.__module__]).values()
        for member in filter(is_dataclass, members):
            found |= {one.name: one.default for one in fields(member)}
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.path))
def test_an_example_gives_the_defaults_of_its_function(command):
    python, _, program, *words = shlex.split(command.example)
    assert (python, program) == ("python", "benchmarks")
    run, options = parse(COMMANDS, "python -m benchmarks", "", words)
    assert run == command.run
    defaults = defaults_of(load(run))
    given = {word.lstrip("-").replace("-", "_") for word in words if word.startswith("--")}
    for name, value in options.items():
        if name not in given and name in defaults:
            expected = defaults[name]
            same = list(value) == list(expected) if isinstance(value, list) else value == expected
            assert same, name


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.table)
def test_what_an_entry_names_exists(entry):
    for name in filter(None, (entry.page, entry.claims, entry.readme)):
        assert list(inspect.signature(load(name)).parameters) == ["header", "lines"]


def test_a_command_that_is_missing_is_told_where_to_look():
    with pytest.raises(InputError, match="`python -m benchmarks --help` shows"):
        main(["table"])
