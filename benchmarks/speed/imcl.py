"""The joint matching pursuit of IMCL against loops and a peer, and what a training step costs.

All of it on one thread and on data drawn here. A timed region is one line; what was found is
compared outside it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import orthogonal_mp
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.report.machine import describe_machine
from benchmarks.report.markdown import table
from benchmarks.report.targets import Report, Target, at_least
from benchmarks.speed.imcl_reference import literal_omp, omp_by_query
from benchmarks.speed.memory import peak_memory
from classify.imcl.descent import Descent, Settings
from classify.imcl.joint_omp import Dictionary, Neighbors, joint_omp
from classify.imcl.label_graph import cooccurrence_graph
from classify.imcl.loss import LabelRules, Penalty
from classify.imcl.neighbors import Source
from classify.imcl.tagger import InteractiveTagger
from classify.imcl.variants import as_variant
from features.command_line import default

OVER_LOOP, SHARE, CONSTANT = 50.0, 0.6, 1.25
OURS, LOOP, PRODUCTS = "joint_omp, this project", "literal loop", "its matrix products alone"
KNOWN, PRESENT = 12, 3  # labels of a drawn row that are known, and those of them that are present
STEPS, WARM_UP = 20, 3


def speed_imcl(
    out: Path | None = None,
    *,
    queries: int = 1000,
    candidates: int = 10_000,
    features: int = 2048,
    labels: int = 300,
    k: int = 5,
    rounds: int = 5,
    literal_queries: int = 8,
    growth: Sequence[int] = (20_000, 100_000, 500_000),
    growth_features: int = 512,
    memory_rows: int = 1_000_000,
    memory_features: int = 512,
    memory_labels: int = 5000,
    folder: Path | None = None,
) -> str:
    """Measure and print Markdown tables.

    Parameters
    ----------
    out : Path, optional
        File to write them to as well, after every section.
    queries, candidates, features, labels, k : int
        Size of the pursuit, in float32.
    rounds : int
        Times that every contender runs, in turns.
    literal_queries : int
        Queries of the contenders that take one at a time; their times are scaled to all.
    growth : sequence of int
        Training rows, of `growth_features` and `labels`, on which a step is timed.
    memory_rows, memory_features, memory_labels : int
        Size of the fit whose memory is watched; features and labels are files mapped into memory.
    folder : Path, optional
        Where those files lie meanwhile; by default the system's temporary folder.

    Returns
    -------
    str
        The tables.
    """
    report = Report(f"{describe_machine()}; one thread\n", out)
    with threadpool_limits(1):
        _pursuit(report, (queries, candidates, features, labels, k), rounds, literal_queries)
        _growth(report, growth, growth_features, labels, folder)
        _memory(report, memory_rows, memory_features, memory_labels, folder)
    text = str(report)
    print(text)
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_imcl`; their defaults are its own."""
    add = parser.add_argument
    add("--out", type=Path, help="file for the tables, .md")
    for name, text in {
        "queries": "queries of the pursuit",
        "candidates": "rows of its dictionary",
        "features": "columns of both",
        "labels": "label values of both",
        "k": "neighbors of a query",
        "rounds": "times that every implementation runs, in turns",
        "literal-queries": "queries of those that take one at a time",
        "growth-features": "features of the growing data",
        "memory-rows": "training rows of the fit whose memory is watched",
        "memory-features": "its features",
        "memory-labels": "its labels",
    }.items():
        value = default(speed_imcl, name.replace("-", "_"))
        add(f"--{name}", type=int, default=value, help=f"{text} (%(default)s)")
    value = default(speed_imcl, "growth")
    add("--growth", nargs="+", type=int, default=value, help="training rows (%(default)s)")
    add("--folder", type=Path, help="where mapped files lie meanwhile (the temporary folder)")


