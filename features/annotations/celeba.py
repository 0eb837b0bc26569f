"""CelebA's list of attributes: a count, a line of names, then a line of 1 and -1 per image."""

from pathlib import Path

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.text_lines import beginning, text_lines

_VALUES = {"1": 1, "-1": 0}


def recognizes(source: Path) -> bool:
    """Tell whether a text file begins with a count, names and a line of 1 and -1."""
    if not source.is_file() or source.suffix.lower() != ".txt":
        return False
    count, _, first = [*beginning(source).splitlines()[:3], "", "", ""][:3]
    _, *values = first.split() or [""]
    return count.strip().isdecimal() and bool(values) and _VALUES.keys() >= set(values)


def read_celeba(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read `list_attr_celeba.txt`.

    Parameters
    ----------
    source : Path
        Its first line counts the images, its second one names the attributes; every other line
        has an image's name and 1 (present) or -1 (absent) for each attribute.
    images : Path
        The folder `img_align_celeba`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0 in the order of the attributes.

    Raises
    ------
    InputError
        The count is wrong, a line has another number of values or another value, or an image is
        missing.
    """
    count, header, *lines = [*text_lines(source), "", ""]
    names = header.split()
    rows = [(number, line.split()) for number, line in enumerate(lines, start=3) if line]
    if count.lstrip("\ufeff") != str(len(rows)):
        raise InputError(
            f"{source} states {count[:20]!r} images and has {len(rows)}. Give CelebA's file, whole."
        )
    labels = np.zeros((len(rows), len(names)), dtype=np.int8)
    for row, (number, (_, *values)) in enumerate(rows):
        if len(values) != len(names) or not _VALUES.keys() >= set(values):
            raise InputError(
                f"{source}, line {number}: it must be an image's name and {len(names)} times 1 or "
                f"-1. Got {' '.join(values)[:60]!r}. Correct it."
            )
        labels[row] = [_VALUES[value] for value in values]
    ids = [name for _, (name, *_) in rows]
    return index_images(images, ids, labels, names, source=source, strict_names=strict_names)
