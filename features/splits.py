"""Seeded splits of rows into train and test, their learning-curve subsets, and a hash of them."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import InputError, check_number

HASHED = 1 << 16  # rows whose names are in memory as text at once
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads its factor's bits


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on.

    Attributes
    ----------
    train, test : ndarray of int
        Row numbers, in the order they were drawn; no row is in both.
    """

    train: np.ndarray
    test: np.ndarray


def random_split(
    n: int, seed: int, train_fraction: float = 2 / 3, *, groups: np.ndarray | None = None
) -> Split:
    """Draw a random split of `n` rows.

    The permutation is ``numpy.random.default_rng(seed).permutation(n)``; its first
    ``floor(n * train_fraction)`` rows are the training part.

    Parameters
    ----------
    n : int
        Number of rows, at least 2.
    seed : int
        The split's number: 0 to 29 in the 30 splits of the multi-instance papers.
    train_fraction : float
        Share of rows to train on, between 0 and 1.
    groups : ndarray of shape (n,), int, optional
        Rows of one number stay together, as `duplicate_groups` gives them: each moves behind the
        first of its group in the permutation, and the training part ends with the last whole group
        that fits, or with the first one if none does. Groups of one row change nothing.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        One of the parts would be empty.

    Examples
    --------
    >>> split = random_split(591, seed=0)
    >>> len(split.train), len(split.test)
    (394, 197)
    """
    size = math.floor(n * train_fraction + 1e-9)  # 100 * 0.29 is 28.999... in binary
    if not 0 < size < n:
        raise InputError(
            "Both parts of a split need at least one row. "
            f"Got n = {n} and train_fraction = {train_fraction:g}."
        )
    order = np.random.default_rng(seed).permutation(n)
    if groups is not None:
        order, ends = _together(order, groups)
        if len(ends) == 1:
            raise InputError(f"All {n} images are copies of one. A split needs two different ones.")
        fitting = ends[:-1][ends[:-1] <= size]
        size = fitting[-1] if len(fitting) else ends[0]
    return Split(order[:size], order[size:])


def duplicate_groups(digests: Sequence[str] | np.ndarray) -> np.ndarray:
    """Give files of one content one number.

    Parameters
    ----------
    digests : sequence of n str, or array of n bytes
        Checksums of the files; one that is empty is not known and equals no other.

    Returns
    -------
    ndarray of shape (n,), int64
        Equal for files of equal checksums; the numbers are those of the first rows.

    Examples
    --------
    >>> duplicate_groups(["a", "b", "a", "", ""]).tolist()
    [0, 1, 0, 3, 4]
    """
    if not isinstance(digests, np.ndarray):
        digests = np.array([digest.encode() for digest in digests] or [b""], dtype=np.bytes_)[
            : len(digests)
        ]
    groups = np.arange(len(digests), dtype=np.int64)
    rows = _candidates(digests) if len(digests) else groups
    if len(rows):
        _, first, number = np.unique(digests[rows], return_index=True, return_inverse=True)
        groups[rows] = rows[first[number]]
    return groups


def _candidates(digests: np.ndarray) -> np.ndarray:
    """Find the rows whose checksum may occur twice, by a number of 64 bits: few of millions."""
    known = np.flatnonzero(digests != b"")
    whole = f"S{-(-digests.itemsize // 8) * 8}"  # 64 hexadecimal digits are: no copy of them
    words = np.ascontiguousarray(digests).astype(whole, copy=False).view(np.uint64)
    keys = np.zeros(len(digests), dtype=np.uint64)
    for column in words.reshape(len(digests), -1).T:
        keys = (keys ^ column) * _ODD
    keys = keys[known]
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return known[np.isin(keys, twice)]