def draw_pursuit(
    queries: int, candidates: int, features: int, labels: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw a dictionary, and queries that are noisy mixtures of eight of its rows.

    Returns
    -------
    Z, F : float32 arrays of shape (candidates, labels) and (candidates, features)
        Label values from -1/2 to 1, and features as after a ReLU of mean length 1.
    Y, G : float32 arrays of shape (queries, labels) and (queries, features)
    """
    rng = np.random.default_rng(seed)
    Z = rng.choice([-0.5, -0.1, 1.0], p=[0.3, 0.6, 0.1], size=(candidates, labels))
    F = np.maximum(rng.standard_normal((candidates, features)), 0) / np.sqrt(features / 2)
    parts = rng.integers(0, candidates, size=(queries, 8))
    shares = rng.dirichlet(np.ones(8), size=queries)
    Y = np.einsum("qp,qpl->ql", shares, Z[parts]) + 0.05 * rng.standard_normal((queries, labels))
    G = sum(shares[:, [p]] * F[parts[:, p]] for p in range(8))
    return tuple(np.ascontiguousarray(a, dtype=np.float32) for a in (Z, F, Y, G))  # type: ignore[return-value]


def _pursuit(report: Report, size, rounds: int, literal_queries: int) -> None:
    queries, candidates, features, labels, k = size
    Z, F, Y, G = draw_pursuit(queries, candidates, features, labels)
    few = min(queries, literal_queries)
    found = joint_omp(Y, G, Dictionary(Z, F), k=k)  # compiles too
    live = [queries, *((found.positions[:, :-1] >= 0).sum(axis=0)).tolist()]
    atoms = [np.ascontiguousarray((A / np.linalg.norm(A, axis=1, keepdims=True)).T) for A in (Z, F)]
    literal: list[tuple[list[int], np.ndarray, np.ndarray]] = []

    def products():
        for count in live:
            Y[:count] @ Z.T
            G[:count] @ F.T

    def loop():
        literal[:] = [literal_omp(y, f, Z, F, k=k) for y, f in zip(Y[:few], G[:few], strict=True)]

    contenders: dict[str, tuple[Callable[[], object], int]] = {
        OURS: (lambda: joint_omp(Y, G, Dictionary(Z, F), k=k), queries),
        PRODUCTS: (products, queries),
        "one query at a time, numpy": (
            lambda: [omp_by_query(Y[i], G[i], Z, F, k=k) for i in range(few)],
            few,
        ),
        LOOP: (loop, few),
        "scikit-learn, features alone": (_peer(atoms[1], G[:few], k), few),
        "scikit-learn, labels alone": (_peer(atoms[0], Y[:few], k), few),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in tqdm(range(rounds), desc="pursuit", unit="round"):
        for name, (run, count) in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - start) * queries / count)
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    lines = [
        [
            name if contenders[name][1] == queries else f"{name} ({few} queries, scaled)",
            f"{middle[name]:.2f} ({min(times):.2f} to {max(times):.2f})",
            f"{middle[LOOP] / middle[name]:,.1f}",
        ]
        for name, times in seconds.items()
    ]
    head = f"{queries:,} queries, {candidates:,} x {features:,}, {labels} labels, k = {k}"
    text = table([head, "s, median (min to max)", "times as fast as the loop"], lines)
    share, same, difference = middle[PRODUCTS] / middle[OURS], *_compare(found, literal)
    text += (
        f"\nA query finds {(found.positions >= 0).sum(axis=1).mean():.2f} neighbours. scikit-learn "
        "solves a simpler problem: one kind of rows, signs free, nothing chosen jointly.\n"
    )
    targets = [
        at_least("joint_omp against the literal loop", OVER_LOOP, middle[LOOP], middle[OURS]),
        Target(
            "share of the products in joint_omp's time",
            f"at least {100 * SHARE:g} %",
            f"{100 * share:.0f} %",
            share >= SHARE,
        ),
        Target(
            "queries with the literal loop's neighbours",
            f"{few} of {few}, ties apart",
            f"{same}; weights differ by {difference:.0e} at most",
            same == few,
        ),
    ]
    report.add("Joint matching pursuit", text, targets)


def _peer(atoms, targets, k) -> Callable[[], object]:
    return lambda: orthogonal_mp(atoms, targets.T, n_nonzero_coefs=k)


def _compare(found: Neighbors, literal) -> tuple[int, float]:
    """Count queries with the same neighbours, and give the largest difference of their weights."""
    same, difference = 0, 0.0
    for row, (chosen, c, c_bar) in enumerate(literal):
        if found.positions[row][: len(chosen)].tolist() == chosen:
            same += 1
            for ours, theirs in ((found.label_weights, c), (found.feature_weights, c_bar)):
                difference = max(difference, np.abs(ours[row, : len(chosen)] - theirs).max())
    return same, difference


def _growth(report: Report, sizes, features: int, labels: int, folder) -> None:
    seconds, lines = {}, []
    for rows in tqdm(sizes, desc="growth", unit="size"):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            X, Y = mapped_problem(Path(place), rows, features, labels)
            descent, batches = _descent(X, Y)
            times = []
            for batch in batches:
                start = time.perf_counter()
                descent.step(batch)
                times.append(time.perf_counter() - start)
            del X, Y, descent
        seconds[rows] = statistics.median(times[WARM_UP:])
        lines.append([f"{rows:,} x {features:,}, {labels} labels", f"{1e3 * seconds[rows]:.1f}"])
    ratio = max(seconds.values()) / min(seconds.values())
    target = Target(
        f"a step's time, {min(sizes):,} to {max(sizes):,} rows",
        f"the same within {CONSTANT:g} x",
        f"{ratio:.2f} x",
        ratio <= CONSTANT,
    )
    text = table(["training rows, mapped", "ms a step of 32 rows, median"], lines)
    report.add("A training step", text, [target])


def _descent(X, Y) -> tuple[Descent, list[np.ndarray]]:
    tagger, rng = InteractiveTagger(early_stopping="never"), np.random.default_rng(0)
    rules, zeros = LabelRules(), np.zeros((X.shape[1],), dtype=X.dtype)
    source = Source(X, Y, np.empty((len(X), 0), dtype=np.int8), 1.0, zeros, 1.0, rules)
    graph = cooccurrence_graph(Y[: tagger.dictionary_size])
    start = np.zeros((Y.shape[1], X.shape[1])), np.zeros(Y.shape[1])
    parameters = source.start(*start, graph, feature_map=False)
    settings = Settings.of(tagger, as_variant(tagger.variant))
    penalty = Penalty(1 / (KNOWN * len(X)), zeros, 1.0)
    rows = np.arange(len(X))
    descent = Descent(parameters, source, rows, penalty=penalty, settings=settings, rng=rng)
    batches = [
        np.sort(rng.choice(len(X), min(len(X), tagger.batch_size), replace=False))
        for _ in range(STEPS + WARM_UP)
    ]
    return descent, batches


def _memory(report: Report, rows: int, features: int, labels: int, folder) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        X, Y = mapped_problem(Path(place), rows, features, labels)
        start = np.zeros((labels, features), dtype=np.float32), np.zeros(labels, dtype=np.float32)
        tagger = InteractiveTagger(steps=STEPS, epochs=1, early_stopping="never")
        with peak_memory() as peak:
            begin = time.perf_counter()
            tagger.fit(X, Y, coef_init=start[0], intercept_init=start[1])
            seconds = time.perf_counter() - begin
        del X, Y
    line = [
        f"{rows:,} x {features:,}, {labels:,} labels",
        f"{rows * features * 4 / 1e6:,.0f}",
        f"{rows * labels / 1e6:,.0f}",
        f"{peak['bytes'] / 1e6:,.0f}",
        f"{seconds:.0f}",
    ]
    head = ["a fit from mapped files", "MB of features", "MB of labels", "MB allocated at the peak"]
    text = table([*head, f"s for all before, and {STEPS} steps"], [line])
    report.add("A training step", text)


def mapped_problem(folder: Path, rows: int, features: int, labels: int):
    """Draw features as after a ReLU and a few known labels a row into files; map them.

    Returns
    -------
    X : float32 memmap of shape (rows, features)
    Y : int8 memmap of shape (rows, labels)
        12 labels of a row are known, of which 3 are present, or as many as there are.
    """
    rng = np.random.default_rng(0)
    shapes = (rows, features), (rows, labels)
    X = np.memmap(folder / "features.f32", dtype=np.float32, mode="w+", shape=shapes[0])
    Y = np.memmap(folder / "labels.i8", dtype=np.int8, mode="w+", shape=shapes[1])
    length = np.float32(np.sqrt(features / 2))
    for start in range(0, rows, 4096):
        count = min(4096, rows - start)
        block = np.maximum(rng.standard_normal((count, features), dtype=np.float32), 0)
        X[start : start + count] = block / length
        known = rng.integers(0, labels, size=(count, KNOWN))
        part = np.full((count, labels), -1, dtype=np.int8)
        np.put_along_axis(part, known, 0, axis=1)
        np.put_along_axis(part, known[:, :PRESENT], 1, axis=1)
        Y[start : start + count] = part
    X.flush()
    Y.flush()
    return (
        np.memmap(folder / "features.f32", dtype=np.float32, mode="r", shape=shapes[0]),
        np.memmap(folder / "labels.i8", dtype=np.int8, mode="r", shape=shapes[1]),
    )
