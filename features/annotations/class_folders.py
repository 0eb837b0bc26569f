"""A folder per class: what a picture shows is the name of the folder that it lies in."""

from pathlib import Path, PurePosixPath

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.listing import Listing, scan
from features.labels import some_of

#: Folders that divide a data set by something else than what its pictures show.
_NO_CLASSES = frozenset(
    {
        *("train", "training", "val", "valid", "validation", "dev", "test", "testing", "unlabeled"),
        *("train2017", "val2017", "test2017", "image", "images", "img", "imgs", "jpegimages"),
        *("photos", "pictures", "masks", "annotations", "labels"),
    }
)


def recognizes(source: Path) -> bool:
    """Tell whether all pictures of a folder lie in folders inside it that may be of classes."""
    if not source.is_dir():
        return False
    folders = {PurePosixPath(picture).parent.name for picture in scan(source).pictures}
    classes = {name for name in folders if name.casefold() not in _NO_CLASSES}
    return len(folders) > 1 and "" not in folders and bool(classes)


def read_class_folders(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of folders of pictures.

    Parameters
    ----------
    source, images : Path
        The same folder. A picture's label is the folder that it lies in, at any depth, so that
        `train/cat/1.jpg` and `test/cat/2.jpg` have the label `cat`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Every picture, sorted by name, with one label present and all others absent; labels are
        in alphabetical order.

    Raises
    ------
    InputError
        Two different folders, or a picture that lies in no folder.
    """
    if not source.is_dir() or not source.samefile(images):
        raise InputError(
            f"The folders of classes are those of the images: {source} is not {images}. Give one "
            "folder as both."
        )
    found: Listing = scan(images)
    classes = [PurePosixPath(picture).parent.name for picture in found.pictures]
    if loose := [
        picture for picture, name in zip(found.pictures, classes, strict=True) if not name
    ]:
        raise InputError(
            f"{images}: {some_of(loose)} pictures lie in no folder of a class. Move them into one."
        )
    names = sorted(set(classes))
    column_of = {name: column for column, name in enumerate(names)}
    labels = np.zeros((len(classes), len(names)), dtype=np.int8)
    labels[np.arange(len(classes)), [column_of[name] for name in classes]] = 1
    return index_images(
        images, found.pictures, labels, names, source=source, strict_names=strict_names
    )
