"""Ramp-loss WARP against plain logistic descent, a literal loop, growing data and matrix products.

All of it on one thread and on data drawn here. A timed region is one line; what the contenders
learnt is judged outside it.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.machine import describe_machine
from benchmarks.markdown import table
from classify.metrics import example_ap
from classify.propagation import ROWS_AT_ONCE, nearest_rows
from classify.warp import WarpTagger
from features import files

BATCH_SIZE, MOMENTUM, LEARNING_RATE = 96, 0.9, 1.0
EPOCHS = 3  # of every contender; the time is divided by them, set-up included
LABELS_PER_IMAGE = 3

Fit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def run(
    out: Path | None = None,
    *,
    rows: int = 50_000,
    features: int = 2048,
    labels: int = 80,
    rounds: int = 3,
    literal_rows: int = 200,
    growth: Sequence[tuple[int, int, int]] = (
        (100_000, 512, 80),
        (1_000_000, 512, 80),
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
        Sizes of memory-mapped matrices.
    propagation : (unlabelled rows, labelled rows, features)
    folder : Path, optional
        Where the memory-mapped matrices lie meanwhile; by default the system's temporary folder.

    Returns
    -------
    str
        The tables.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            sections = [
                f"{describe_machine()}; one thread\n",
                _epochs(rows, features, labels, rounds, literal_rows),
                _growth(growth, folder),
                _propagation(*propagation, rounds),
            ]
    finally:
        torch.set_num_threads(threads)
    text = "\n".join(sections)
    if out is not None:
        files.write_text(out, text)
    print(text)
    return text


def draw_problem(n: int, d: int, labels: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw features as after a ReLU, of mean length 1, and the labels of a linear model.

    Returns
    -------
    X : float32 array of shape (n, d)
    Y : int8 array of shape (n, labels)
        Three are present in each row.
    """
    X, Y = np.empty((n, d), dtype=np.float32), np.empty((n, labels), dtype=np.int8)
    _fill(X, Y, seed)
    return X, Y


def _fill(X, Y, seed=0):
    (n, d), rng = X.shape, np.random.default_rng(seed)
    model = rng.standard_normal((d, Y.shape[1]), dtype=np.float32)
    for start in range(0, n, 8192):
        block = np.maximum(rng.standard_normal((min(8192, n - start), d), dtype=np.float32), 0)
        block /= np.float32(np.sqrt(d / 2))
        scores = block @ model
        scores -= model.sum(axis=0) * block.mean()
        order = np.argsort(-scores, axis=1)[:, :LABELS_PER_IMAGE]
        present = np.zeros(scores.shape, dtype=np.int8)
        np.put_along_axis(present, order, 1, axis=1)
        X[start : start + len(block)], Y[start : start + len(block)] = block, present


