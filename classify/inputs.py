"""What learners are given of a cache: a vector per image, or a bag of instances per image.

Vectors are rows (n, d). Bags are (n, size, d), as every image of a layer has as many instances.
Both are scaled alike: a scaling sees rows of d columns, of images or of instances.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from tqdm import tqdm

from classify.feature_scaler import FeatureScaler
from features.bags.cached import bags_of, instance_widths, resolve_instances
from features.cache import FeatureCache
from features.errors import InputError
from features.rows import CacheRows

Takes = Literal["vectors", "instances"]
#: Images in memory together when a cache is tagged.
VECTORS_AT_ONCE, BAGS_AT_ONCE = 4096, 512


def require_rows(cache: FeatureCache) -> None:
    """Refuse a cache of which no row holds features.

    Raises
    ------
    InputError
        With the reasons and how many rows have each.
    """
    if not len(cache.valid_rows):
        raise InputError(
            f"no row of {cache.folder} holds features ({cache.excluded}): its index.csv gives the "
            "reason of each. Give pictures that can be read, then extract again."
        )


def resolve_layers(cache: FeatureCache, layers: Sequence[str] | None, takes: Takes) -> list[str]:
    """Check layer names; None stands for all layers of vectors, or for those with instances.

    Raises
    ------
    InputError
        A name is not in the cache, or the cache has no instances; the message names the remedy.
    """
    if takes == "instances":
        return resolve_instances(cache, layers)
    return cache.resolve(layers)


def read_inputs(
    cache: FeatureCache, names: Sequence[str], rows: np.ndarray, takes: Takes
) -> np.ndarray:
    """Read rows of a cache.

    Returns
    -------
    float32 ndarray of shape (n, d) or (n, size, d)

    Raises
    ------
    InputError
        A value is NaN or infinite: names its image and layer.
    """
    if takes == "vectors":
        X = cache.read(names, rows)
        _check_finite(cache, names, rows, X)
        return X
    bags = bags_of(cache, names, rows)
    return bags.instances.reshape(len(bags), -1, bags.width)


def rows_on_disk(cache: FeatureCache, names: Sequence[str], rows: np.ndarray) -> CacheRows:
    """Map rows of vectors of a cache, for a learner that reads them as it needs them.

    Raises
    ------
    InputError
        A value is NaN or infinite: names its image and layer. All rows are read once for that.
    """
    X = CacheRows(cache, names, rows)
    for start in tqdm(range(0, len(rows), VECTORS_AT_ONCE), desc="checking", unit="block"):
        block = slice(start, start + VECTORS_AT_ONCE)
        _check_finite(cache, names, rows[block], X[block])
    return X


def input_widths(cache: FeatureCache, names: Sequence[str], takes: Takes) -> list[int]:
    """Count the columns of each layer, of a vector or of an instance."""
    if takes == "instances":
        return instance_widths(cache, names)
    return [cache.layers[name] for name in names]


def blocks_of(
    cache: FeatureCache, names: Sequence[str], takes: Takes
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read all rows that hold features, one block at a time.

    Yields
    ------
    rows : ndarray of int64, shape (b,)
    X : float32 ndarray of shape (b, d) or (b, size, d)
    """
    rows, step = cache.valid_rows, VECTORS_AT_ONCE if takes == "vectors" else BAGS_AT_ONCE
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        yield block, read_inputs(cache, names, block, takes)


def _check_finite(
    cache: FeatureCache, names: Sequence[str], rows: np.ndarray, X: np.ndarray
) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(X.sum(axis=1)))
    for row in suspects:  # a sum of finite numbers may overflow
        columns = np.flatnonzero(~np.isfinite(X[row]))
        if len(columns):
            ends = np.cumsum([cache.layers[name] for name in names])
            layer = names[int(np.searchsorted(ends, columns[0], side="right"))]
            raise InputError(
                f"the features of {cache.ids[rows[row]]!r} in {cache.folder} are not finite "
                f"({layer}): check the cache with `python -m features verify`, or extract again"
            )


class ScaledRows:
    """Rows on disk, scaled when they are read.

    Parameters
    ----------
    rows : classify.base.RowSource
    scaler : FeatureScaler
        Fitted.
    """

    dtype = np.dtype(np.float32)
    ndim = 2
    reads_rows = True

    def __init__(self, rows, scaler: FeatureScaler):
        self._rows, self._scaler, self.shape = rows, scaler, rows.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, where) -> np.ndarray:
        """Read the rows that an index of the first axis names."""
        return self._scaler.transform(self._rows[where])

    def take(self, where, axis=0, out=None, mode="raise") -> np.ndarray:
        """Read some rows, as `features.rows.CacheRows.take` does."""
        scaled = self._scaler.transform(self._rows.take(where))
        if out is None:
            return scaled
        out[...] = scaled
        return out


def fit_scaler(scaling: str, widths: Sequence[int] | None, X) -> FeatureScaler:
    """Learn a scaling from rows (n, d), in memory or on disk, or from instances (n, size, d)."""
    if getattr(X, "reads_rows", False):
        return FeatureScaler(scaling, widths).fit_blocks(blocks(X))
    return FeatureScaler(scaling, widths).fit(X.reshape(-1, X.shape[-1]))


def blocks(X) -> Iterator[np.ndarray]:
    """Read rows on disk, some at a time."""
    for start in range(0, len(X), VECTORS_AT_ONCE):
        yield X[start : start + VECTORS_AT_ONCE]


def scale(scaler: FeatureScaler, X):
    """Scale rows (n, d), in memory or as they are read from disk, or bags (n, size, d)."""
    if getattr(X, "reads_rows", False):
        return X if scaler.scaling == "none" else ScaledRows(X, scaler)
    return scaler.transform(X.reshape(-1, X.shape[-1])).reshape(X.shape)
