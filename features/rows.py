"""Rows of a cache as a matrix whose rows are read from disk when they are indexed."""

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np

from features.cache import FeatureCache


class CacheRows:
    """Layers of a cache side by side, in memory-mapped files: for more rows than fit into memory.

    An estimator that reads one batch of rows at a time (`classify.warp.tagger.WarpTagger.fit`)
    holds no more than that batch in memory. Other code may use it as an array, which reads all
    rows.

    Parameters
    ----------
    cache : FeatureCache
    layers : iterable of str, optional
        Names of vector layers; by default all, in the network's order.
    rows : sequence of int, optional
        Rows that hold features, in any order; by default `cache.valid_rows`.

    Attributes
    ----------
    shape : tuple of int
        (n, sum of widths).
    dtype : numpy.dtype
        float32.

    Raises
    ------
    InputError
        An unknown layer, a row outside the cache or one without features.
    """

    dtype = np.dtype(np.float32)
    ndim = 2
    reads_rows = True  # estimators that take a batch of rows at a time look for this

    def __init__(
        self,
        cache: FeatureCache,
        layers: Iterable[str] | None = None,
        rows: Sequence[int] | np.ndarray | None = None,
    ):
        names = cache.resolve(layers)
        self._rows = cache.valid_rows if rows is None else cache.checked_rows(rows)
        self._parts = cache.mapped_shards(names, self._rows)
        self._step = cache.manifest["shard_rows"]
        self.shape = len(self._rows), sum(cache.layers[name] for name in names)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, where) -> np.ndarray:
        """Read the rows that an index of the first axis names: (n, d) for an array or a slice."""
        if isinstance(where, slice):
            where = np.arange(*where.indices(len(self)))
        where = np.atleast_1d(where)
        return self.take(np.flatnonzero(where) if where.dtype == bool else where)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Read all rows."""
        return np.asarray(self[:], dtype=dtype)

    def only(self, where: np.ndarray) -> "CacheRows":
        """Give some of the rows, which stay on disk."""
        some = copy(self)
        some._rows = self._rows[where]
        some.shape = len(some._rows), self.shape[1]
        return some

    def take(self, where, axis=0, out=None, mode="raise") -> np.ndarray:
        """Read some rows, as `numpy.take` does, into `out` if it is given.

        Parameters
        ----------
        where : int array of shape (b,)
            Of the n rows.
        axis, mode
            Only here for `numpy.take`: rows are along the first axis, and are 0 to n - 1.
        out : float32 array of shape (b, d), optional

        Returns
        -------
        float32 array of shape (b, d)
        """
        rows = self._rows[where]
        if out is None:
            out = np.empty((len(rows), self.shape[1]), dtype=self.dtype)
        shards, local = np.divmod(rows, self._step)
        order = np.argsort(shards, kind="stable")
        ends = np.flatnonzero(np.diff(shards[order])) + 1
        for some in np.split(order, ends) if len(rows) else []:  # those of one shard in one step
            places, here, column = _as_slice(some), _as_slice(local[some]), 0
            for layer in self._parts[int(shards[some[0]])]:
                width = layer.shape[1]
                out[places, column : column + width] = layer[here]
                column += width
        return out


def _as_slice(rows: np.ndarray) -> "np.ndarray | slice":
    """Give rows as a slice if they follow each other, which copies them faster."""
    if rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
