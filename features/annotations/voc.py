"""Read PASCAL VOC XML into labels: one file per image, one `object` element per instance."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from features.annotations.collect import named_or_own
from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.label_values import label_value
from features.inputs.listing import is_companion, visible
from features.inputs.text_lines import beginning
from features.inputs.xml_text import read_xml

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)

_LOOKED_AT = 20  # files, to tell the form of a folder
_START = re.compile(r"<annotation[\s>]")
_UNSAID = ("unspecified", "undefined")  # what tools write where nobody has said so


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds XML files of VOC's root element."""
    if not source.is_dir():
        return False
    # Not only the first: a copy that ran out of disk leaves files that are empty or cut.
    return any(_START.search(beginning(path)) for path in _files(source)[:_LOOKED_AT])


def read_voc(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of VOC annotations.

    A class is present where an image has an object of it that is not `difficult`, unknown (-1)
    where all its objects are, absent otherwise: VOC's evaluation leaves difficult ones out too.
    An object of which nothing or "Unspecified" is said is not difficult.

    Parameters
    ----------
    source : Path
        The folder `Annotations`, or the one that holds it; each `*.xml` in it, at any depth, that
        isn't hidden is a row, in the order of their paths.
    images : Path
        The folder `JPEGImages`, which each `filename` element starts from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are VOC's 20 classes in alphabetical order if there are no others, or else the names
        that occur, sorted.

    Raises
    ------
    InputError
        For a folder without annotations, malformed XML, XML with a DTD (which VOC has not, and
        which can make a small file expand without end), a missing element, a `difficult` that
        says neither yes nor no, and a missing image file.
    """
    files = _files(source)
    if not files:
        raise InputError(f"No *.xml in {source}. Give VOC's folder Annotations.")
    read = map(_read_annotation, tqdm(files, desc="voc", unit="file"))
    stated, objects = zip(*read, strict=True)
    own = [path.stem for path in files]
    names, notes = named_or_own(stated, own, files, source, images, strict_names=strict_names)
    file_of: dict[str, Path] = {}
    for name, path in zip(names, files, strict=True):
        if (first := file_of.setdefault(name, path)) != path:
            raise InputError(
                f"{source} names images twice: {first.name} and {path.name} both have the filename "
                f"{name!r}. Correct or remove one of them."
            )
    classes: set[str] = set().union(*objects)
    among_voc = classes and classes.issubset(VOC_CLASSES)
    label_names = VOC_CLASSES if among_voc else tuple(sorted(classes))
    column_of = {name: column for column, name in enumerate(label_names)}
    labels = np.zeros((len(files), len(label_names)), dtype=np.int8)
    for row, of_image in enumerate(objects):
        for name, is_sure in of_image.items():
            labels[row, column_of[name]] = 1 if is_sure else -1
    return index_images(
        images, names, labels, label_names, source=source, strict_names=strict_names, notes=notes
    )


def _files(source: Path) -> list[Path]:
    inside = source / "Annotations"
    paths = (inside if inside.is_dir() else source).rglob("*.[xX][mM][lL]")
    return [path for path in visible(paths) if not any(map(is_companion, _folders(path, source)))]


def _folders(path: Path, source: Path) -> tuple[str, ...]:
    return path.relative_to(source).parts[:-1]


def _read_annotation(path: Path) -> tuple[str, dict[str, bool]]:
    """Give the image's name, perhaps empty, and for each class if an object is not difficult."""
    root = read_xml(path)
    if root.tag != "annotation":
        raise InputError(
            f"{path}: the root element is {root.tag!r}; it must be 'annotation'. Move a file that "
            "is none of VOC's away."
        )
    objects: dict[str, bool] = {}
    for element in root.iterfind("object"):
        name = _text(element, "name", path)
        if _says(element, "deleted", name, path):  # in LabelMe it is kept, but not shown
            continue
        is_difficult = _says(element, "difficult", name, path)
        objects[name] = objects.get(name, False) or not is_difficult
    return root.findtext("filename", "").strip(), objects


def _says(element: ElementTree.Element, tag: str, name: str, path: Path) -> bool:
    """Tell whether a flag is set; one that nobody has filled in is not."""
    text = (element.findtext(tag) or "").strip()
    try:
        return text.casefold() not in _UNSAID and label_value(text) == 1
    except InputError:
        raise InputError(
            f"{path}: {name!r} has {tag} {text!r}; it must be 0 or 1. Correct it."
        ) from None


def _text(element: ElementTree.Element, tag: str, path: Path) -> str:
    text = element.findtext(tag, "").strip()
    if not text:
        raise InputError(f"{path}: {element.tag!r} has no {tag!r} or an empty one. Add it.")
    return text
