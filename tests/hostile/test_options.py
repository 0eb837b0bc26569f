"""Numbers, paths and counts of every option are bounded; messages have one mark at a time."""

import ast
import contextlib
import re
from pathlib import Path

import pytest

from benchmarks.catalog import CATALOG
from classify.__main__ import COMMANDS as CLASSIFY
from extract.__main__ import parser as extract_parser
from features.__main__ import COMMANDS as FEATURES
from features.command_line import CommandParser, load, parse, path
from features.errors import InputError, plain_words

ROOT = Path(__file__).parents[2]


def parsers():
    yield ("extract",), extract_parser()
    commands = [*FEATURES, *CLASSIFY, *dict.fromkeys(one.command for one in CATALOG.values())]
    for command in commands:
        parser = CommandParser(prog="x", description="y")
        load(command.add_arguments)(parser)
        yield command.path, parser


PARSERS = list(parsers())
#: Each command's parser, and each option of it that takes numbers.
NUMBERS = [
    pytest.param(parser, action, id=f"{' '.join(words)} {action.dest}")
    for words, parser in PARSERS
    for action in parser._actions
    if callable(action.type) and action.type not in (str, path) and action.option_strings
]
NONSENSE = (
    "1:10:99999999999", "1:10:-3", "1:10:²", "0:1:3", "1:nan:3",
    "nan", "NaN", "inf", "-inf", "1e400", "-2", "-0.5", "x", "", " ", "²", "1_0", "0x10", "1,x",
    "1.5.2", "9" * 5000, "1e", "None", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize(("parser", "action"), NUMBERS)
def test_a_number_that_is_none_is_refused_by_every_option(parser, action):
    (option,) = action.option_strings
    for text in NONSENSE:
        with pytest.raises(InputError, match=f"argument {option}: .*( Got |give three numbers)"):
            parser.parse_args([f"{option}={text}"])


PATHS = [
    pytest.param(parser, action, id=f"{' '.join(words)} {action.dest}")
    for words, parser in PARSERS
    for action in parser._actions
    if action.type is path and action.option_strings
]


@pytest.mark.parametrize(("parser", "action"), PATHS)
def test_a_path_that_is_none_is_refused_by_every_option(parser, action):
    assert len(PATHS) > 40
    (option,) = action.option_strings
    for text in ("", "a\0b", "\0", "photos/\0.csv"):
        with pytest.raises(InputError, match=f"argument {option}: a path must be .* Got '"):
            parser.parse_args([f"{option}={text}"])


PROCESSES = [
    one for one in NUMBERS if one.values[1].dest in ("jobs", "workers", "threads", "processes")
]


@pytest.mark.parametrize(("parser", "action"), PROCESSES)
def test_no_command_takes_0_processes(parser, action):
    (option,) = action.option_strings
    assert len(PROCESSES) > 10
    with pytest.raises(InputError, match=f"argument {option}: The .* Got 0"):
        parser.parse_args([option, "0"])


def test_defaults_are_within_the_bounds():
    count = 0
    for _, action in (parameter.values for parameter in NUMBERS):
        if action.type.__qualname__.startswith("number_type"):
            several = isinstance(action.default, list | tuple)
            for default in action.default if several else [action.default]:
                if default is not None:
                    assert action.type(str(default)) == default
                    count += 1
    assert count > 60


@pytest.mark.parametrize(
    ("option", "text", "allowed"),
    [
        ("--seed", "-1", r"an int in the range \[0, 4294967295\]. Got -1"),
        ("--seed", "4294967296", r"an int in the range \[0, 4294967295\]. Got 4294967296"),
        ("--seed", "1.0", "Got '1.0'"),
        ("--jobs", "0", r"an int in the range \[1, 2147483647\]. Got 0. Or give -1"),
        ("--jobs", "-2", "Got -2. Or give -1"),
        ("--folds", "0", r"range \[1, 2147483647\]. Got 0"),
        ("--C", "0", r"a float in the range \(0, inf\). Got 0.0"),
        ("--C", "-1", r"a float in the range \(0, inf\). Got -1.0"),
    ],
)
def test_bounds_of_fit(option, text, allowed):
    words = ["fit", "a.cache", "--out", "m.safetensors", option, text]
    with pytest.raises(InputError, match=allowed):
        parse(CLASSIFY, "python -m classify", "", words)


DOUBLED = re.compile(r"(?<!\.)\.[.;:,](?!\.)|[;:,][.;:,]")


@pytest.mark.parametrize(
    "parser", [pytest.param(parser, id=" ".join(words)) for words, parser in PARSERS]
)
def test_no_message_about_an_option_has_two_marks_in_a_row(parser):
    refused = [[], ["--no-such-option"]]
    refused += [
        [f"{action.option_strings[-1]}={value}"]
        for action in parser._actions
        if action.option_strings and action.dest != "list"
        for value in ("", "x", "-7")
    ]
    for words in refused:
        with contextlib.suppress(SystemExit):
            try:
                parser.parse_args(words)
            except InputError as error:
                assert not DOUBLED.search(str(error)), str(error)


def statements(block):
    """Yield statements at any depth, which is a third of the work of `ast.walk`."""
    for one in block:
        yield one
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(one, inner, ()))


@pytest.mark.parametrize("package", ["features", "extract", "classify", "benchmarks"])
def test_no_line_that_is_written_out_has_two_marks_in_a_row(package):
    for source in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        raised = [one.exc for one in statements(tree.body) if isinstance(one, ast.Raise)]
        for text in (one for exc in raised if exc for one in ast.walk(exc)):
            if isinstance(text, ast.JoinedStr):
                parts = (one.value if isinstance(one, ast.Constant) else "x" for one in text.values)
                line = "".join(parts)
                assert not DOUBLED.search(line), f"{source}: {line}"


def test_a_sentence_within_a_sentence_has_one_full_stop():
    assert plain_words(ValueError("No such size.")) == "No such size"
    assert plain_words(ValueError("and so on...")) == "and so on..."
    assert plain_words(InputError("It is bad. Give another.")) == "It is bad. Give another"


def test_a_count_that_a_help_text_allows_to_be_0_may_be_0():
    words = ["speed", "extract", "--data", "x", "--out", "o.md", "--long-run", "0"]
    commands = list(dict.fromkeys(one.command for one in CATALOG.values()))
    _, options = parse(commands, "python -m benchmarks", "", words)
    assert options["long_run"] == 0
