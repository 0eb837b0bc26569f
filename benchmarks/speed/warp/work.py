"""What `speed warp` times: epochs side by side, and propagation, on one thread each."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from tqdm import tqdm

from benchmarks.speed.record import timed
from benchmarks.speed.warp.peers import (
    BATCH_SIZE,
    EPOCHS,
    IMPLEMENTATIONS,
    loop_epoch,
    make_problem,
    objective,
)
from benchmarks.speed.warp.report import FAISS, OURS, OURS_FAISS, PRODUCTS, SCIKIT_LEARN
from benchmarks.speed.warp.scaling import Size
from classify.metrics import example_ap
from classify.warp.propagation import ROWS_AT_ONCE, nearest_rows

Line = dict[str, Any]


def epoch_lines(size: Size, rounds: int, loop_rows: int) -> Iterator[Line]:
    """Time an epoch of every implementation, in turns, and of the loop on `loop_rows` rows.

    The last round's models are evaluated: the mean loss on the rows trained on, recomputed from
    the coefficients, and average precision on others.
    """
    rows, features, labels = size
    X, Y = make_problem(rows + rows // 10, features, labels)
    X, X_test, Y, Y_test = X[:rows], X[rows:], Y[:rows], Y[rows:]
    for one in IMPLEMENTATIONS:
        one.fit(X[: 2 * BATCH_SIZE], Y[: 2 * BATCH_SIZE])  # compiles, loads, fills caches
    for number in tqdm(range(rounds), desc="epochs", unit="round"):
        for one in IMPLEMENTATIONS:
            (coef, intercept), seconds = timed(partial(one.fit, X, Y))
            line = {name: value / EPOCHS for name, value in seconds.items()}
            if number == rounds - 1:
                line["loss"] = float(objective(one, X, Y, coef, intercept))
                scores = X_test @ coef.T + intercept
                line["average_precision"] = float(example_ap(Y_test, scores))
            yield {"what": one.name, "round": number, "rows": rows, **line}
    few = min(loop_rows, rows)
    _, seconds = timed(lambda: loop_epoch(X[:few], Y[:few]))
    yield {"what": "loop", "rows": few, **seconds}


def propagation_lines(size: Size, rounds: int) -> Iterator[Line]:
    """Time the search of each unlabeled row's nearest labeled row, in turns with its peers."""
    unlabeled, labeled, features = size
    X, _ = make_problem(labeled + unlabeled, features, 3)
    references, queries = np.arange(labeled), np.arange(labeled, len(X))
    known, others = X[references], X[queries]

    def products():
        for start in range(0, unlabeled, ROWS_AT_ONCE):
            others[start : start + ROWS_AT_ONCE] @ known.T

    faiss = _has_faiss()
    search = partial(nearest_rows, X, references, queries)
    works: dict[str, Callable[[], object] | None] = {
        PRODUCTS: products,
        OURS: partial(search, search="product"),
        OURS_FAISS: partial(search, search="faiss") if faiss else None,
        SCIKIT_LEARN: partial(pairwise_distances_argmin_min, others, known),
        FAISS: _faiss_search(known, others) if faiss else None,
    }
    yield from ({"what": name, "seconds": None} for name, work in works.items() if work is None)
    for number in tqdm(range(rounds), desc="propagation", unit="round"):
        for name, work in works.items():
            if work is not None:
                _, seconds = timed(work)
                yield {"what": name, "round": number, **seconds}


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
