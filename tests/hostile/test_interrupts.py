"""Ctrl-C while a program's modules load, before any of its own code can catch it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.interrupts import LINE

ROOT = Path(__file__).parents[2]
MULTILABEL = "import sys; from features.multilabel import run; sys.exit(run())"
PROGRAMS = {
    **{name: ("-m", name) for name in ("extract", "features", "classify", "benchmarks")},
    "multilabel": ("-c", MULTILABEL, "extract"),
}
#: Python runs it before everything else: at the first import of a module, Ctrl-C comes.
SITE = """
import signal, sys, time

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            {action}

class Callback:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
"""
PRESS = "signal.raise_signal(signal.SIGINT)"
ACTIONS = {
    "plainly": PRESS,
    "in a callback": "Callback(); time.sleep(0.2)  # it comes once more",
    "made another error": "\n".join(
        (f"try: {PRESS}", " " * 12 + "except KeyboardInterrupt: raise ImportError('no numpy')")
    ),
}


def run(tmp_path, program, name, action, **environment):
    (tmp_path / "sitecustomize.py").write_text(SITE.format(name=name, action=action))
    places = os.pathsep.join((str(tmp_path), str(ROOT)))
    return subprocess.run(
        [sys.executable, *PROGRAMS[program], "--help"],
        env={**os.environ, "PYTHONPATH": places, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["features.command_line", "argparse", "features.errors"])
def test_ctrl_c_while_modules_load_is_one_line(tmp_path, program, name):
    done = run(tmp_path, program, name, PRESS)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{LINE}\n")


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("name", ["typing", "extract.config"])
def test_ctrl_c_however_it_comes(tmp_path, action, name):
    done = run(tmp_path, "extract", name, action)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{LINE}\n")


def test_the_traceback_is_shown_on_demand(tmp_path):
    done = run(tmp_path, "features", "argparse", PRESS, TAGGING_DEBUG="1")
    assert done.returncode == 130
    assert "Traceback" in done.stderr and done.stderr.endswith(f"{LINE}\n")


def test_another_error_is_told_as_always(tmp_path):
    done = run(tmp_path, "features", "argparse", "raise ImportError('odd')")
    assert done.returncode == 1 and done.stderr.endswith("ImportError: odd\n")


def test_an_import_as_a_library_changes_no_hook():
    code = "import sys, extract.__main__, features.multilabel; sys.exit(sys.excepthook.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == "sys\n"
