"""Ramp-loss WARP against plain logistic descent, a literal loop, growing data and matrix products.

All of it on one thread and on data drawn here. A timed region is one line; what the contenders
learnt is judged outside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.report.machine import describe_machine
from benchmarks.report.markdown import table
from benchmarks.report.targets import Report, Target, at_least, at_most
from benchmarks.speed.warp_peers import (
    BATCH_SIZE,
    CONTENDERS,
    EPOCHS,
    RMLC,
    TORCH,
    Contender,
    draw_problem,
    literal_epoch,
    objective,
)
from benchmarks.speed.warp_scaling import Size, measure_growth
from classify.metrics import example_ap
from classify.warp.propagation import ROWS_AT_ONCE, nearest_rows
from features.command_line import argument, default
from features.errors import InputError

OVER_TORCH, OVER_LOOP, SHARE = 1.5, 100.0, 0.8


def speed_warp(
    out: Path | None = None,
    *,
    rows: int = 50_000,
    features: int = 2048,
    labels: int = 80,
    rounds: int = 5,
    literal_rows: int = 200,
    growth: Sequence[Size] = (
        (100_000, 512, 80),
        (300_000, 512, 80),
        (1_000_000, 512, 80),
        (100_000, 512, 240),
        (100_000, 512, 800),
    ),
    propagation: tuple[int, int, int] = (46_000, 4_000, 2048),
    folder: Path | None = None,
) -> str:
    """Measure and print Markdown tables.

    Parameters
    ----------
    out : Path, optional
        File to write them to as well.
    rows, features, labels : int
        Size of the matrix that epochs are timed on, in float32.
    rounds : int
        Times that every contender runs, in turns.
    literal_rows : int
        Rows of the literal loop.
    growth : sequence of (rows, features, labels)
        Sizes of caches.
    propagation : (unlabelled rows, labelled rows, features)
    folder : Path, optional
        Where the caches lie meanwhile; by default the system's temporary folder.

    Returns
    -------
    str
        The tables.
    """
    import torch  # here, so that help need not wait for it

    report, threads = Report(f"{describe_machine()}; one thread\n", out), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            _epochs(report, (rows, features, labels), rounds, literal_rows)
            report.add("Growth", *measure_growth(growth, folder))
            _propagation(report, propagation, rounds)
    finally:
        torch.set_num_threads(threads)
    text = str(report)
    print(text)
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_warp`; their defaults are its own."""
    add = parser.add_argument
    add("--out", type=Path, help="file for the tables, .md")
    for name, text in {
        "rows": "rows of the matrix that epochs are timed on",
        "features": "its columns",
        "labels": "its labels",
        "rounds": "times that every implementation runs, in turns",
        "literal-rows": "rows of the literal loop over pairs",
    }.items():
        value = default(speed_warp, name.replace("-", "_"))
        add(f"--{name}", type=int, default=value, help=f"{text} (%(default)s)")
    growth, search = default(speed_warp, "growth"), default(speed_warp, "propagation")
    text = f"caches to read from, each ROWSxFEATURESxLABELS ({' '.join(map(_written, growth))})"
    add("--growth", nargs="+", type=argument(parse_size), default=growth, help=text)
    text = f"unlabeled rows x labeled rows x features ({_written(search)})"
    add("--propagation", type=argument(parse_size), default=search, help=text)
    add("--folder", type=Path, help="where the caches lie meanwhile (the temporary folder)")


def parse_size(text: str) -> Size:
    """Read three whole numbers.

    Raises
    ------
    InputError
        It is not three positive whole numbers.

    Examples
    --------
    >>> parse_size("100000x512x80")
    (100000, 512, 80)
    """
    try:
        first, second, third = map(int, text.split("x"))
        if min(first, second, third) < 1:
            raise ValueError("not positive")
    except ValueError as error:
        raise InputError(f"size {text!r}; give three numbers, as in 100000x512x80") from error
    return first, second, third


def _written(size: Size) -> str:
    return "x".join(map(str, size))


