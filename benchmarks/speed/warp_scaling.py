"""How an epoch of RMLC grows with rows and labels that are read from a cache mapped into memory."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_most
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.sweep.scaling import LINEAR, exponent, write_shards
from benchmarks.speed.warp_peers import EPOCHS, draw_blocks, ours
from features.cache import FeatureCache
from features.rows import CacheRows

SHARD_ROWS = 2048  # as extraction makes them by default

Size = tuple[int, int, int]


def measure_growth(sizes: Sequence[Size], folder: Path | None) -> tuple[str, list[Target]]:
    """Time an epoch at every size, and fit how it grows.

    Parameters
    ----------
    sizes : sequence of (rows, features, labels)
    folder : Path, optional
        Where a cache lies while it is measured; by default the system's temporary folder.

    Returns
    -------
    report : str
    targets : list of Target
        The exponents in rows and in labels, where sizes differ in nothing else.
    """
    seconds, lines = {}, []
    for size in tqdm(sizes, desc="growth", unit="size"):
        n, d, labels = size
        with tempfile.TemporaryDirectory(dir=folder) as place:
            X, Y = cache_of(Path(place) / "growth.cache", size)
            with peak_memory() as peak:
                start = time.perf_counter()
                ours("ramp")(X, Y)
                seconds[size] = (time.perf_counter() - start) / EPOCHS
        lines.append(
            [
                f"{n:,} x {d:,}, {labels} labels",
                f"{seconds[size]:.2f}",
                f"{1e6 * seconds[size] / n:.2f}",
                f"{n * d * 4 / 1e6:,.0f}",
                f"{peak['bytes'] / 1e6:,.0f}",
            ]
        )
    targets = []
    for axis, name in ((0, "rows"), (2, "labels")):
        for group in _growing(sizes, axis):
            slope = exponent([size[axis] for size in group], [seconds[size] for size in group])
            span = f"{group[0][axis]:,} to {group[-1][axis]:,} {name}"
            targets.append(at_most(f"exponent of an epoch's time, {span}", LINEAR, slope))
    head = ["RMLC from a mapped cache", "s an epoch", "µs a row", "MB of features"]
    return table([*head, "MB allocated at the peak"], lines), targets


def cache_of(folder: Path, size: Size) -> tuple[CacheRows, np.ndarray]:
    """Write a cache of drawn features; return its rows, mapped, and their labels."""
    rows, columns, labels = size
    draw, truth = draw_blocks(columns, labels), []

    def features(count):
        X, Y = draw(count)
        truth.append(Y)
        return X

    write_shards(folder, rows, columns, features, shard_rows=SHARD_ROWS)
    return CacheRows(FeatureCache(folder)), np.concatenate(truth)


def _growing(sizes: Sequence[Size], axis: int) -> list[list[Size]]:
    """Group sizes that differ along an axis only, smallest first."""
    groups: dict[Size, list[Size]] = {}
    for size in sorted(sizes):
        groups.setdefault((*size[:axis], 0, *size[axis + 1 :]), []).append(size)  # type: ignore[arg-type]
    return [group for group in groups.values() if len(group) > 1]
