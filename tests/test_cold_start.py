"""Help texts load none of the libraries that take a second to start."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "numba", "sklearn", "scipy", "h5py", "pandas", "matplotlib")

COMMANDS = [
    "extract",
    *("features", "features index", "features info", "features verify"),
    *("features merge", "features export"),
    "classify",
    "classify fit",
    "classify predict",
    "classify report",
    "classify sweep",
    "classify finetune",
    "classify cam",
    "benchmarks",
    "benchmarks tables",
    "benchmarks speed",
    "benchmarks results",
    "benchmarks quickstart",
    *(
        f"benchmarks speed {name}"
        for name in ("extract", "finetune", "imcl", "logistic", "miml", "sweep", "threads", "warp")
    ),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command):
    program, *words = command.split()
    heavy = (*HEAVY, "numpy") if program == "features" else HEAVY
    code = (
        "import contextlib, sys\n"
        f"from {program}.__main__ import main\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    main({[*words, '--help']})\n"
        f"print('loaded:', *sorted(set({heavy}) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    help_text, _, loaded = done.stdout.rpartition("loaded:")
    assert help_text.startswith(f"usage: python -m {command}")
    assert loaded == "\n"