def _epochs(report: Report, size: Size, rounds: int, literal_rows: int) -> None:
    rows, features, labels = size
    X, Y = draw_problem(rows + rows // 10, features, labels)
    X, X_test, Y, Y_test = X[:rows], X[rows:], Y[:rows], Y[rows:]
    seconds: dict[str, list[float]] = {contender.name: [] for contender in CONTENDERS}
    models = {}
    for contender in CONTENDERS:
        contender.fit(X[: 2 * BATCH_SIZE], Y[: 2 * BATCH_SIZE])  # compiles, loads, fills caches
    for _ in tqdm(range(rounds), desc="epochs", unit="round"):
        for contender in CONTENDERS:
            start = time.perf_counter()
            models[contender] = contender.fit(X, Y)
            seconds[contender.name].append((time.perf_counter() - start) / EPOCHS)
    start = time.perf_counter()
    literal_epoch(X[:literal_rows], Y[:literal_rows])
    literal = (time.perf_counter() - start) * rows / literal_rows
    medians = {name: statistics.median(times) for name, times in seconds.items()}

    def line(contender: Contender) -> list[str]:
        name, (coef, intercept) = contender.name, models[contender]
        return [
            name,
            _spread(seconds[name]),
            f"{medians[name] / medians[TORCH]:.2f}",
            f"{literal / medians[name]:,.0f}",
            f"{objective(contender, X, Y, coef, intercept):.4f}",
            f"{example_ap(Y_test, X_test @ coef.T + intercept):.3f}",
        ]

    lines = [line(contender) for contender in CONTENDERS]
    name, ratio = f"RMLC, a literal loop ({literal_rows} rows, scaled)", literal / medians[TORCH]
    lines.append([name, f"{literal:.1f}", f"{ratio:.0f}", "1", "", ""])
    lines.append(["WARP, LightFM", "absent", "", "", "", ""])
    head = [f"{rows:,} x {features:,}, {labels} labels", "s an epoch, median (min to max)"]
    text = table([*head, "over torch", "times the loop's speed", "its loss", "a.p."], lines)
    notes = (
        f"\n{EPOCHS} epochs each, set-up included in the time. Its loss is the mean over the rows "
        "trained on, recomputed from the coefficients; a.p. that of rows not trained on. LightFM "
        "learns factors of rows and labels by one sampled pair a step, which is another model; its "
        "last release, 1.17, does not build on Python 3.11.\n"
    )
    over = medians[RMLC] / medians[TORCH]
    report.add(
        "An epoch",
        text + notes,
        [
            at_most("RMLC's epoch over torch's logistic one", OVER_TORCH, over),
            at_least("RMLC over the literal loop", OVER_LOOP, literal, medians[RMLC]),
        ],
    )


def _spread(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def _propagation(report: Report, size: Size, rounds: int) -> None:
    unlabelled, labelled, features = size
    X, _ = draw_problem(labelled + unlabelled, features, 3)
    references, queries = np.arange(labelled), np.arange(labelled, len(X))
    known, others = X[references], X[queries]

    def products():
        for start in range(0, unlabelled, ROWS_AT_ONCE):
            others[start : start + ROWS_AT_ONCE] @ known.T

    def search(name):
        return lambda: nearest_rows(X, references, queries, search=name)

    product, by_product = "matrix product alone", "nearest_rows, this project"
    contenders: dict[str, Callable[[], object] | None] = {
        product: products,
        by_product: search("product"),
        f"{by_product}, by faiss": search("faiss") if _has_faiss() else None,
        "scikit-learn, pairwise_distances_argmin_min": lambda: pairwise_distances_argmin_min(
            others, known
        ),
        "faiss alone, IndexFlatL2": _faiss_search(known, others) if _has_faiss() else None,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in tqdm(range(rounds), desc="propagation", unit="round"):
        for contender, run in contenders.items():
            if run is not None:
                start = time.perf_counter()
                run()
                seconds[contender].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items() if times}
    lines = [
        [name, _spread(times), f"{100 * medians[product] / medians[name]:.0f} %"]
        if times
        else [name, "absent", ""]
        for name, times in seconds.items()
    ]
    head = f"{unlabelled:,} rows against {labelled:,}, {features:,} features"
    share = medians[product] / medians[by_product]
    asked = Target("share of the product", f"at least {SHARE:.0%}", f"{share:.0%}", share >= SHARE)
    text = table([head, "s, median (min to max)", "share of the product"], lines)
    report.add("Propagation", text, [asked])


def _has_faiss() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def _faiss_search(known: np.ndarray, others: np.ndarray) -> Callable[[], object]:
    import faiss

    def search():
        index = faiss.IndexFlatL2(known.shape[1])
        index.add(known)
        return index.search(others, 1)

    faiss.omp_set_num_threads(1)
    return search
