"""The cache that both stages share: a folder of HDF5 shards, read by row and layer.

A cache may be read by any number of threads and processes. `shards` has what writes one.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from features import schema, shards
from features.errors import InputError, check_choice, check_distinct
from features.index import Index, index_fault, read_index
from features.labels import read_given_labels, read_labels_csv
from features.manifest import manifest_hash, read_manifest
from features.mapped_shards import MappedShards


class FeatureCache:
    """A finished or growing feature cache.

    Parameters
    ----------
    folder : path-like
        The cache's folder.

    Attributes
    ----------
    manifest : dict
        The settings and inputs that made the cache.
    manifest_hash : str
        Its hex SHA-256; result lines name it.
    layers : dict of str to int
        Every vector layer and its width, in the order of the network.
    maps : dict of str to tuple of int
        Every spatial map and its shape (channels, height, width).

    Raises
    ------
    InputError
        The folder is not a cache.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.manifest_hash = manifest_hash(self.manifest)
        records = self.manifest["layers"]
        shapes = {name: tuple(records[name]["shape"]) for name in self.manifest["layer_order"]}
        self.layers = {k: shape[0] for k, shape in shapes.items() if not schema.is_map(shape)}
        self.maps = {k: shape for k, shape in shapes.items() if schema.is_map(shape)}
        self._step = self.manifest["shard_rows"]
        self._shards = MappedShards(self.folder, self.manifest, self.layers)

    def __len__(self) -> int:
        return self.manifest["index"]["rows"]

    @cached_property
    def index(self) -> Index:
        """Every row, read when it is asked for: id, path, size, checksum, status and message."""
        return self._listed.first(len(self))

    @cached_property
    def _listed(self) -> Index:
        """What `index.csv` holds: more than the rows when an append has just begun."""
        rows = read_index(self.folder, self.manifest)
        if fault := index_fault(rows.first(len(self)), self.manifest):
            raise InputError(
                f"{self.folder / schema.INDEX}: {fault}. Restore it, or rebuild it: run extract "
                "again."
            )
        return rows

    @property
    def ids(self) -> Sequence[str]:
        """Image ids in row order, read when they are asked for; equal to a list of them."""
        return self.index.ids

    @cached_property
    def status(self) -> np.ndarray:
        """A `schema.Status` per row, uint8 (n,); PENDING where no shard exists yet."""
        status = np.full(len(self), schema.Status.PENDING, dtype=np.uint8)
        for k in shards.finished_shards(self.folder, self.manifest, short=True):
            start, held = k * self._step, shards.rows_held(self.folder, k, self.manifest)
            with shards.open_checked(self.folder, k, self.manifest) as file:
                status[start : start + held] = file[schema.STATUS][:held]
        return status

    @property
    def valid_rows(self) -> np.ndarray:
        """Rows that hold features, int64 (m,)."""
        return np.flatnonzero(np.isin(self.status, schema.WITH_FEATURES))

    @property
    def excluded(self) -> str:
        """One line that counts the rows without features, by reason; empty if there are none."""
        codes, counts = np.unique(self.status, return_counts=True)
        reasons = [
            f"{count} {schema.Status(code).name.lower()}"
            for code, count in zip(codes, counts, strict=True)
            if code not in schema.WITH_FEATURES
        ]
        missing = len(self) - len(self.valid_rows)
        return f"{missing} of {len(self)} rows excluded: {', '.join(reasons)}" if reasons else ""

    @cached_property
    def _truth(self) -> tuple[np.ndarray | None, tuple[str, ...]]:
        path = self.folder / schema.LABELS
        if not os.path.lexists(path):
            return None, ()
        ids, labels, names = read_labels_csv(path)
        if ids not in (self._listed.ids, self.ids):
            from features.row_labels import read_row_labels  # for files that people sorted

            labels, names = read_row_labels(path, self._listed.ids)
        return labels[: len(self)], names

    @property
    def labels(self) -> np.ndarray | None:
        """Labels, int8 (n, L) with 1 present, 0 absent, -1 unknown; None if there are none."""
        return self._truth[0]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._truth[1]

    def read(
        self, layers: Iterable[str] | None = None, rows: Sequence[int] | np.ndarray | None = None
    ) -> np.ndarray:
        """Read rows of some layers side by side.

        Parameters
        ----------
        layers : iterable of str, optional
            Names of vector layers; by default all, in the network's order.
        rows : sequence of int, optional
            Any rows in any order, repeats allowed; by default `valid_rows`.

        Returns
        -------
        ndarray of float32, shape (len(rows), sum of widths)
            Newly allocated.

        Raises
        ------
        InputError
            An unknown layer, a row outside the cache or one without features.
        """
        names = self.resolve(layers)
        rows = self.valid_rows if rows is None else self.checked_rows(rows)
        out = np.empty((len(rows), sum(self.layers[name] for name in names)), dtype=np.float32)
        for shard, positions, local in self._shards.by_shard(rows):
            column = 0
            for name in names:
                width = self.layers[name]
                out[positions, column : column + width] = self._shards.layer(shard, name)[local]
                column += width
        return out

    def blocks(
        self, layers: Iterable[str] | None = None, *, block_rows: int = 4096
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Read all valid rows, one block at a time.

        Yields
        ------
        rows : ndarray of int64, shape (b,)
        features : ndarray of float32, shape (b, sum of widths)
        """
        names, rows = self.resolve(layers), self.valid_rows
        for start in range(0, len(rows), block_rows):
            block = rows[start : start + block_rows]
            yield block, self.read(names, block)

    def read_instances(self, layer: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read a layer as a bag of instances per image, for multi-instance learners.

        Parameters
        ----------
        layer : str
            A quadrant-pooled layer gives its 4 quadrants (top left, top right, bottom left,
            bottom right); a spatial map gives one instance per position, row by row.
        rows : sequence of int
            Any rows in any order.

        Returns
        -------
        ndarray of float32, shape (len(rows), instances, channels)

        Raises
        ------
        InputError
            The layer has no instances, or a row holds no features.
        """
        rows = self.checked_rows(rows)
        if layer in self.maps:
            maps = self._shards.read_spatial(layer, self.maps[layer], rows)
            return maps.reshape(*maps.shape[:2], -1).transpose(0, 2, 1)
        (name,) = self.resolve([layer])
        if self.manifest["layers"][name]["pooling"] != "quadrant_max":
            raise InputError(
                f"The layer {name!r} holds one vector per image. Give a quadrant-pooled layer or a "
                f"map: {', '.join(self._with_instances())}."
            )
        flat = self.read([name], rows)
        return flat.reshape(len(rows), -1, 4).transpose(0, 2, 1)

    def resolve(self, layers: Iterable[str] | None) -> list[str]:
        """Check layer names; None stands for all vector layers.

        Raises
        ------
        InputError
            A name is not in the cache; the message lists those that are.
        """
        if layers is None:
            return list(self.layers)
        names = list(layers)
        for name in names:
            check_choice("layers", name, self.layers, kind=f"option for {self.folder}")
        check_distinct("layers", names)
        return names

    def checked_rows(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return rows as an int64 array.

        Raises
        ------
        InputError
            A row is outside the cache, or holds no features.
        """
        rows = np.asarray(rows, dtype=np.int64)
        outside = rows[(rows < 0) | (rows >= len(self))]
        if len(outside):
            raise InputError(
                f"Row {outside[0]} is outside the cache, which has rows 0 to {len(self) - 1}."
            )
        status = self._status_of(rows)
        without = np.flatnonzero(~np.isin(status, schema.WITH_FEATURES))
        if len(without):
            name = schema.Status(status[without[0]]).name.lower()
            raise InputError(
                f"Row {rows[without[0]]} holds no features ({name}). Read only `valid_rows`, or "
                "run extract again with --retry-failed."
            )
        return rows

    def _status_of(self, rows: np.ndarray) -> np.ndarray:
        """Read the status of some rows; all shards are looked at only if they were before."""
        if "status" in self.__dict__:
            return self.status[rows]
        status = np.full(len(rows), schema.Status.PENDING, dtype=np.uint8)
        for shard, positions, local in self._shards.by_shard(rows):
            if held := shards.rows_held(self.folder, shard, self.manifest):
                there = local < held
                status[positions[there]] = self._shards.layer(shard, schema.STATUS)[local[there]]
        return status

    def mapped_shards(self, layers: Iterable[str], rows: np.ndarray) -> dict[int, list[np.ndarray]]:
        """Map layers into memory, read-only: for each shard with one of `rows`, (m, width) each."""
        return {
            int(shard): [np.asarray(self._shards.layer(int(shard), name)) for name in layers]
            for shard in np.unique(rows // self._step)
        }

    def _with_instances(self) -> list[str]:
        pooled = [
            name
            for name in self.layers
            if self.manifest["layers"][name]["pooling"] == "quadrant_max"
        ]
        return [*pooled, *self.maps]


def labels_of(
    cache: FeatureCache, labels: Path | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give the labels of all rows of a cache, and their names.

    Parameters
    ----------
    cache : FeatureCache
        n images.
    labels : Path, optional
        A labels.csv instead of the cache's own; rows are matched by image, and images that it
        leaves out are unknown.

    Returns
    -------
    Y : ndarray of int8, shape (n, L)
        1, 0 or -1 (unknown).
    names : tuple of L str

    Raises
    ------
    InputError
        There are none, or the file names an image that the cache lacks.
    """
    if labels is None:
        if cache.labels is None:
            raise InputError(
                f"{cache.folder} has no labels. Give --labels FILE with a column `image` and one "
                "0/1 column per label."
            )
        return cache.labels, cache.label_names
    from features.row_labels import placed

    table = read_given_labels(labels)
    Y, _, unknown = placed(labels, table, list(cache.ids))
    if unknown:
        raise InputError(
            f"{labels} names {unknown[0]!r} and {len(unknown) - 1} more images that {cache.folder} "
            "lacks. Leave them out or extract them."
        )
    return Y, table[2]