def _epochs(rows, features, labels, rounds, literal_rows) -> str:
    X, Y = draw_problem(rows + rows // 10, features, labels)
    X, X_test, Y, Y_test = X[:rows], X[rows:], Y[:rows], Y[rows:]
    contenders: dict[str, Fit] = {
        "RMLC (ramp, kappa 5)": _ours(loss="ramp"),
        "RMLC, sampled ranks": _ours(loss="ramp", rank_mode="sample"),
        "WARP (hinge, kappa 0)": _ours(loss="hinge", kappa=0.0),
        "cross-entropy, this project": _ours(loss="bce"),
        "cross-entropy, torch": _torch_logistic,
        "cross-entropy, scikit-learn's MLP without a hidden layer": _scikit_learn_logistic,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    quality = {}
    for fit in contenders.values():
        fit(X[: 2 * BATCH_SIZE], Y[: 2 * BATCH_SIZE])  # compiles, loads, fills caches
    for _ in tqdm(range(rounds), desc="epochs", unit="round"):
        for name, fit in contenders.items():
            start = time.perf_counter()
            coef, intercept = fit(X, Y)
            seconds[name].append((time.perf_counter() - start) / EPOCHS)
            quality[name] = example_ap(Y_test, X_test @ coef.T + intercept)
    start = time.perf_counter()
    literal_epoch(X[:literal_rows], Y[:literal_rows])
    literal = (time.perf_counter() - start) * rows / literal_rows
    reference = statistics.median(seconds["cross-entropy, torch"])
    lines = [
        [
            name,
            _spread(times),
            f"{statistics.median(times) / reference:.2f}",
            f"{literal / statistics.median(times):,.0f}",
            f"{quality[name]:.3f}",
        ]
        for name, times in seconds.items()
    ]
    name = f"WARP, a literal loop over pairs ({literal_rows} rows, scaled)"
    lines.append([name, f"{literal:.1f}", f"{literal / reference:.0f}", "1", ""])
    head = [f"{rows:,} x {features:,}, {labels} labels", "s an epoch, median (min to max)"]
    return table([*head, "over torch", "times as fast as the loop", "a.p. reached"], lines)


def _spread(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def _ours(**options) -> Fit:
    def fit(X, Y):
        tagger = WarpTagger(
            **options,
            learning_rate=LEARNING_RATE,
            momentum=MOMENTUM,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
        ).fit(X, Y)
        return tagger.coef_, tagger.intercept_

    return fit


def _torch_logistic(X, Y):
    """Minibatch descent as it is written in torch: no loader, rows taken by a permutation."""
    torch.manual_seed(0)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(Y.astype(np.float32))
    model = torch.nn.Linear(X.shape[1], Y.shape[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(X)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                model(inputs[batch]), targets[batch], reduction="sum"
            )
            (loss / len(batch)).backward()
            optimizer.step()
    return model.weight.detach().numpy(), model.bias.detach().numpy()


def _scikit_learn_logistic(X, Y):
    model = MLPClassifier(
        hidden_layer_sizes=(),
        solver="sgd",
        alpha=0.0,
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
    )
    for _ in range(EPOCHS):
        model.partial_fit(X, Y, classes=np.arange(Y.shape[1]))
    return model.coefs_[0].T, model.intercepts_[0]


def literal_epoch(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Do an epoch of WARP as it is written: image by image, draw by draw, pair by pair.

    Returns
    -------
    W : float32 array of shape (L, d)
        From zeros.
    """
    rng = np.random.default_rng(0)
    W = np.zeros((Y.shape[1], X.shape[1]), dtype=np.float32)
    for x, y in zip(X, Y, strict=True):
        scores = W @ x
        present, absent = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
        for j in present:
            draws = 0
            for k in rng.permutation(absent):
                draws += 1
                if 1 - scores[j] + scores[k] > 0:
                    break
            weight = sum(1 / t for t in range(1, (len(y) - 1) // draws + 1)) / 20
            for k in absent:
                if 1 - scores[j] + scores[k] > 0:
                    W[j] += LEARNING_RATE * weight * x
                    W[k] -= LEARNING_RATE * weight * x
    return W


def _growth(sizes, folder) -> str:
    lines = []
    for n, d, labels in tqdm(sizes, desc="growth", unit="size"):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            X, Y = _mapped_problem(Path(place) / "features.f32", n, d, labels)
            with _peak_memory() as peak:
                start = time.perf_counter()
                _ours()(X, Y)
                seconds = (time.perf_counter() - start) / EPOCHS
            del X
        lines.append(
            [
                f"{n:,} x {d:,}, {labels} labels",
                f"{seconds:.2f}",
                f"{1e9 * seconds / (n * labels):.1f}",
                f"{n * d * 4 / 1e6:,.0f}",
                f"{peak['bytes'] / 1e6:,.0f}",
            ]
        )
    head = ["RMLC, memory-mapped", "s an epoch", "ns a row and label"]
    return table([*head, "MB of features", "MB added at the peak"], lines)


def _mapped_problem(path, n, d, labels):
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(n, d))
    Y = np.empty((n, labels), dtype=np.int8)
    _fill(X, Y)
    X.flush()
    return np.memmap(path, dtype=np.float32, mode="r", shape=(n, d)), Y


@contextmanager
def _peak_memory() -> Iterator[dict[str, int]]:
    """Watch the memory that is the process's own, mapped files apart, and give its peak's rise."""
    before, done = _own_memory(), threading.Event()
    peak = {"bytes": 0}

    def watch():
        while not done.wait(0.02):
            peak["bytes"] = max(peak["bytes"], _own_memory() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _own_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def _propagation(unlabelled, labelled, features, rounds) -> str:
    X, _ = draw_problem(labelled + unlabelled, features, LABELS_PER_IMAGE)
    references, queries = np.arange(labelled), np.arange(labelled, len(X))
    known, others = X[references], X[queries]

    def products():
        for start in range(0, unlabelled, ROWS_AT_ONCE):
            others[start : start + ROWS_AT_ONCE] @ known.T

    contenders = {
        "matrix product alone": products,
        "nearest_rows, this project": lambda: nearest_rows(X, references, queries),
        "scikit-learn, pairwise_distances_argmin_min": lambda: pairwise_distances_argmin_min(
            others, known
        ),
        "faiss, IndexFlatL2": _faiss_search(known, others),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in tqdm(range(rounds), desc="propagation", unit="round"):
        for name, search in contenders.items():
            if search is not None:
                start = time.perf_counter()
                search()
                seconds[name].append(time.perf_counter() - start)
    product = statistics.median(seconds["matrix product alone"])
    lines = [
        [name, _spread(times), f"{100 * product / statistics.median(times):.0f} %"]
        if times
        else [name, "absent", ""]
        for name, times in seconds.items()
    ]
    head = f"{unlabelled:,} rows against {labelled:,}, {features:,} features"
    return table([head, "s, median (min to max)", "share of the product"], lines)


def _faiss_search(known, others) -> Callable[[], object] | None:
    try:
        import faiss
    except ImportError:
        return None

    def search():
        index = faiss.IndexFlatL2(known.shape[1])
        index.add(known)
        return index.search(others, 1)

    faiss.omp_set_num_threads(1)
    return search
