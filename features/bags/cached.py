"""Bags out of a feature cache: a spatial map's positions, or the quadrants of pooled layers."""

import math
from collections.abc import Sequence

import numpy as np

from features.bags.packed import Bags
from features.cache import FeatureCache
from features.errors import InputError, check_choice, check_distinct


def instance_layers(cache: FeatureCache) -> list[str]:
    """List the layers that hold several instances per image: quadrant-pooled ones, then maps."""
    records = cache.manifest["layers"]
    pooled = [name for name in cache.layers if records[name]["pooling"] == "quadrant_max"]
    return [*pooled, *cache.maps]


def bags_of(cache: FeatureCache, layers: Sequence[str] | None, rows: np.ndarray) -> Bags:
    """Read one bag per image.

    Parameters
    ----------
    cache : FeatureCache
    layers : sequence of str, optional
        A spatial map (an instance per position: `pool5_map` of VGG16 has 49 of 512 columns), or
        quadrant-pooled layers, whose columns stand side by side in each of the 4 instances. By
        default all quadrant-pooled layers, or else the maps.
    rows : ndarray of int, shape (n,)
        Rows of the cache that hold features, in any order.

    Returns
    -------
    Bags
        n bags of one size, float32.

    Raises
    ------
    InputError
        No layer holds instances, a given one does not, or the layers differ in their number.
    """
    layers = resolve_instances(cache, layers)
    parts = [cache.read_instances(name, rows) for name in layers]
    return Bags.from_array(np.concatenate(parts, axis=2))


def resolve_instances(cache: FeatureCache, layers: Sequence[str] | None) -> list[str]:
    """Check names of layers that hold instances, as for `bags_of`; None stands for its default.

    Raises
    ------
    InputError
        As `bags_of`.
    """
    found = instance_layers(cache)
    if not found:
        raise InputError(
            f"{cache.folder} holds one vector per image only; extract quadrant-pooled layers or a "
            "map, as `python -m extract --layers pool5_map` does"
        )
    if layers is None:
        pooled = [name for name in found if name not in cache.maps]
        layers = pooled or found
    for name in layers:
        check_choice("layers", name, found, kind=f"option for the instances of {cache.folder}")
    check_distinct("layers", layers)
    counts = {name: math.prod(cache.maps[name][1:]) if name in cache.maps else 4 for name in layers}
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the layers differ in instances per image: {listed}; give those alike")
    return list(layers)


def instance_widths(cache: FeatureCache, layers: Sequence[str]) -> list[int]:
    """Count the columns that each layer gives an instance."""
    return [
        cache.maps[name][0] if name in cache.maps else cache.layers[name] // 4 for name in layers
    ]
