"""Read PASCAL VOC XML into labels: one file per image, one `object` element per instance."""

import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.label_values import label_value
from features.inputs.listing import visible

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)

_UNSAID = ("unspecified", "undefined")  # what tools write where nobody has said so


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds XML files of VOC's root element."""
    if not source.is_dir():
        return False
    files = (path for path in visible(source.iterdir()) if path.suffix.lower() == ".xml")
    with open(next(files, os.devnull), encoding="utf-8-sig", errors="replace") as file:
        return "<annotation" in file.read(4096)


def read_voc(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of VOC annotations.

    A class is present where an image has an object of it that is not `difficult`, unknown (-1)
    where all its objects are, absent otherwise: VOC's evaluation leaves difficult ones out too.
    An object of which nothing or "Unspecified" is said is not difficult.

    Parameters
    ----------
    source : Path
        The folder `Annotations`; each `*.xml` in it that isn't hidden is a row, in the order of
        their names.
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
    files = [path for path in visible(source.iterdir()) if path.suffix.lower() == ".xml"]
    if not files:
        raise InputError(f"No *.xml in {source}. Give VOC's folder Annotations.")
    names, objects = zip(*map(_read_annotation, tqdm(files, desc="voc", unit="file")), strict=True)
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
        images, names, labels, label_names, source=source, strict_names=strict_names
    )


def _read_annotation(path: Path) -> tuple[str, dict[str, bool]]:
    """Give the image's file name and, for each class, whether an object of it is not difficult."""
    try:
        root = ElementTree.parse(path, ElementTree.XMLParser(target=_WithoutDTD())).getroot()
    except _HasDTD:
        raise InputError(f"{path} has a DTD, which VOC's files don't. Remove it.") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path} is not XML ({error}). Unpack it again or remove it.") from None
    if root.tag != "annotation":
        raise InputError(f"{path}: the root element is {root.tag!r}; it must be 'annotation'.")
    objects: dict[str, bool] = {}
    for element in root.iterfind("object"):
        name = _text(element, "name", path)
        difficult = (element.findtext("difficult") or "").strip()
        try:
            is_difficult = difficult.casefold() not in _UNSAID and label_value(difficult) == 1
        except InputError:
            raise InputError(
                f"{path}: {name!r} has difficult {difficult!r}; it must be 0 or 1."
            ) from None
        objects[name] = objects.get(name, False) or not is_difficult
    return _text(root, "filename", path), objects


def _text(element: ElementTree.Element, tag: str, path: Path) -> str:
    text = element.findtext(tag, "").strip()
    if not text:
        raise InputError(f"{path}: {element.tag!r} has no {tag!r} or an empty one. Add it.")
    return text


class _HasDTD(Exception):
    pass


class _WithoutDTD(ElementTree.TreeBuilder):
    def doctype(self, *declaration: object) -> None:
        raise _HasDTD
