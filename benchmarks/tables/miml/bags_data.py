"""Bags, labels and splits of the MIML table; and the features of the same images."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables.miml.bags_summary import NETWORK, REGIONS
from benchmarks.tables.published import PublishedTable
from classify.miml.distances import bag_distances
from classify.miml.scaling import InstanceScaler
from features.bags import Bags, BagSet, read_bags
from features.bags.cached import bags_of, resolve_instances
from features.bags.msrc import msrc_rows
from features.cache import FeatureCache
from features.errors import InputError
from features.splits import Split, random_split

AGREEMENT = 0.95  # of label cells; the cleaned labels of MSRC v2 agree with the original in .994


@dataclass(frozen=True)
class InstanceSet:
    """One kind of instances of the same images.

    Parameters
    ----------
    bags : Bags
    scaling : str
        In the way of `classify.miml.scaling`, for methods that measure distances.
    distances : mapping of str to ndarray of shape (n, n)
        By form of the Hausdorff distance, where the scaling learns nothing; else empty.
    """

    bags: Bags
    scaling: str
    distances: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class BagTask:
    """What all methods are run on.

    Parameters
    ----------
    name : str
        Of the data set, in titles.
    sets : mapping of str to InstanceSet
        `REGIONS`, as the file has them, and `NETWORK`, from a cache.
    Y : int8 ndarray of shape (n, L)
    label_names : tuple of L str
    splits : tuple of Split
        Those of the file, by seed; where it has none, every seed draws its own.
    X : float32 ndarray of shape (n, d) or None
        The cache's features of whole images.
    source : mapping
        What a header says of where all this comes from.
    """

    name: str
    sets: Mapping[str, InstanceSet]
    Y: np.ndarray
    label_names: tuple[str, ...]
    splits: tuple[Split, ...] = ()
    X: np.ndarray | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    def split(self, seed: int) -> Split:
        """Give the file's split of that number, or the random one: 2/3 of the rows train."""
        return self.splits[seed] if self.splits else random_split(len(self.Y), seed)


def read_bag_task(
    path: Path, cache: Path | None = None, layers: Sequence[str] | None = None
) -> BagTask:
    """Read bags from a published file, and features of the same images from a cache.

    Parameters
    ----------
    path : Path
        As `features.bags.read_bags` takes it.
    cache : Path, optional
        Features of MSRC v2's images; only their file names tell which bag is which image.
    layers : sequence of str, optional
        Layers whose instances make bags; by default as in `features.bags.cached.bags_of`.

    Returns
    -------
    BagTask

    Raises
    ------
    InputError
        The file can't be read, the cache is of other images, or its labels are of others.
    """
    found = read_bags(path)
    scaling = "none" if _within_unit(found.bags.instances) else "range01"
    sets = {REGIONS: _instance_set(found.bags, scaling)}
    source: dict[str, Any] = {
        "bags": {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "caches": [],
    }
    X = None
    if cache is not None:
        features = FeatureCache(cache)
        rows = _rows_of_bags(features, found)
        names = resolve_instances(features, layers)
        sets[NETWORK] = _instance_set(bags_of(features, names, rows), "unit")
        X = features.read(None, rows)
        source["caches"] = [
            {"manifest": features.manifest_hash, "layers": dict(features.layers)},
        ]
        source["instance_layers"] = names
    return BagTask(path.stem, sets, found.Y, found.label_names, found.splits, X, source)


def paper_of_task(task: BagTask, tables: Mapping[str, PublishedTable], name: str | None) -> str:
    """Give the published table to lay beside: the named one, or that of the same label names."""
    if name is not None:
        return name
    names = {label.lower() for label in task.label_names}
    same_count = [key for key, one in tables.items() if len(one.labels) == len(names)]
    exact = [key for key in same_count if tables[key].labels == names]
    return next(iter(exact or same_count), "none")


def _instance_set(bags: Bags, scaling: str) -> InstanceSet:
    distances = {}
    if scaling in ("none", "unit"):
        scaled = bags.replace(InstanceScaler(scaling).fit(bags.instances).transform(bags.instances))
        distances = {kind: bag_distances(scaled, kind=kind) for kind in ("max", "average")}
    return InstanceSet(bags, scaling, distances)


def _within_unit(instances: np.ndarray) -> bool:
    return bool(instances.min() >= 0 and instances.max() <= 1)


def _rows_of_bags(features: FeatureCache, found: BagSet) -> np.ndarray:
    """Give the row of the cache of every bag, checked by the labels of both."""
    ids = features.ids
    if len(ids) != len(found.bags):
        raise InputError(
            f"{features.folder} has {len(ids)} images and the file {len(found.bags)} bags: give "
            "the cache of the images that the bags were made of"
        )
    rows = features.checked_rows(msrc_rows(ids))
    if features.labels is None or features.labels.shape[1] != found.Y.shape[1]:
        raise InputError(
            f"{features.folder} has not the {found.Y.shape[1]} labels of the bags, by which the "
            "order of the images is checked: extract from a folder with labels.csv"
        )
    share = float((features.labels[rows] == found.Y).mean())
    if share < AGREEMENT:
        raise InputError(
            f"the labels of {features.folder} and of the bags agree in {share:.1%} of the cells "
            f"only, less than {AGREEMENT:.0%}: they are not the same images"
        )
    return rows
