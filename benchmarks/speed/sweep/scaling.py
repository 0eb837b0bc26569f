"""Seconds of this project against labels, splits, columns and rows, on synthetic features.

The rows come from a cache that is larger than the memory the fitting process may allocate.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.speed.sweep.data import Task
from benchmarks.speed.sweep.peers import OURS
from benchmarks.speed.sweep.plan import LONG, PENALTIES, TOL, Sizes
from benchmarks.speed.sweep.solver import Solver, completed
from classify.results import Line
from features import schema
from features.datasets import Dataset
from features.index import index_hash, write_index
from features.labels import write_labels_csv
from features.manifest import Manifest, write_or_check
from features.shard_writer import ShardWriter

FACTORS, RELEVANT = 32, 10  # hidden factors of a row; columns that a label depends on
POSITIVE = 0.1  # share of the rows that have a label


class Generator:
    """Rows like a network's: non-negative, correlated, and labels that hang on a few columns.

    Parameters
    ----------
    columns, labels, seed : int
    """

    def __init__(self, columns: int, labels: int, seed: int = 0):
        self._rng = np.random.default_rng(seed)
        draw = self._rng.standard_normal
        self._mix = draw((FACTORS, columns), dtype=np.float32) / np.float32(FACTORS**0.5)
        self._columns = self._rng.integers(columns, size=(labels, RELEVANT))
        self._weights = draw((labels, RELEVANT), dtype=np.float32)
        self._thresholds: np.ndarray | None = None

    def rows(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the next rows: features, float32 (count, d), and labels, int8 (count, L)."""
        draw = self._rng.standard_normal
        X = draw((count, FACTORS), dtype=np.float32) @ self._mix
        X += draw(X.shape, dtype=np.float32)
        np.maximum(X, 0, out=X)
        pairs = zip(self._columns, self._weights, strict=True)
        scores = np.stack([X[:, columns] @ weights for columns, weights in pairs], axis=1)
        scores += draw(scores.shape, dtype=np.float32)
        if self._thresholds is None:
            self._thresholds = np.quantile(scores, 1 - POSITIVE, axis=0)
        return X, (scores > self._thresholds).astype(np.int8)


def write_cache(folder: Path, rows: int, columns: int, labels: int, *, shard_rows: int) -> None:
    """Write a cache of synthetic features, one shard in memory at a time."""
    generator, truth = Generator(columns, labels), []

    def features(count):
        X, Y = generator.rows(count)
        truth.append(Y)
        return X

    manifest = write_shards(folder, rows, columns, features, shard_rows=shard_rows)
    pictures = _pictures(folder, rows)
    write_index(folder, pictures, np.zeros(rows, dtype=int), manifest)
    names = tuple(f"label{k}" for k in range(labels))
    write_labels_csv(folder / schema.LABELS, pictures.ids, np.concatenate(truth), names)


def _pictures(folder: Path, rows: int) -> Dataset:
    ids = tuple(f"{row:06}" for row in range(rows))
    return Dataset(folder, ids, ids)


def write_shards(
    folder: Path,
    rows: int,
    columns: int,
    draw: Callable[[int], np.ndarray],
    *,
    shard_rows: int,
) -> Manifest:
    """Write the shards of a cache, whose next so many rows (count, columns) `draw` makes up."""
    folder.mkdir(parents=True)
    sizes = np.zeros(rows, dtype=int)
    record = {"dtype": "float32", "layout": "channel", "pooling": "none", "shape": [columns]}
    manifest = {
        "schema": schema.VERSION,
        "index": {"rows": rows, "sha256": index_hash(_pictures(folder, rows), sizes)},
        "shard_rows": shard_rows,
        "layer_order": ["synthetic"],
        "layers": {"synthetic": record},
    }
    write_or_check(folder, manifest)
    count = schema.shard_count(shard_rows, rows)
    for number in tqdm(range(count), desc="synthetic cache", unit="shard"):
        here = schema.shard_rows(number, shard_rows, rows)
        X = draw(len(here))
        status = np.full(len(here), schema.Status.OK, dtype=np.uint8)
        with ShardWriter(folder, number, manifest) as shard:
            nothing = [""] * len(here)
            shard.write(here, {"synthetic": X}, status, nothing, nothing)
    return manifest


def scaling_lines(folder: Path, sizes: Sizes, *, threads: int, rounds: int) -> Iterator[Line]:
    """Time both penalties at every size.

    Parameters
    ----------
    folder : Path
        For arrays and the cache.
    sizes : Sizes
    threads : int
        Of the process that fits.
    rounds : int
        In turns; but the rows, and what takes over 5 s, are timed once.

    Yields
    ------
    dict
        A line per size and round.
    """
    n, d, L = sizes.base
    features = Generator(max(sizes.columns), max(sizes.labels)).rows(n)
    task = Task.make("synthetic", folder / "arrays", *features)
    turns = {
        "labels": {size: {"labels": range(size), "columns": d} for size in sizes.labels},
        "columns": {size: {"labels": range(L), "columns": size} for size in sizes.columns},
    }
    with Solver(OURS, task.folder, threads) as ours:
        for axis, by_size in turns.items():
            for penalty in PENALTIES:
                yield from _timed(ours, penalty, axis, by_size, rounds)
    columns, labels = sizes.tall
    cache = folder / "cache"
    write_cache(cache, max(sizes.rows), columns, labels, shard_rows=8192)
    # The weight of the mean loss is kept: C falls as the rows become more.
    given = {"labels": range(labels)}
    by_size = {k: {"Cs": [sizes.rows_C / k], "rows": k, **given} for k in sizes.rows}
    with Solver(OURS, cache, threads, limit_mb=sizes.limit_mb) as ours:
        for penalty in PENALTIES:
            yield from _timed(ours, penalty, "rows", by_size, 1)


def _timed(
    ours: Solver, penalty: str, axis: str, turns: Mapping[int, dict[str, Any]], rounds: int
) -> Iterator[Line]:
    long: set[int] = set()
    for number in tqdm(range(rounds), desc=f"scaling, {penalty}", unit="round"):
        for size, what in turns.items():
            if size in long:
                continue
            given = {"penalty": penalty, "level": TOL, "Cs": [1.0], **what}
            turn = completed(ours.fit(**given))
            if turn.seconds > LONG:
                long.add(size)
            about = {"penalty": penalty, "axis": axis, "size": size}
            yield {**about, "round": number, "seconds": turn.seconds}
