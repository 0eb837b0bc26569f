"""A small data set with pictures, its cache and a sweep, for pages."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from classify.sweep import sweep
from tests.caches import write_data, write_labeled_cache

N = 60
NAMES = ["red", "green", "blue <b>"]


class Place(NamedTuple):
    """What a page is made of."""

    data: object
    cache: object
    sweep: object


def small_set(folder, *, n=N, names=NAMES, ids=None, unknown=False):
    """Write pictures, whose colors their labels are, and a cache of those colors in two layers."""
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (n, 8))
    Y = (X[:, : len(names)] > 0.8).astype(np.int8)
    if unknown:
        Y[rng.random(Y.shape) < 0.2] = -1
    ids = ids or [f"{row:02}.png" for row in range(n)]
    data = write_data(folder / "data", ids, names, Y)
    for image, row in zip(ids, X, strict=True):
        color = tuple(int(value) for value in np.clip(80 * row[:3], 0, 255))
        Image.new("RGB", (40, 30), color).save(data / "images" / image, "PNG")
    layers = {"net/low": X[:, 4:], "net/high": X[:, :4]}
    return data, write_labeled_cache(folder / "cache", data, layers)


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without drawings, which take most of the time, for what they have no part in."""
    monkeypatch.setattr("classify.report.figures.to_element", lambda *_: "<svg></svg>")


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Sixty pictures, and a sweep of l1 and l2 on five splits."""
    folder = tmp_path_factory.mktemp("report")
    data, cache = small_set(folder)
    out = sweep(cache, folder / "sweep.jsonl", C=(0.1, 1.0, 10.0), splits=5, folds=2, jobs=1)
    return Place(data, cache, out)
