"""Import direction: features <- {extract, classify} <- benchmarks, and no torch on the CPU side."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "extract", "classify", "benchmarks")
MAY_IMPORT = {
    "features": set(),
    "extract": {"features"},
    "classify": {"features"},
    "classify.finetune": {"features", "extract"},
    "benchmarks": {"features", "extract", "classify"},
}
MAY_IMPORT_TORCH = ("extract", "classify.finetune", "benchmarks")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import, use the absolute name"
            yield node.module


def _room(path):
    parts = path.relative_to(ROOT).parts
    return "classify.finetune" if parts[:2] == ("classify", "finetune") else parts[0]


SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = _room(path)
    for name in _imports(path):
        top = name.split(".")[0]
        if top in ROOMS and top != room.split(".")[0]:
            assert top in MAY_IMPORT[room], f"{room} must not import {name}"
        if top in ("torch", "torchvision"):
            assert room in MAY_IMPORT_TORCH, f"{room} must not import {name}"
        assert top != "tests", f"{path} imports the tests"


@pytest.mark.parametrize("module", ["features.cache", "features.datasets", "classify"])
def test_the_cpu_side_never_loads_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_never_waits_for_torch():
    code = "import sys, benchmarks.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
