"""Read rows of layers from the shards of a cache, through memory maps that need no open file."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from features import schema, shards
from features.schema import Manifest


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
        self._step, self._total = manifest["shard_rows"], manifest["index"]["rows"]
        self._offsets: dict[tuple[int, str], tuple[int, np.dtype]] = {}

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
        """Map one vector layer of one shard, read-only: (rows of the shard, width)."""
        path = schema.shard_path(self._folder, shard)
        if (shard, name) not in self._offsets:
            with shards.open_checked(self._folder, shard, self._manifest) as file:
                for layer in self._widths:
                    dataset = file[layer]
                    self._offsets[shard, layer] = dataset.id.get_offset(), dataset.dtype
        offset, dtype = self._offsets[shard, name]
        rows = schema.shard_rows(shard, self._step, self._total)
        shape = (len(rows), self._widths[name])
        with shards.explained_reading(path):
            return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)

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
