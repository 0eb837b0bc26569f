"""Bags in memory: one matrix of instances, and how many of its rows belong to each bag."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from features.errors import InputError
from features.splits import Split


@dataclass(frozen=True, eq=False)
class Bags:
    """n bags of N instances in all.

    Parameters
    ----------
    instances : array_like of shape (N, d)
        Finite numbers; float32 stays float32, everything else becomes float64.
    sizes : array_like of int, shape (n,)
        Number of instances of each bag, at least 1; they sum to N.

    Raises
    ------
    InputError
        For other shapes, an empty bag, and NaN or infinite values.

    Examples
    --------
    >>> bags = Bags([[0.0], [1.0], [5.0]], [2, 1])
    >>> len(bags), bags.width, bags[0].tolist()
    (2, 1, [[0.0], [1.0]])
    """

    instances: np.ndarray
    sizes: np.ndarray

    def __post_init__(self):
        instances, sizes = np.asarray(self.instances), np.asarray(self.sizes)
        if instances.dtype != np.float32:
            try:
                instances = instances.astype(np.float64, copy=False)
            except (TypeError, ValueError) as error:
                raise InputError(f"instances of bags must be numbers ({error})") from None
        if instances.ndim != 2 or sizes.ndim != 1 or sizes.dtype.kind not in "iu":
            raise InputError(
                f"bags must be instances of shape (N, d) and integer sizes of shape (n,), got "
                f"shapes {instances.shape} and {sizes.shape} of {sizes.dtype}"
            )
        sizes = sizes.astype(np.int64)
        if not len(sizes):
            raise InputError("0 bags were given; give at least one")
        if sizes.min() < 1:
            raise InputError(
                f"bag {int(np.argmax(sizes < 1))} is empty: every bag must have at least one "
                "instance; leave empty bags out"
            )
        if sizes.sum() != len(instances):
            raise InputError(f"the sizes of the bags sum to {sizes.sum()}, not {len(instances)}")
        _check_finite(instances, sizes)
        object.__setattr__(self, "instances", instances)
        object.__setattr__(self, "sizes", sizes)

    @classmethod
    def from_list(cls, bags: Sequence) -> "Bags":
        """Pack matrices of shape (size, d), one per bag.

        Examples
        --------
        >>> Bags.from_list([[[0.0, 1.0]], [[2.0, 3.0], [4.0, 5.0]]]).sizes
        array([1, 2])
        """
        matrices = [np.asarray(bag) for bag in bags]
        for number, matrix in enumerate(matrices):
            if matrix.ndim != 2 or matrix.shape[1:] != matrices[0].shape[1:]:
                raise InputError(
                    f"bag {number} has shape {matrix.shape} and bag 0 has shape "
                    f"{matrices[0].shape}: every bag must be a matrix with as many columns"
                )
        if not matrices:
            raise InputError("0 bags were given; give at least one")
        return cls(np.concatenate(matrices), np.array([len(matrix) for matrix in matrices]))

    @classmethod
    def from_array(cls, array: np.ndarray) -> "Bags":
        """Pack an array of shape (n, size, d): bags of one size."""
        array = np.asarray(array)
        if array.ndim != 3:
            raise InputError(f"bags of one size must have shape (n, size, d), got {array.shape}")
        n, size, width = array.shape
        return cls(array.reshape(n * size, width), np.full(n, size))

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> np.ndarray:
        """Give one bag's instances, (size, d)."""
        stop = self.starts[number] + self.sizes[number]
        return self.instances[self.starts[number] : stop]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    @property
    def width(self) -> int:
        """Number of columns of an instance, d."""
        return self.instances.shape[1]

    @cached_property
    def starts(self) -> np.ndarray:
        """First row of each bag, int64 (n,), as the `reduceat` of numpy's functions takes it."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    @cached_property
    def owners(self) -> np.ndarray:
        """Number of the bag that each instance belongs to, int64 (N,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def take(self, rows: np.ndarray) -> "Bags":
        """Copy some bags, in any order, repeats allowed."""
        rows = np.arange(len(self))[rows]
        sizes = self.sizes[rows]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        offsets = np.repeat(self.starts[rows] - first, sizes)
        return Bags(self.instances[offsets + np.arange(sizes.sum())], sizes)

    def replace(self, instances: np.ndarray) -> "Bags":
        """Give bags of the same sizes with other instances, (N, d')."""
        return Bags(instances, self.sizes)


@dataclass(frozen=True, eq=False)
class BagSet:
    """Labeled bags.

    Parameters
    ----------
    bags : Bags
        n bags.
    Y : int8 ndarray of shape (n, L)
        1 = present, 0 = absent.
    label_names : sequence of L str
    splits : sequence of Split
        Those that the set is published with, if any.
    """

    bags: Bags
    Y: np.ndarray
    label_names: tuple[str, ...]
    splits: tuple[Split, ...] = field(default=())


def _check_finite(instances: np.ndarray, sizes: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(instances.sum(axis=1)))
    for row in suspects:  # a sum of finite numbers may overflow
        columns = np.flatnonzero(~np.isfinite(instances[row]))
        if len(columns):
            bag = int(np.searchsorted(np.cumsum(sizes), row, side="right"))
            name = "NaN" if np.isnan(instances[row, columns[0]]) else "inf"
            raise InputError(
                f"bag {bag} has {name} in column {columns[0]}: leave that bag out, or compute its "
                "features again"
            )
