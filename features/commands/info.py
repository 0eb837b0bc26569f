"""Describe a cache or a new index in a few lines of text."""

from pathlib import Path

import numpy as np

from features.cache import FeatureCache
from features.datasets import Dataset
from features.inputs.label_warnings import label_warnings
from features.inputs.listing import scan
from features.manifest import flatten
from features.splits import duplicate_groups


def describe_cache(folder: Path) -> str:
    """Describe a cache: its manifest, layers, rows, labels and failures.

    Parameters
    ----------
    folder : Path
        The cache's folder.

    Returns
    -------
    str
        Lines of text.

    Raises
    ------
    InputError
        The folder is not a cache.
    """
    cache = FeatureCache(folder)
    lines = [_counts(cache)]
    for name, width in cache.layers.items():
        lines.append(f"  {name:<20} {width:>6} columns")
    for name, shape in cache.maps.items():
        lines.append(f"  {name:<20} {' x '.join(map(str, shape))} map")
    lines.append(f"  {'together':<20} {sum(cache.layers.values()):>6} columns")
    lines.extend(f"  {line}" for line in duplicates(cache))
    if cache.labels is not None:
        lines.append(f"{count_labels(cache.labels)}: {', '.join(cache.label_names)}")
        known = cache.labels[cache.valid_rows]
        lines.extend(f"  {line}" for line in label_warnings(known, cache.label_names))
    lines.append(f"manifest {cache.manifest_hash}")
    for key, value in flatten(cache.manifest).items():
        if not key.startswith("layer"):
            lines.append(f"  {key:<28} {value}")
    return "\n".join(lines)


def duplicates(cache: FeatureCache) -> tuple[str, ...]:
    """Count in one line the files that have the content of another one; no line for none."""
    groups = duplicate_groups(cache.index.sha256())
    sizes = np.bincount(groups)
    several = np.flatnonzero(sizes > 1)
    if not len(several):
        return ()
    first = np.flatnonzero(groups == several[0])[:3].tolist()
    return (
        f"{sizes[several].sum()} images are copies of each other, in {len(several)} groups of one "
        f"checksum (first {' and '.join(repr(cache.ids[row]) for row in first)}); `classify sweep "
        "--group-duplicates` keeps them on one side of a split",
    )


def describe_rows(folder: Path) -> str:
    """Count a cache's rows, and those without features by reason."""
    return _counts(FeatureCache(folder))


def _counts(cache: FeatureCache) -> str:
    line = f"{cache.folder}: {len(cache)} rows, {len(cache.valid_rows)} with features"
    return f"{line}\n  {cache.excluded}" if cache.excluded else line


def describe_index(dataset: Dataset, images: Path) -> str:
    """Describe a new `labels.csv`, and how many of `images` its annotations leave out.

    Parameters
    ----------
    dataset : Dataset
        What `annotations.index.index_annotations` gave, with labels.
    images : Path
        The folder of images that it was given.

    Returns
    -------
    str
        Lines of text.
    """
    assert dataset.labels is not None  # annotations are labels
    lines = [f"{dataset.root}: {len(dataset)} rows, {count_labels(dataset.labels)}"]
    lines.extend(f"  {line}" for line in label_warnings(dataset.labels, dataset.label_names))
    found = scan(images)
    if more := len(set(found.pictures).difference(dataset.ids)):
        lines.append(f"  {more} more images in {images} have no annotation and are left out")
    lines.extend(f"  {line}" for line in found.left_out())
    return "\n".join(lines)


def count_labels(labels: np.ndarray) -> str:
    """Count labels, positives and unknown cells.

    Examples
    --------
    >>> count_labels(np.array([[1, 0, 1], [-1, 0, 1]], dtype=np.int8))
    '3 labels, 3 positives (1.500 per image), 1 cells unknown'
    """
    positives = np.count_nonzero(labels == 1)
    return (
        f"{labels.shape[1]} labels, {positives} positives "
        f"({positives / max(1, len(labels)):.3f} per image), "
        f"{np.count_nonzero(labels < 0)} cells unknown"
    )
