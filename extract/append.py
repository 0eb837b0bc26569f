"""Find the rows of a cache in a data set: the same images in the cache's order, and new ones.

Rows are never moved: new images come after those that a cache has, wherever the data set lists
them. What the cache held before stands in its manifest, so that its shards stay as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features import schema
from features.datasets import Dataset
from features.errors import InputError
from features.index import Identity, identities_hash, index_hash, read_index
from features.labels import some_of
from features.manifest import Manifest, read_manifest, require_equal


class Placed(NamedTuple):
    """A data set in the order of a cache's rows.

    Attributes
    ----------
    dataset : Dataset
        n images.
    sizes : ndarray of int64, shape (n,)
        File sizes in bytes.
    manifest : dict
        The manifest that the cache has, or is to have.
    new : int
        How many of the images, the last ones, the cache does not have yet.
    """

    dataset: Dataset
    sizes: np.ndarray
    manifest: Manifest
    new: int = 0


def place(
    folder: Path, dataset: Dataset, sizes: np.ndarray, manifest: Manifest, *, append: bool
) -> Placed:
    """Put the images of a data set in the order of a cache's rows.

    Parameters
    ----------
    folder : Path
        The cache's folder, which need not exist yet.
    dataset : Dataset
        n images.
    sizes : ndarray of int64, shape (n,)
        File sizes in bytes.
    manifest : dict
        What the manifest of a new cache of these images would be.
    append : bool
        Allow images that the cache does not have.

    Returns
    -------
    Placed

    Raises
    ------
    InputError
        The cache was made with other settings, has an image that the data set lacks or has with
        another size, or lacks an image and `append` is false.
    """
    if not (folder / schema.MANIFEST).exists():
        return Placed(dataset, sizes, manifest)
    old = read_manifest(folder)
    require_equal(_without_index(old), _without_index(manifest), folder)
    if old["index"] == manifest["index"]:
        return Placed(dataset, sizes, old)
    state, known = _known(folder, old, dataset, sizes)
    if known is None:
        require_equal(old, manifest, folder)
    order, rest = _order(folder, known or [], dataset, sizes)
    placed = _in_order(dataset, sizes, [*order, *rest], old, new=len(rest))
    if _index_of(placed) == (old["index"]["rows"], old["index"]["sha256"]):
        return placed._replace(new=0)  # an append that has begun, or a data set in another order
    if not rest:
        require_equal(old, manifest, folder)
    if not append:
        names = [dataset.ids[i] for i in rest]
        raise InputError(
            f"The data set has {some_of(names)} images that {folder} lacks. --append computes "
            "these and keeps what is there; or give another --out."
        )
    rows, sha256 = _index_of(placed)
    before = dict(state["index"])
    earlier = [*before.pop(schema.EARLIER, []), before]
    index = {"rows": rows, "sha256": sha256, schema.EARLIER: earlier}
    return placed._replace(manifest={**old, "index": index})


def _without_index(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key != "index"}


def _index_of(placed: Placed) -> tuple[int, str]:
    return len(placed.dataset), index_hash(placed.dataset, placed.sizes)


def _known(
    folder: Path, manifest: Manifest, dataset: Dataset, sizes: np.ndarray
) -> tuple[Manifest, list[Identity] | None]:
    """Find the images of a cache, in its order: by its index or, without one, by the data set.

    A stop at the start of an append leaves an index with more rows than the manifest; a worker
    that began before it may leave one with fewer.
    """
    try:
        listed = [(row.id, row.path, row.size) for row in read_index(folder)]
    except InputError:
        listed = []
    here = list(zip(dataset.ids, dataset.paths, sizes.tolist(), strict=True))
    for state in reversed(schema.states(manifest)):
        for rows in (listed, here):
            begin = rows[: state["index"]["rows"]]
            if identities_hash(begin) == state["index"]["sha256"]:
                return state, begin
    return manifest, None


def _order(
    folder: Path, known: Sequence[Identity], dataset: Dataset, sizes: np.ndarray
) -> tuple[list[int], list[int]]:
    """Find the positions in the data set of the images that are known, and of all others."""
    at = {id_: i for i, id_ in enumerate(dataset.ids)}
    if removed := [id_ for id_, *_ in known if id_ not in at]:
        raise InputError(
            f"{folder} has {some_of(removed)} images that the data set lacks. A cache keeps its "
            "rows: put these back, or give another --out."
        )
    order = [at[id_] for id_, *_ in known]
    changed = [
        id_
        for i, (id_, path, size) in zip(order, known, strict=True)
        if (dataset.paths[i], sizes[i]) != (path, size)
    ]
    if changed:
        raise InputError(
            f"{some_of(changed)} images have another size, or lie in another folder, than when "
            f"{folder} was made. Put them back, give new images new names, or give another --out."
        )
    kept = set(order)
    return order, [i for i in range(len(dataset)) if i not in kept]


def _in_order(
    dataset: Dataset, sizes: np.ndarray, order: list[int], manifest: Manifest, *, new: int
) -> Placed:
    ordered = replace(
        dataset,
        ids=tuple(dataset.ids[i] for i in order),
        paths=tuple(dataset.paths[i] for i in order),
        labels=None if dataset.labels is None else dataset.labels[order],
    )
    return Placed(ordered, sizes[order], manifest, new)
