"""Annotations in the forms data sets are published in, turned into a folder with `labels.csv`.

Each form has a reader in a file of its own, `(source, images) -> Dataset`. The readers look at
names and labels and never at the images.
"""

import os
from collections.abc import Callable
from pathlib import Path

from features.annotations.coco import read_coco
from features.annotations.msrc import read_msrc, read_msrc_cleaned
from features.annotations.scene import read_scene
from features.annotations.voc import read_voc
from features.datasets import Dataset, load_dataset
from features.errors import InputError
from features.files import remove_temporaries
from features.labels import write_labels_csv

READERS: dict[str, Callable[[Path, Path], Dataset]] = {
    "coco": read_coco,
    "voc": read_voc,
    "msrc": read_msrc,
    "msrc-cleaned": read_msrc_cleaned,
    "scene": read_scene,
}


def index_annotations(format: str, source: Path, images: Path, out: Path) -> Dataset:
    """Write `out/labels.csv` from published annotations and make `out/images` the images.

    Parameters
    ----------
    format : str
        A key of `READERS`: coco, voc, msrc, msrc-cleaned or scene.
    source : Path
        coco: the instances JSON; voc: the folder `Annotations`; msrc: the folder `GroundTruth`;
        msrc-cleaned: the folder `newsegmentations_mats`; scene: the file `miml data.mat`.
    images : Path
        The folder that the annotations' file names start from.
    out : Path
        The data set's folder, made if need be. `out/images` becomes a link to `images` unless it
        is that folder already; nothing is copied.

    Returns
    -------
    Dataset
        What `load_dataset(out)` gives.

    Raises
    ------
    InputError
        For an unknown format, a missing source or folder, annotations their reader refuses, and
        an `out` that holds `labels.csv` or another `images` already.

    Notes
    -----
    Images that coco and voc annotations don't name are left out; with the other formats each image
    has to have its annotation.
    """
    if format not in READERS:
        raise InputError(
            f"{format!r} is not an annotation format; allowed are {', '.join(READERS)}"
        )
    if not source.exists():
        raise InputError(f"{source} is not there; give the annotations' file or folder")
    if not images.is_dir():
        raise InputError(f"{images} is not a folder; give the one that holds the images")
    labels_csv = out / "labels.csv"
    if os.path.lexists(labels_csv):
        raise InputError(f"{labels_csv} is there already; move it away or give another folder")
    link = out / "images"
    if os.path.lexists(link) and not (link.exists() and link.samefile(images)):
        raise InputError(f"{link} is there and is not {images}; give another folder")
    dataset = READERS[format](source, images)
    assert dataset.labels is not None  # every reader gives labels
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    if not link.exists():
        link.symlink_to(images.resolve(), target_is_directory=True)
    write_labels_csv(labels_csv, dataset.ids, dataset.labels, dataset.label_names)
    return load_dataset(out)