def _together(order: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move rows behind the first of their group; give that order and where each group ends."""
    of_order = np.asarray(groups)[order]
    _, place, number = np.unique(of_order, return_index=True, return_inverse=True)
    first = place[number]
    together = np.argsort(first, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(first[together])) + 1, len(order))
    return order[together], ends


def learning_curve_subsets(split: Split, sizes: Iterable[int]) -> tuple[Split, ...]:
    """Cut the training part to its first rows, once per size; the test part stays whole.

    The subsets are nested: each holds every smaller one.

    Parameters
    ----------
    split : Split
    sizes : iterable of int
        Numbers of training rows, 1 to ``len(split.train)``.

    Returns
    -------
    tuple of Split
        One per size, in the order of `sizes`.

    Raises
    ------
    InputError
        A size is outside that range.

    Examples
    --------
    >>> [len(part.train) for part in learning_curve_subsets(random_split(30, 0), [5, 20])]
    [5, 20]
    """
    sizes = tuple(sizes)
    for size in sizes:
        check_number("sizes", size, whole=True, low=1, high=len(split.train), kind="parameter")
    return tuple(Split(split.train[:size], split.test) for size in sizes)


def inner_split(rows: np.ndarray, seed: int, validation_fraction: float = 0.1) -> Split:
    """Set some training rows aside for early stopping or selection.

    Parameters
    ----------
    rows : ndarray of int
        The training rows of an outer split.
    seed : int
    validation_fraction : float
        Share of `rows` to set aside (rounded, at least one row).

    Returns
    -------
    Split
        Both parts hold rows of `rows`: ``train`` to fit on, ``test`` to select on.

    Raises
    ------
    InputError
        No row would be left to fit on.

    Examples
    --------
    >>> sorted(inner_split(np.array([3, 5, 8]), seed=0).train.tolist()) != [3, 5, 8]
    True
    """
    size = max(1, round(len(rows) * validation_fraction))
    if size >= len(rows):
        raise InputError(
            f"{len(rows)} training rows are too few to set {size} aside for validation. Lower "
            f"validation_fraction = {validation_fraction:g}, or use more rows."
        )
    order = np.random.default_rng(seed).permutation(rows)
    return Split(order[size:], order[:size])


def inner_folds(
    rows: np.ndarray, folds: int, seed: int, *, groups: np.ndarray | None = None
) -> tuple[Split, ...]:
    """Cut training rows into folds for cross-validation inside them.

    Parameters
    ----------
    rows : ndarray of int
        The training rows of an outer split.
    folds : int
        2 to ``len(rows)``; their sizes differ by one at most.
    seed : int
    groups : ndarray of int, optional
        One number for each of all rows; rows of one number stay together, as in `random_split`, and
        then the sizes differ by more.

    Returns
    -------
    tuple of Split
        One per fold; every row is in exactly one ``test`` part.

    Raises
    ------
    InputError
        The number of folds is outside that range, or a group leaves a fold empty.

    Examples
    --------
    >>> [len(fold.test) for fold in inner_folds(np.arange(10), 3, seed=0)]
    [4, 3, 3]
    """
    check_number("folds", folds, whole=True, low=2, high=len(rows), kind="parameter")
    order = np.random.default_rng(seed).permutation(rows)
    parts = np.array_split(order, folds)
    if groups is not None:
        order, ends = _together(order, groups)
        wanted = np.cumsum([len(part) for part in parts])[:-1]
        parts = np.split(order, ends[np.searchsorted(ends, wanted)])
        if min(map(len, parts)) == 0:
            raise InputError(
                f"{len(ends)} groups of equal images don't fill {folds} folds. Lower folds."
            )
    return tuple(
        Split(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)
    )


def splits_hash(splits: Sequence[Split], ids: Sequence[str]) -> str:
    """Hash a set of splits, so that results can name it.

    Parameters
    ----------
    splits : sequence of Split
    ids : sequence of str
        The id of every row. The hash depends on the ids in each part and on their order, not on
        the numbers of the rows.

    Returns
    -------
    str
        Hex SHA-256.

    Examples
    --------
    >>> splits_hash([random_split(3, 0)], ["a", "b", "c"])[:8]
    'f6d59236'
    """
    digest = hashlib.sha256()
    for split in splits:
        for part, before in ((split.train, "[["), (split.test, "], [")):
            digest.update(before.encode("ascii"))
            for start in range(0, len(part), HASHED):
                block = json.dumps([ids[row] for row in part[start : start + HASHED]])[1:-1]
                digest.update(f"{', ' if start else ''}{block}".encode("ascii"))
        digest.update(b"]]\n")
    return digest.hexdigest()
