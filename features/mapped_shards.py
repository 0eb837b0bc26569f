"""Read rows of layers from the shards of a cache, through memory maps that need no open file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from features import schema, shards
from features.schema import Manifest


class _Place(NamedTuple):
    """Where a layer lies, in which file."""

    file: tuple[int, ...]
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]


def _identity(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:  # opening it gives the reason
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class MappedShards:
    """The layers of a cache in files that are mapped into memory.

    Nothing is kept open, so one object may be used by any number of threads and processes, forked
    or spawned.

    Parameters
    ----------
    folder : Path
        The cache's folder.
    manifest : dict
        The cache's manifest.
    widths : dict of str to int
        Every vector layer and its width.
    """

    def __init__(self, folder: Path, manifest: Manifest, widths: dict[str, int]):
        self._folder, self._widths, self._manifest = folder, widths, manifest
        self._step = manifest["shard_rows"]
        self._places: dict[tuple[int, str], _Place] = {}

    def by_shard(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Group rows by shard.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
            Rows of the cache, in any order.

        Yields
        ------
        shard : int
            Each shard that holds one of the rows, once.
        positions : ndarray of int64
            Positions in `rows`.
        local : ndarray of int64
            The same rows, counted from the start of the shard.
        """
        order = np.argsort(rows, kind="stable")
        shard_of = rows[order] // self._step
        for shard in np.unique(shard_of):
            low, high = np.searchsorted(shard_of, [shard, shard + 1])
            positions = order[low:high]
            yield int(shard), positions, rows[positions] - shard * self._step

    def layer(self, shard: int, name: str) -> np.ndarray:
        """Map one vector layer of one shard, or the status of its rows, read-only.

        The first axis is the rows that are there.
        """
        path = schema.shard_path(self._folder, shard)
        place = self._places.get((shard, name))
        if place is None or place.file != _identity(path):  # an append writes a longer shard
            identity = _identity(path)
            with shards.open_checked(self._folder, shard, self._manifest) as file:
                for layer in (*self._widths, schema.STATUS):
                    held = file[layer]
                    place = _Place(identity, held.id.get_offset(), held.dtype, held.shape)
                    self._places[shard, layer] = place
            place = self._places[shard, name]
        with shards.explained_reading(path):
            return np.memmap(
                path, dtype=place.dtype, mode="r", offset=place.offset, shape=place.shape
            )

    def read_spatial(self, name: str, shape: tuple[int, ...], rows: np.ndarray) -> np.ndarray:
        """Read rows of a spatial map: float32 (m, channels, height, width)."""
        out = np.empty((len(rows), *shape), dtype=np.float32)
        for shard, positions, local in self.by_shard(rows):
            path = schema.shard_path(self._folder, shard, maps=True)
            checked = shards.open_checked(self._folder, shard, self._manifest, maps=True)
            with checked as file, shards.explained_reading(path):
                dataset: h5py.Dataset = file[name]
                # Chunked by image: one chunk per row, read one by one instead of by selection.
                for position, row in zip(positions, local, strict=True):
                    out[position] = dataset[row]
        return out
