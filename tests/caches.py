"""A real cache, and the folder it belongs to, from arrays: for tests that need no pictures."""

import csv
import shutil
from pathlib import Path

import numpy as np

from features import manifest as manifests
from features import schema
from features.datasets import load_dataset
from features.index import index_hash, write_index
from features.shard_writer import ShardWriter

#: Options of `classify.sweep.sweep`: four lines in a moment.
SMALL_SWEEP = {"learner": ["l2"], "C": [0.1, 1.0], "splits": 2, "folds": 2, "jobs": 1}


def halved_problem(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw skewed features (n, 12) and three labels, each present in the half that scores best."""
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (n, 12)).astype(np.float32)
    scores = X @ rng.normal(size=(12, 3))
    return X, (scores > np.quantile(scores, 0.5, axis=0)).astype(np.int8)


def write_problem(folder: Path, label_names, labels, layers) -> Path:
    """Write a folder of numbered pictures and a cache of it that holds the labels."""
    ids = [f"{row:03}.png" for row in range(len(labels))]
    data = write_data(folder / "small", ids, label_names, labels)
    return write_labeled_cache(folder / "small.cache", data, layers)


def write_data(folder: Path, ids, label_names, labels) -> Path:
    """Write ``labels.csv`` and empty files in place of the images."""
    (folder / "images").mkdir(parents=True)
    for image in ids:
        (folder / "images" / image).touch()
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["image", *label_names])
        lines.writerows([image, *row] for image, row in zip(ids, labels.tolist(), strict=True))
    return folder


def write_cache(folder: Path, data: Path, layers, *, failed=(), pooling="none") -> Path:
    """Write one shard of `layers` (name to (n, d) array) for the images of `data`."""
    folder.mkdir(parents=True)
    dataset = load_dataset(data)
    sizes = np.zeros(len(dataset), dtype=int)
    manifest = {
        "schema": schema.VERSION,
        "index": {"rows": len(dataset), "sha256": index_hash(dataset, sizes)},
        "shard_rows": max(2048, len(dataset)),
        "layer_order": list(layers),
        "layers": {
            name: {
                "shape": [array.shape[1]],
                "dtype": "float32",
                "layout": "channel",
                "pooling": pooling,
            }
            for name, array in layers.items()
        },
    }
    manifests.write_or_check(folder, manifest)
    status = np.full(len(dataset), schema.Status.OK, dtype=np.uint8)
    status[list(failed)] = schema.Status.UNDECODABLE
    arrays = {name: np.array(array, dtype=np.float32) for name, array in layers.items()}
    for array in arrays.values():
        array[list(failed)] = np.nan
    with ShardWriter(folder, 0, manifest) as shard:
        shard.write(
            range(len(dataset)),
            arrays,
            status,
            [""] * len(dataset),
            [f"{row:064x}" for row in range(len(dataset))],
        )
    write_index(folder, dataset, sizes, manifest)
    return folder


def write_labeled_cache(folder: Path, data: Path, layers, *, pooling="none") -> Path:
    """Write a cache that keeps the labels of `data`, as extraction does."""
    write_cache(folder, data, layers, pooling=pooling)
    shutil.copy(data / "labels.csv", folder)
    return folder
