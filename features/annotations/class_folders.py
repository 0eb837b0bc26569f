"""A folder per class: what a picture shows is the name of the folder that it lies in."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.listing import Listing, scan
from features.inputs.text_lines import text_lines
from features.labels import some_of

_SYNSET = re.compile(r"n\d{8}")
_SYNSET_NAMES = ("LOC_synset_mapping.txt", "synset_words.txt")
_ABOVE = 4  # folders between ImageNet's list and its classes, as Kaggle packs them

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
        `train/cat/1.jpg` and `test/cat/2.jpg` have the label `cat`. ImageNet's folders
        (`n01440764`) are called as its `LOC_synset_mapping.txt` or `synset_words.txt` says, if
        that lies there or above.
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
    called, notes = _synset_names(source, sorted(set(classes)))
    classes = [called.get(name, name) for name in classes]
    names = sorted(set(classes))
    column_of = {name: column for column, name in enumerate(names)}
    labels = np.zeros((len(classes), len(names)), dtype=np.int8)
    labels[np.arange(len(classes)), [column_of[name] for name in classes]] = 1
    return index_images(
        images, found.pictures, labels, names,
        source=source, strict_names=strict_names, notes=notes,
    )  # fmt: skip


def _synset_names(source: Path, folders: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Give the names of ImageNet's classes by their folders, and the line that says where from.

    The name is the first of the synonyms; the folder stands behind it where two classes have one
    name, as two cranes do.
    """
    synsets = [folder for folder in folders if _SYNSET.fullmatch(folder)]
    above = [source.resolve(), *source.resolve().parents][: _ABOVE + 1] if synsets else []
    lists = (folder / name for folder in above for name in _SYNSET_NAMES)
    path = next((path for path in lists if path.is_file()), None)
    if path is None:
        return {}, []
    lines = (line.strip().partition(" ") for line in text_lines(path))
    words = {folder: words.split(",")[0].strip() for folder, _, words in lines}
    found = {folder: words[folder] for folder in synsets if words.get(folder)}
    counts = Counter([*found.values(), *(one for one in folders if one not in found)])
    called = {
        folder: name if counts[name] == 1 else f"{name} ({folder})"
        for folder, name in found.items()
    }
    note = f"{source}: {len(found)} of {len(folders)} classes are called as {path} says"
    return called, [note] if found else []
