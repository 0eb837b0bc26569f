"""``from features import ...``: every name resolves, and nothing heavy loads before it is named."""

import subprocess
import sys
from pathlib import Path

import pytest

import features

ROOT = Path(__file__).parents[2]


def test_every_name_resolves_and_is_listed():
    for name in features.__all__:
        assert getattr(features, name).__name__ == name
    assert set(features.__all__) <= set(dir(features))
    with pytest.raises(AttributeError, match="module 'features' has no attribute 'Cache'"):
        features.Cache  # noqa: B018


def test_importing_it_loads_nothing_heavy():
    heavy = "{'numpy', 'h5py', 'scipy', 'sklearn', 'torch'}"
    code = f"import features, sys; print(*{heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
