"""Published annotations of any format to a data set: `labels.csv` beside a link to the images."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from features.annotations.catalog import AUTO, find_format
from features.datasets import Dataset, load_dataset
from features.errors import InputError, check_choice
from features.files import remove_temporaries
from features.files.locks import locked_name
from features.files.ownership import make_folder
from features.inputs.label_values import ABSENT, UNKNOWN
from features.labels import write_labels_csv

_NEGATIVE = {"unknown": UNKNOWN, "absent": ABSENT}


def index_annotations(
    format: str,
    source: Path,
    images: Path,
    out: Path,
    *,
    strict_names: bool = False,
    negative: Literal["unknown", "absent"] = "unknown",
) -> Dataset:
    """Write `out/labels.csv` from published annotations and make `out/images` the images.

    Parameters
    ----------
    format : str
        One of `catalog.NAMES`, or `catalog.AUTO`.
    source : Path
        The file or folder that the format's record in `catalog.FORMATS` names.
    images : Path
        The folder that the annotations' file names start from.
    out : Path
        The data set's folder, made if need be. `out/images` becomes a link to `images` unless it
        or `out` itself is that folder already; nothing is copied.
    strict_names : bool
        Refuse names of images that are not exactly their files'.
    negative : {"unknown", "absent"}
        What -1 is in a csv file of labels.

    Returns
    -------
    Dataset
        What `load_dataset(out)` gives, with what the reader notes.

    Raises
    ------
    InputError
        For an unknown format, a missing source or folder, annotations their reader refuses, and
        an `out` that holds `labels.csv` or another `images` already.

    Notes
    -----
    Whether an image without an annotation is left out or refused is stated by each reader.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist. Give the annotations' file or folder.")
    if not images.is_dir():
        raise InputError(f"{images} is not a folder. Give the folder that holds the images.")
    check_choice("negative", negative, tuple(_NEGATIVE))
    record = find_format(format, source)
    labels_csv = out / "labels.csv"
    _require_free(labels_csv)
    link = out / "images"
    if os.path.lexists(link) and not (link.exists() and link.samefile(images)):
        raise InputError(f"{link} exists and is not {images}. Give another --out.")
    dataset = record.read(source, images, strict_names=strict_names, negative=_NEGATIVE[negative])
    assert dataset.labels is not None  # every reader gives labels
    make_folder(out)
    remove_temporaries(out)
    if not link.exists() and not out.samefile(images):
        link.symlink_to(images.resolve(), target_is_directory=True)
    with locked_name(labels_csv):
        _require_free(labels_csv)  # it may have come while annotations were read
        write_labels_csv(labels_csv, dataset.ids, dataset.labels, dataset.label_names)
    told = [f"{source}: taken as {record.name}, {record.about}"] if format == AUTO else []
    return replace(load_dataset(out), notes=(*told, *dataset.notes))


def _require_free(labels_csv: Path) -> None:
    if os.path.lexists(labels_csv):
        raise InputError(f"{labels_csv} exists already. Move it away or give another --out.")
