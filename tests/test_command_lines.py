"""Wrong arguments of every command: one line, what can be given, exit code 1."""

import argparse
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main as benchmarks
from classify.__main__ import main as classify
from extract.__main__ import main as extract
from features.__main__ import main as features
from features.command_line import CommandParser, argument, run_command
from features.errors import InputError

SWEEP = ["sweep", "photos.cache", "--out", "sweep.jsonl"]


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (
            classify,
            [*SWEEP, "--C", "0"],
            "argument --C: The 'C' option must be a float in the range (0, inf). Got 0.0; ",
        ),
        (
            classify,
            [*SWEEP, "--C", "1:2"],
            "argument --C: The 'C' option must be LOW:HIGH:COUNT, as in ",
        ),
        (
            classify,
            [*SWEEP, "--C=-1,2"],
            "argument --C: The 'C' option must be a float in the range (0, inf). Got -1.0; ",
        ),
        (
            classify,
            [*SWEEP, "--splits", "many"],
            "argument --splits: The 'splits' option must be an int in the range [1, ",
        ),
        (classify, ["fit"], "the following arguments are required: cache, --out; "),
        (classify, [], "the following arguments are required: command; "),
        (extract, ["--data", "x", "--out", "y", "--dtype", "int8"], "argument --dtype: invalid "),
        (extract, ["--data", "x", "--out", "y", "--sise", "9"], "unrecognized arguments: --sise"),
        (features, ["inform", "x"], "argument command: invalid choice: 'inform' (choose from "),
        (features, ["info"], "the following arguments are required: cache; `python -m features "),
        (benchmarks, ["speed"], "the following arguments are required: command; `python -m "),
        (
            benchmarks,
            ["speed", "warp", "--out", "x", "--scaling", "1x0x1"],
            "argument --scaling: size '1x0x1'; give three numbers, as in 100000x512x80; ",
        ),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_1(
    main, arguments, message, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["main", *arguments])
    with pytest.raises(SystemExit) as left:
        run_command(main if main is benchmarks else lambda: main(arguments))
    printed = capsys.readouterr()
    assert left.value.code == 1
    assert printed.out == ""
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.endswith(" --help` shows what can be given\n")
    assert printed.err.count("\n") == 1


def test_other_errors_of_a_conversion_stay_what_argparse_makes_of_them():
    def read(text):
        if text == "user's":
            raise InputError("the user's mistake")
        raise KeyError("ours")

    parse = CommandParser(prog="python -m tool")
    parse.add_argument("--given", type=argument(read))
    with pytest.raises(InputError, match="argument --given: the user's mistake; `python -m tool "):
        parse.parse_args(["--given", "user's"])
    with pytest.raises(KeyError, match="ours"):
        parse.parse_args(["--given", "other"])
    with pytest.raises(argparse.ArgumentTypeError, match="the user's mistake"):
        argument(read)("user's")


@pytest.mark.parametrize(("done", "code"), [("a page", 0), (None, 0), (Path("out"), 0), (3, 3)])
def test_what_a_command_returns_is_no_error_unless_it_is_a_code(done, code, capsys):
    with pytest.raises(SystemExit) as left:
        run_command(lambda: done)
    assert left.value.code == code
    assert capsys.readouterr().err == ""
