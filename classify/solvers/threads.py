"""Labels shared out among threads. It knows no loss and no solver."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import scipy.linalg  # noqa: F401  (brings its own matrix library)
from threadpoolctl import ThreadpoolController


def share_labels(solve: Callable[[np.ndarray, int], None], count: int) -> None:
    """Solve `count` labels on as many threads as the matrix library would use.

    A label's products are small. A matrix library that cuts each of them for all cores spends its
    time waiting, so that meanwhile it gets one thread in each of ours.

    Parameters
    ----------
    solve : callable
        Gets some labels, int array, and among how many threads all are shared. What it raises is
        raised here.
    count : int

    Examples
    --------
    >>> seen = []
    >>> share_labels(lambda labels, share: seen.extend(labels.tolist()), 5)
    >>> sorted(seen)
    [0, 1, 2, 3, 4]
    """
    blas = _matrix_libraries()
    threads = max((library["num_threads"] for library in blas.info()), default=1)
    share = max(1, min(threads, count))
    # Neighbors in a file are often alike in cost: deal them out in turn.
    parts = [np.arange(first, count, share) for first in range(share)]
    with blas.limit(limits=1):
        if share == 1:
            solve(parts[0], 1)
            return
        with ThreadPoolExecutor(share) as pool:
            list(pool.map(solve, parts, [share] * share))


@cache
def _matrix_libraries() -> ThreadpoolController:
    """Find the matrix libraries of this process: numpy's and scipy's, loaded with this module."""
    return ThreadpoolController().select(user_api="blas")
