"""``from classify import ...``: every name resolves, and nothing heavy loads before it is named."""

import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import classify
from classify.learners import LEARNERS

ROOT = Path(__file__).parents[2]


def test_every_name_resolves_and_is_listed():
    for name in classify.__all__:
        assert getattr(classify, name).__name__ == name
    assert set(classify.__all__) <= set(dir(classify))
    with pytest.raises(AttributeError, match="module 'classify' has no attribute 'Tager'"):
        classify.Tager  # noqa: B018


def test_the_estimator_of_every_learner_is_importable_from_the_package():
    for learner in LEARNERS.values():
        name = learner.constructor.partition(":")[2]
        assert issubclass(getattr(classify, name), BaseEstimator), name
        assert name in dir(classify)


@pytest.mark.parametrize("line", ["import classify", "from classify import learners"])
def test_importing_it_loads_nothing_heavy(line):
    heavy = "{'torch', 'numba', 'sklearn', 'scipy', 'h5py', 'joblib'}"
    code = f"{line}; import sys; print(*{heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
