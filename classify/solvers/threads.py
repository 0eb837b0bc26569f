"""Threads of the matrix libraries; labels shared out among some. It knows no loss and no solver."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache

import numpy as np
import scipy.linalg  # noqa: F401  (brings its own matrix library)
from threadpoolctl import ThreadpoolController


def share_labels(solve: Callable[[np.ndarray, int], None], costs: np.ndarray) -> None:
    """Solve labels on as many threads as the matrix library would use.

    A label's products are small. A matrix library that cuts each of them for all cores spends its
    time waiting, so that meanwhile it gets one thread in each of ours.

    Parameters
    ----------
    solve : callable
        Gets some labels, int array, and among how many threads all are shared. What it raises is
        raised here.
    costs : array of shape (L,)
        What is larger for a label that takes longer. Which thread solves it follows from
        them alone: rounding depends on which labels share a product.

    Examples
    --------
    >>> seen = []
    >>> share_labels(lambda labels, share: seen.extend(labels.tolist()), np.ones(5))
    >>> sorted(seen)
    [0, 1, 2, 3, 4]
    """
    blas = _libraries(len(sys.modules)).select(user_api="blas")
    threads = max((library["num_threads"] for library in blas.info()), default=1)
    share = max(1, min(threads, len(costs)))
    order, turn = np.argsort(-costs, kind="stable"), 2 * share
    # Forth and back, so that none is first in every turn.
    parts = [
        np.sort(np.concatenate([order[first::turn], order[turn - 1 - first :: turn]]))
        for first in range(share)
    ]
    with blas.limit(limits=1):
        if share == 1:
            solve(parts[0], 1)
            return
        with ThreadPoolExecutor(share) as pool:
            list(pool.map(solve, parts, [share] * share))


def one_thread(user_api: str | None = None) -> AbstractContextManager[object]:
    """Give the libraries of this process one thread each within a ``with`` statement.

    It is `threadpoolctl.threadpool_limits` for many short fits: that one looks for the libraries
    each time, which takes milliseconds, this one only after other modules were loaded.

    Parameters
    ----------
    user_api : {"blas", "openmp"}, optional
        Which libraries; all by default.

    Examples
    --------
    >>> with one_thread("blas"):
    ...     {library["num_threads"] for library in _libraries(0).select(user_api="blas").info()}
    {1}
    """
    return _libraries(len(sys.modules)).limit(limits=1, user_api=user_api)


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Find the libraries with threads; an import, seen by the count of modules, may bring more."""
    return ThreadpoolController()
