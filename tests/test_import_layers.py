"""Import directions between the packages and inside classify, circles, depth, and heavy imports."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "extract", "classify", "benchmarks")
MAY_IMPORT = {
    "features": set(),
    "extract": {"features"},
    "classify": {"features"},
    "classify.finetune": {"features", "extract"},
    "classify.tag": {"features", "extract"},
    "benchmarks": {"features", "extract", "classify"},
}
#: Arrows inside classify and benchmarks: a folder to what it may import of its own package, beside
#: itself; or a file of classify by its name. "modules" are those of its files that families share.
INSIDE = {
    "classify.decisions": {"modules"},
    "classify.losses": set(),
    "classify.metrics": set(),
    "classify.solvers": {"classify.losses"},
    "classify.storage": set(),
    "classify.warp": {"modules", "classify.losses", "classify.metrics", "classify.solvers"},
    "classify.imcl": {"modules", "classify.losses", "classify.metrics", "classify.solvers"},
    "classify.baselines": {"modules", "classify.losses", "classify.metrics", "classify.solvers"},
    "classify.miml": {"modules", "classify.losses", "classify.metrics", "classify.solvers"},
    "benchmarks.report": {"classify.metrics", "classify.results"},
    "benchmarks.synthetic": set(),
}
#: What the families share; other modules of classify are built on the families.
SHARED = {"base", "logistic", "parameters", "row_blocks", "sgd"}
#: What may be imported everywhere in classify; it imports nothing of the project.
EVERYWHERE = {"classify.compiled"}
MAY_IMPORT_TORCH = ("extract", "classify.finetune", "classify.tag", "benchmarks")
DEEPEST = 12
MOST_MODULES = 20


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {name_of(path): path for top in PACKAGES for path in sorted((ROOT / top).rglob("*.py"))}


def imported(tree, *, top_level=False):
    """Give the modules of this project, and others by their names, that a tree imports."""
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: use the absolute name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SOURCES else node.module


def tree_of(name):
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


def folder_of(name):
    """Give the folder that a table names: ``classify.warp`` for ``classify.warp.tagger``."""
    parts = name.split(".")
    is_package = SOURCES[name].name == "__init__.py"
    return ".".join(parts[:2]) if len(parts) > 2 or (len(parts) == 2 and is_package) else parts[0]


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_one_way(name):
    top, folder = name.split(".")[0], folder_of(name)
    package = folder if folder in MAY_IMPORT else top
    for target in imported(tree_of(name)):
        other = target.split(".")[0]
        if other in PACKAGES and other != top:
            assert other in MAY_IMPORT[package], f"{package} must not import {target}"
        if other in ("torch", "torchvision"):
            assert package in MAY_IMPORT_TORCH, f"{package} must not import {target}"
        assert other != "tests", f"{name} imports the tests"


@pytest.mark.parametrize("name", [one for one in SOURCES if folder_of(one) in INSIDE])
def test_a_folder_imports_only_what_its_row_lists(name):
    folder = folder_of(name)
    for target in imported(tree_of(name)):
        if target not in SOURCES or target in EVERYWHERE or target.split(".")[0] == "features":
            continue
        if target in INSIDE[folder]:
            continue
        other = folder_of(target)
        if other == "classify":  # a file directly in classify
            assert target == "classify" or target.split(".")[1] in SHARED, f"{name}: {target}"
            other = "modules"
        assert other == folder or other in INSIDE[folder], f"{folder} must not import {target}"


def longest_chain(name, known, above=()):
    """Give the longest chain of top-level imports that begins at a module."""
    assert name not in above, f"import circle: {' > '.join([*above, name])}"
    if name not in known:
        below = {one for one in imported(tree_of(name), top_level=True) if one in SOURCES}
        chains = [longest_chain(one, known, (*above, name)) for one in sorted(below - {name})]
        known[name] = (name, *max(chains, key=len, default=()))
    return known[name]


def test_there_is_no_circle_and_no_deep_chain():
    known = {}
    longest = max((longest_chain(name, known) for name in SOURCES), key=len)
    assert len(longest) <= DEEPEST, " > ".join(longest)


def test_no_folder_holds_too_many_modules():
    entrances = {"__init__.py", "__main__.py"}
    paths = [*SOURCES.values(), *(ROOT / "tests").rglob("*.py")]
    counts = Counter(path.parent for path in paths if path.name not in entrances)
    full = {str(folder): count for folder, count in counts.items() if count > MOST_MODULES}
    assert not full


@pytest.mark.parametrize("module", ["features.datasets", "classify", "classify.learners"])
def test_the_cpu_side_never_loads_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_folder_has_more_than_20_modules():
    folders = [path.parent for path in SOURCES.values() if path.name != "__init__.py"]
    for folder in set(folders):
        assert folders.count(folder) <= 20, f"{folder.relative_to(ROOT)} needs subfolders"
