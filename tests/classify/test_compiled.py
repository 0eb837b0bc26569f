"""Compiled loops: kept for the next process, and compiled where nothing can be kept."""

import ast

import numpy as np
import pytest
from numba.core import caching

from classify.compiled import compiled
from classify.losses.kernels import count_violators
from tests import children
from tests.test_import_layers import SOURCES, tree_of


def count():
    counts = np.zeros((1, 3))
    labels, scores = np.int8([[1, 0, 0]]), np.array([[0.5, 0.0, -2.0]])
    count_violators(np.where(labels == 0, scores, -np.inf), scores, labels, counts)
    return counts


def count_and_tell():
    count()
    print(sum(count_violators.stats.cache_hits.values()))


def test_a_process_that_comes_after_compiles_nothing(tmp_path):
    assert count().tolist() == [[1, 0, 0]]
    done = children.run(count_and_tell, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_without_a_folder_to_keep_code_in_it_is_compiled(monkeypatch):
    def double(x):
        return 2 * x

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    function = compiled()(double)
    assert function(4) == 8
    assert function.stats.cache_path is None


def functions(name):
    if "@compiled" not in SOURCES[name].read_text(encoding="utf-8"):
        return {}  # parsing every file takes seconds
    return {node.name: node for node in ast.walk(tree_of(name)) if type(node) is ast.FunctionDef}


def is_compiled(function):
    return any("compiled" in ast.unparse(one) for one in function.decorator_list)


@pytest.mark.parametrize(
    "name", [name for name in SOURCES if any(map(is_compiled, functions(name).values()))]
)
def test_compiled_functions_call_none_of_another_file(name):
    """A change of the other file would go unnoticed."""
    ours = ("classify.", "features.")
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ImportFrom) and node.module.startswith(ours)
        for alias in node.names
    }
    for function in filter(is_compiled, functions(name).values()):
        body = ast.Module(function.body, [])
        used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
        assert not used & foreign


def test_numba_is_asked_in_one_place():
    asking = [name for name in SOURCES if "njit" in SOURCES[name].read_text(encoding="utf-8")]
    assert asking == ["classify.compiled"]
