"""Seconds of this project against labels, splits, columns and rows, on synthetic features.

The rows come from a cache that is larger than the memory the fitting process may allocate.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, count_of
from benchmarks.speed.record import LINEAR, exponent
from benchmarks.speed.sweep.data import Task
from benchmarks.speed.sweep.paths import TOL
from benchmarks.speed.sweep.peers import OURS
from benchmarks.speed.sweep.plan import Sizes
from benchmarks.speed.sweep.solver import PENALTIES, Solver, completed
from features import schema
from features.datasets import Dataset
from features.index import index_hash, write_index
from features.labels import write_labels_csv
from features.manifest import Manifest, write_or_check
from features.shard_writer import ShardWriter

FACTORS, RELEVANT = 32, 10  # hidden factors of a row; columns that a label depends on
LONG = 5.0  # seconds from which a size is timed once
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


def measure_scaling(
    folder: Path, sizes: Sizes, *, threads: int, rounds: int, splits: Mapping[str, Sequence[float]]
) -> tuple[str, list[Target]]:
    """Time both penalties at every size, and fit the exponents.

    Parameters
    ----------
    folder : Path
        For arrays and the cache.
    sizes : Sizes
    threads : int
        Of the process that fits.
    rounds : int
        Interleaved; but the rows, and what takes over 5 s, are timed once.
    splits : mapping of str to sequence of float
        Seconds of each split of a sweep, by penalty.

    Returns
    -------
    report : str
    targets : list of Target
        For labels, splits and columns.
    """
    n, d, L = sizes.base
    features = Generator(max(sizes.columns), max(sizes.labels)).rows(n)
    task = Task.make("synthetic", folder / "arrays", *features)
    scaling = {
        "labels": (sizes.labels, [{"labels": range(size), "columns": d} for size in sizes.labels]),
        "columns": (sizes.columns, [{"labels": range(L), "columns": k} for k in sizes.columns]),
    }
    lines: list[list[str]] = []
    targets: list[Target] = []
    with Solver(OURS, task.folder, threads) as ours:
        for name, (values, turns) in scaling.items():
            for penalty in PENALTIES:
                seconds = _time(ours, penalty, turns, rounds)
                _add(lines, targets, penalty, name, values, seconds)
    for penalty, times in splits.items():
        counts = [k for k in (1, 3, 10, 30, 100) if k <= len(times)]
        _add(lines, targets, penalty, "splits", counts, [sum(times[:k]) for k in counts])
    lines += _time_rows(folder / "cache", sizes, threads)
    head = ["seconds at tolerance 1e-3", "from the smallest to the largest", "exponent"]
    text = (
        f"Synthetic features, {n} rows x {d:,} columns x {L} labels where they don't vary, C = 1, "
        f"{count_of(threads, 'thread')}; medians of {count_of(rounds, 'round')}, but sizes that "
        f"take over {LONG:g} s are timed once; splits are those of the sweep above.\n\n"
        f"{table(head, lines)}\n"
        f"{_cache_line(folder / 'cache', sizes)}\n"
    )
    return text, targets


def _time(ours: Solver, penalty: str, turns: Sequence[dict], rounds: int) -> list[float]:
    seconds: list[list[float]] = [[] for _ in turns]
    for _ in tqdm(range(rounds), desc=f"scaling, {penalty}", unit="round"):
        for times, what in zip(seconds, turns, strict=True):
            if times and times[0] > LONG:
                continue
            turn = completed(ours.fit(penalty=penalty, level=TOL, **{"Cs": [1.0], **what}))
            times.append(turn.seconds)
    return [statistics.median(times) for times in seconds]


def _time_rows(folder: Path, sizes: Sizes, threads: int) -> list[list[str]]:
    """Time more and more rows of a cache under the limit.

    The weight of the mean loss is kept: C falls as the rows become more.
    """
    columns, labels = sizes.tall
    write_cache(folder, max(sizes.rows), columns, labels, shard_rows=8192)
    turns = [
        {"Cs": [sizes.rows_C / rows], "rows": rows, "labels": range(labels)} for rows in sizes.rows
    ]
    lines: list[list[str]] = []
    with Solver(OURS, folder, threads, limit_mb=sizes.limit_mb) as ours:
        for penalty in PENALTIES:
            _add(lines, [], penalty, "rows", sizes.rows, _time(ours, penalty, turns, 1))
    return lines


def _add(lines, targets, penalty: str, name: str, values, seconds) -> None:
    slope = exponent(values, seconds)
    pairs = zip(values, seconds, strict=True)
    measured = ", ".join(f"{value:,}: {time:.3g}" for value, time in pairs)
    lines.append([f"{penalty}, {name}", measured, f"{slope:.2f}"])
    what, met = f"{penalty}, exponent in {name}", None if np.isnan(slope) else slope <= LINEAR
    targets.append(Target(what, "at most 1", f"{slope:.2f}", met))


def _cache_line(folder: Path, sizes: Sizes) -> str:
    columns, labels = sizes.tall
    rows, stored = max(sizes.rows), max(sizes.rows) * columns * 4 / 2**20
    size = "larger" if stored > sizes.limit_mb else "not larger, at these sizes,"
    return (
        f"Rows: the first of a cache of {rows:,} x {columns:,} float32 values with {labels} labels,"
        f" {stored:,.0f} MiB, {size} than the {sizes.limit_mb:,} MiB that RLIMIT_DATA lets the "
        "process allocate (mapped files, which the kernel may drop, are not part of it). There C "
        f"is {sizes.rows_C:g} / rows, so that loss and penalty keep their balance; one round."
    )
