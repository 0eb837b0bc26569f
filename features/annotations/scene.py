"""LAMDA's image data for multi-instance multi-label learning ("Scene") to labels.

The archive `miml-image-data` holds `original/1.jpg` to `original/2000.jpg` and, in `processed/`,
`miml data.mat` with `targets` (5, 2000) of 1 and -1, `class_name` (5, 1) and the instances `bags`,
which are not used here. Column i of `targets` belongs to `<i + 1>.jpg`. As published: desert 409,
mountains 458, sea 580, sunset 465 and trees 560 images.
"""

from pathlib import Path

import numpy as np

from features.annotations.matlab import read_mat
from features.datasets import Dataset, index_images
from features.errors import InputError


def recognizes(source: Path) -> bool:
    """Tell whether a file is MATLAB's."""
    return source.is_file() and source.suffix.lower() == ".mat"


def read_scene(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read the Scene set.

    Parameters
    ----------
    source : Path
        The file `miml data.mat`.
    images : Path
        The folder `original`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Rows 1.jpg, 2.jpg and so on; labels are 1 or 0 in the order of `class_name`.

    Raises
    ------
    InputError
        For a file that can't be read or lacks a variable, `targets` of another shape or with
        values other than 1 and -1, and a missing image.
    """
    targets, class_name = read_mat(source, "targets", "class_name")
    cells = class_name.ravel().tolist()
    if not all(isinstance(cell, np.ndarray) and cell.dtype.kind == "U" for cell in cells):
        raise InputError(f"{source}: class_name is not a cell of text. Use it as published.")
    names = ["".join(cell.ravel()) for cell in cells]
    if targets.ndim != 2 or len(targets) != len(names):
        raise InputError(
            f"{source}: targets has shape {targets.shape}; it must have one row for each of the "
            f"{len(names)} names in class_name, and one column for each image."
        )
    if targets.dtype.kind not in "if" or not np.isin(targets, (-1, 1)).all():
        raise InputError(
            f"{source}: targets holds other values than 1 and -1. Use it as published."
        )
    ids = [f"{number}.jpg" for number in range(1, targets.shape[1] + 1)]
    labels = (targets.T == 1).astype(np.int8)
    return index_images(images, ids, labels, names, source=source, strict_names=strict_names)
