"""One fit in a process of its own: prints its seconds and peak memory, and keeps the weights.

Run as a file, with the checkout to measure as PYTHONPATH: it calls only what several versions have.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def fit(X: np.ndarray, Y: np.ndarray, penalty: str, Cs: Sequence[float], tol: float) -> np.ndarray:
    """Fit logistic regression at every C; give weights with the bias last, (C, L, d + 1)."""
    from classify.logistic import LogisticTagger

    tagger = LogisticTagger(penalty, C=Cs[0], tol=tol)
    models = [tagger.fit(X, Y)] if len(Cs) == 1 else tagger.fit_path(X, Y, Cs)
    return np.array([np.column_stack([one.coef_, one.intercept_]) for one in models])


def product(X: np.ndarray) -> None:
    """Multiply the rows, or the columns if these are fewer, by each other."""
    X @ X.T if len(X) < X.shape[1] else X.T @ X


def main(folder: str, penalty: str, Cs: str, tol: str, weights: str) -> None:
    """Warm up, do the work, and print a JSON line; without a tolerance it is the product."""
    X, Y = (np.load(Path(folder) / name) for name in ("X.npy", "Y.npy"))
    if json.loads(tol) is None:
        product(X[:24])
        print(json.dumps(_timed(lambda: product(X))))
        return
    rng = np.random.default_rng(0)
    few = rng.normal(size=(24, 4)).astype(np.float32)
    fit(few, (few[:, :2] > 0).astype(np.int8), penalty, [1.0], 0.1)
    made: list[np.ndarray] = []
    line = _timed(lambda: made.append(fit(X, Y, penalty, json.loads(Cs), json.loads(tol))))
    np.save(weights, made[0])
    print(json.dumps(line))


def _timed(work: Callable[[], object]) -> dict[str, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    spent = time.process_time() - cpu
    seconds = time.perf_counter() - begun
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return {"seconds": seconds, "cpu_seconds": spent, "peak_mb": peak}


if __name__ == "__main__":
    main(*sys.argv[1:])
