"""Pictures, and what all later commands are given that was made from them."""

import numpy as np
import pytest
from PIL import Image

from classify.sweep import sweep
from classify.training import fit
from extract.config import ExtractConfig
from extract.run import run
from features.datasets import load_dataset

PICTURES = 24
SWEEP = {"learner": ["l2"], "C": [1.0], "splits": 2, "folds": 2, "jobs": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_backbone):
    """A folder with pictures, their cache, a model and the lines of a sweep."""
    folder, rng = tmp_path_factory.mktemp("trained"), np.random.default_rng(0)
    data = folder / "data"
    (data / "images").mkdir(parents=True)
    lines = ["image,cat,dog"]
    for k in range(PICTURES):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(data / "images" / f"{k}.png")
        lines.append(f"{k}.png,{k % 2},{k // 2 % 2}")
    (data / "labels.csv").write_text("\n".join([*lines, ""]))
    config = ExtractConfig(tiny_backbone, "random:0", workers=1)
    cache = run(config, load_dataset(data), folder / "made.cache")
    fit(cache, folder / "model", learner="l2", C=1.0, thresholds="f1", folds=2, jobs=1)
    sweep(cache, folder / "sweep.jsonl", **SWEEP)
    return folder
