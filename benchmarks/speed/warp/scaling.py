"""An epoch of RMLC on more and more rows and labels, read from a cache mapped into memory."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.speed.memory import peak_memory
from benchmarks.speed.record import timed
from benchmarks.speed.sweep.scaling import write_shards
from benchmarks.speed.warp.peers import EPOCHS, make_blocks, ours
from features.cache import FeatureCache
from features.rows import CacheRows

SHARD_ROWS = 2048  # as extraction makes them by default

Size = tuple[int, int, int]


def scaling_lines(sizes: Sequence[Size]) -> Iterator[dict[str, Any]]:
    """Time an epoch at every size, (rows, features, labels), and watch the memory of the fit.

    Each cache lies in the system's temporary folder while it is measured.
    """
    for size in tqdm(sizes, desc="scaling", unit="size"):
        with tempfile.TemporaryDirectory() as place:
            X, Y = cache_of(Path(place) / "scaling.cache", size)
            with peak_memory() as peak:
                _, seconds = timed(lambda X=X, Y=Y: ours("ramp")(X, Y))  # type: ignore[misc]
        yield {
            "what": "x".join(map(str, size)),
            **dict(zip(("rows", "features", "labels"), size, strict=True)),
            **{name: value / EPOCHS for name, value in seconds.items()},
            "peak_mb": peak["bytes"] / 1e6,
        }


def cache_of(folder: Path, size: Size) -> tuple[CacheRows, np.ndarray]:
    """Write a cache of synthetic features; return its rows, mapped, and their labels."""
    rows, columns, labels = size
    make, truth = make_blocks(columns, labels), []

    def features(count):
        X, Y = make(count)
        truth.append(Y)
        return X

    write_shards(folder, rows, columns, features, shard_rows=SHARD_ROWS)
    return CacheRows(FeatureCache(folder)), np.concatenate(truth)
