"""Labels for unlabeled rows: those of the nearest labeled row, trusted less the farther it is.

The search is exact, by matrix products or by faiss.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from features.errors import InputError

QUERIES_AT_ONCE = 4096  # unlabeled rows read and handed to faiss together
ROWS_AT_ONCE = 512  # of them, rows a product: 8 MiB of float32 against 4,000 labeled ones
PRODUCT_SIZE = 1 << 25  # entries of a product, 128 MiB of float32: fewer rows beside many labeled
FAISS_FROM = 1 << 16  # labeled rows; against so many, faiss took a third of the products' time
NEIGHBORS = 4  # of which faiss must show one to be too far; else the product decides
PAIRS_AT_ONCE = 256  # differences of rows held at once: 4 MiB of 2,048 float64 columns
TEMPERATURES = ("mean_all", "mean_unlabeled")
SEARCHES = ("auto", "product", "faiss")

# Maps a block of queries (b, d), squared lengths of the references (l,) and rounding bounds (b,) to
# (query, reference) index pairs that are guaranteed to contain each query's nearest reference.
_Search = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Propagation(NamedTuple):
    """What the unlabeled rows got.

    Attributes
    ----------
    labels : int8 array of shape (u, L)
    weights : float64 array of shape (u,)
        exp(-distance / temperature), in (0, 1].
    nearest : int array of shape (u,)
        The labeled row each took its labels from, as a row of X.
    distances : float64 array of shape (u,)
    temperature : float
    """

    labels: np.ndarray
    weights: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    temperature: float


def propagate_labels(
    X: np.ndarray,
    Y: np.ndarray,
    labeled: np.ndarray,
    unlabeled: np.ndarray,
    *,
    temperature: str | float = "mean_all",
    search: str = "auto",
) -> Propagation:
    """Give every unlabeled row the labels of its nearest labeled row and a heat-kernel weight.

    The weight is exp(-d / t) with d the Euclidean distance, not its square (the ramp-loss WARP
    paper).

    Parameters
    ----------
    X : array of shape (n, d)
        May be memory-mapped: only the labeled rows are held in memory.
    Y : int8 array of shape (n, L)
    labeled, unlabeled : int arrays of shape (l,) and (u,)
        Rows to take labels from and rows to give them to.
    temperature : {"mean_all", "mean_unlabeled"} or float
        t. The mean of d over all l + u rows, a labeled one counting 0 (the paper's released code);
        the mean over the unlabeled rows; or a number above 0, in units of X.
    search : {"auto", "product", "faiss"}
        As in `nearest_rows`.

    Returns
    -------
    Propagation

    Raises
    ------
    InputError
        For another temperature, and as `nearest_rows`.

    Examples
    --------
    >>> X, Y = np.array([[0.0], [4.0], [1.0]]), np.array([[1, 0], [0, 1], [-1, -1]], dtype=np.int8)
    >>> result = propagate_labels(X, Y, np.array([0, 1]), np.array([2]), temperature=1.0)
    >>> result.labels, result.weights.round(6)
    (array([[1, 0]], dtype=int8), array([0.367879]))
    """
    nearest, distances = nearest_rows(X, labeled, unlabeled, search=search)
    value = _temperature(temperature, distances, len(labeled))
    # All distances are 0 where the value is: every row is a copy, and its labels are certain.
    weights = np.exp(-distances / value) if value else np.ones(len(distances))
    return Propagation(Y[nearest], weights, nearest, distances, value)


def nearest_rows(
    X: np.ndarray, references: np.ndarray, queries: np.ndarray, *, search: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of the reference rows of X for each query row, exactly.

    Matrix products, or faiss, give distances up to a known rounding error; the few references that
    they can't tell apart are then compared by their differences in float64. So the result does not
    depend on the search.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    references, queries : int arrays of shape (l,) and (u,)
        Rows of X.
    search : {"auto", "product", "faiss"}
        "auto" takes faiss where it is installed (the extra `faiss`), X is float32 and there are
        65,536 references or more.

    Returns
    -------
    nearest : int array of shape (u,)
        Rows of X; of equally near references the first in `references`.
    distances : float64 array of shape (u,)
        Euclidean.

    Raises
    ------
    InputError
        For another search, for "faiss" without faiss or with float64, or if features are so large
        that their squares overflow.
    """
    known = X[references]
    candidates_of = _search(search, known)
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", known, known)
    positions = np.empty(len(queries), dtype=np.intp)
    distances = np.empty(len(queries))
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        block = X[queries[part]]
        with np.errstate(over="ignore", invalid="ignore"):
            bound = _rounding_bound(block, squares)
        if not np.isfinite(bound).all():
            raise InputError(
                f"squared distances overflow {X.dtype} at features as large as "
                f"{max(np.abs(block).max(), np.abs(known).max()):g}: divide X by a constant"
            )
        rows, candidates = candidates_of(block, squares, bound)
        exact = _squared_distances(block, rows, known, candidates)
        order = np.lexsort((candidates, exact, rows))
        first = order[np.searchsorted(rows[order], np.arange(len(block)))]
        positions[part], distances[part] = candidates[first], np.sqrt(exact[first])
    return references[positions], distances


def _search(name: str, known: np.ndarray) -> _Search:
    if name not in SEARCHES:
        raise InputError(f"search must be one of {', '.join(SEARCHES)}, got {name!r}")
    if name == "product" or (name == "auto" and len(known) < FAISS_FROM):
        return _by_product(known)
    faiss, usable = _faiss(), known.dtype == np.float32
    if faiss is not None and usable:
        return _by_faiss(faiss, known)
    if name == "auto":
        return _by_product(known)
    raise InputError(
        f'search="faiss" needs faiss (`pip install faiss-cpu`) and float32, got {known.dtype} and '
        f'faiss {"absent" if faiss is None else "installed"}: take search="product"'
    )


def _by_product(known: np.ndarray) -> _Search:
    step = max(1, min(ROWS_AT_ONCE, PRODUCT_SIZE // len(known)))

    def candidates(block, squares, bound):
        found = []
        for start in range(0, len(block), step):
            part = slice(start, start + step)
            # Half of ||x - z||^2 without ||x||^2, which is the same for every reference.
            partial = block[part] @ known.T
            np.subtract(squares / 2, partial, out=partial)
            limits = partial.min(axis=1) + 2 * bound[part]
            rows, columns = np.nonzero(partial <= limits[:, None])
            found.append((start + rows, columns))
        rows, columns = map(np.concatenate, zip(*found, strict=True))
        return rows, columns

    return candidates


def _by_faiss(faiss, known: np.ndarray) -> _Search:
    index = faiss.IndexFlatL2(known.shape[1])
    index.add(known)
    shown = min(NEIGHBORS, len(known))
    by_product = _by_product(known)

    def candidates(block, squares, bound):
        squared, found = index.search(np.ascontiguousarray(block), shown)
        # It adds ||x||^2, which has a rounding error of its own, and gives twice the half.
        error = 2 * bound + _unit(block) * np.einsum("ij,ij->i", block, block)
        near = squared <= squared[:, :1] + 2 * error[:, None]
        undecided = np.flatnonzero(near.all(axis=1) & (shown < len(known)))
        near[undecided] = False  # more than it shows may be as near
        rows, columns = np.nonzero(near)
        pairs = rows, found[rows, columns]
        if len(undecided):
            rows, columns = by_product(block[undecided], squares, bound[undecided])
            pairs = np.append(pairs[0], undecided[rows]), np.append(pairs[1], columns)
        return pairs

    return candidates


def _faiss():
    try:
        import faiss
    except ImportError:
        return None
    return faiss


def _rounding_bound(block, squares):
    """Largest error of a `partial` in each row, from that of a dot product of d terms."""
    largest = squares.max()
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
    return _unit(block) * (largest / 2 + lengths * np.sqrt(largest))


def _unit(block):
    return np.finfo(block.dtype).eps * (block.shape[1] + 4)


def _squared_distances(block, rows, known, candidates):
    exact = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        difference = np.subtract(block[rows[part]], known[candidates[part]], dtype=np.float64)
        exact[part] = np.einsum("ij,ij->i", difference, difference)
    return exact


def _temperature(rule, distances, n_labeled):
    if rule == "mean_all":
        return float(distances.sum() / (len(distances) + n_labeled))
    if rule == "mean_unlabeled":
        return float(distances.mean())
    if isinstance(rule, str) or not 0 < rule < np.inf:
        raise InputError(
            f"temperature must be one of {', '.join(TEMPERATURES)} or a number above 0, "
            f"got {rule!r}"
        )
    return float(rule)
