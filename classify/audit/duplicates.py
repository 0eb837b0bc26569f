"""Pictures that are there twice: the same file, or nearly the same features."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import normalize

NEAR = (
    0.99  # cosine of square roots of features; MSRC v2's two repeated photographs have above .999
)
BLOCK = 1024  # rows compared with all others at once


class Pair(NamedTuple):
    """Two rows of a cache that show the same; `cosine` is 1 for equal files."""

    first: int
    second: int
    cosine: float
    same_file: bool


def same_files(rows: Sequence[int], checksums: Sequence[str | bytes]) -> list[Pair]:
    """List rows whose files have one checksum, each with the first such row.

    Examples
    --------
    >>> same_files([4, 5, 8], ["a", "b", "a"])
    [Pair(first=4, second=8, cosine=1.0, same_file=True)]
    """
    groups: dict[str | bytes, list[int]] = defaultdict(list)
    for row, checksum in zip(rows, checksums, strict=True):
        groups[checksum].append(row)
    return [Pair(first, row, 1.0, True) for first, *others in groups.values() for row in others]


def near_pairs(X: np.ndarray, rows: Sequence[int], cosine: float = NEAR) -> list[Pair]:
    """List pairs of rows whose features point the same way.

    Square roots are taken first, so that no single large value decides.

    Parameters
    ----------
    X : float array of shape (n, d)
    rows : sequence of n int
        Numbers to report.
    cosine : float
        Least cosine of a pair, in (0, 1].

    Returns
    -------
    list of Pair
        The nearest first.
    """
    Z = normalize(np.sign(X) * np.sqrt(np.abs(X)))
    found = []
    for start in range(0, len(Z), BLOCK):
        cosines = Z[start : start + BLOCK] @ Z[start:].T
        firsts, seconds = np.nonzero(cosines >= cosine)
        later = seconds > firsts
        for first, second in zip(firsts[later], seconds[later], strict=True):
            value = min(1.0, float(cosines[first, second]))
            found.append(Pair(rows[start + first], rows[start + second], value, False))
    return sorted(found, key=lambda pair: (-pair.cosine, pair.first, pair.second))


def all_pairs(exact: Iterable[Pair], near: Iterable[Pair]) -> list[Pair]:
    """Join both lists; a pair of equal files is listed once."""
    exact = list(exact)
    # Of three equal files the second and third are a near pair, too: both go with the first.
    group = {row: pair.first for pair in exact for row in (pair.first, pair.second)}
    others = [
        pair
        for pair in near
        if group.get(pair.first, pair.first) != group.get(pair.second, pair.second)
    ]
    return [*exact, *others]
