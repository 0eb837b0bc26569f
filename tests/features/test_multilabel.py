import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from features import multilabel
from features.command_line import CommandParser
from features.errors import InputError


@pytest.fixture(autouse=True)
def process(monkeypatch):
    """Keep what a started program changes in the process."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(CommandParser, "launcher", CommandParser.launcher)


def test_the_version_is_the_distributions(capsys):
    multilabel.main(["--version"])
    assert capsys.readouterr().out == f"multilabel {version('multilabel-from-cache')}\n"


def test_help_lists_every_program_and_loads_none():
    code = (
        "import sys; from features.multilabel import main; main([]); "
        "heavy = {'torch', 'numpy', 'sklearn', 'extract', 'classify', 'benchmarks'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in (*multilabel.PROGRAMS, *multilabel.SHORTCUTS):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("program", multilabel.PROGRAMS)
def test_a_program_shows_the_name_that_it_was_called_by(program, capsys):
    with pytest.raises(SystemExit) as left:
        multilabel.main([program, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: multilabel {program}")


@pytest.mark.parametrize("name", multilabel.SHORTCUTS)
def test_a_command_has_its_own_name_too(name, capsys):
    program, _ = multilabel.SHORTCUTS[name]
    with pytest.raises(SystemExit) as left:
        multilabel.main([name, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: multilabel {program} {name} ")


def test_an_unknown_program_is_told_what_there_is():
    with pytest.raises(InputError, match="must be one of extract, features, classify, benchmarks"):
        multilabel.main(["train"])


def test_a_program_that_is_not_installed_is_told_where_to_run_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="benchmarks is not installed: run it from a checkout"):
        multilabel.main(["benchmarks", "quickstart"])
