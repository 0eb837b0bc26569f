"""PASCAL VOC's lists of ImageSets/Main: a file per class, with 1, 0 or -1 for each image."""

import re
from collections.abc import Iterator
from pathlib import Path

from features.annotations.collect import Picture, collect
from features.annotations.voc import VOC_CLASSES
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.listing import visible
from features.inputs.text_lines import text_lines

_NAME = re.compile(r"(.+)_(?:trainval|train|val|test)\.txt", re.IGNORECASE)
_VALUES = {"1": 1, "+1": 1, "-1": 0, "0": -1}


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds lists of classes, and no annotations, which say more."""
    if not source.is_dir() or (source / "Annotations").is_dir():
        return False
    first = [next(filter(None, text_lines(path)), "") for _, path in _files(source)[:1]]
    return any(_parted(line) for line in first)


def read_voc_lists(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read the lists of classes of a VOC data set.

    Parameters
    ----------
    source : Path
        The folder `ImageSets/Main`, or one that holds it: each line of `cat_train.txt` (`_val`,
        `_trainval`, `_test`) is the name of an image and 1 (present), -1 (absent) or 0 (all its
        objects are difficult: unknown).
    images : Path
        The folder `JPEGImages`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        The images sorted by name; labels are VOC's 20 classes if there are no others, or else
        those of the lists, in alphabetical order. What no list says of an image is unknown.

    Raises
    ------
    InputError
        There are no lists, a line is of another form, two lists disagree, or an image is missing.
    """
    files = _files(source)
    if not files:
        raise InputError(
            f"No lists such as cat_train.txt in {source}. Give VOC's folder ImageSets/Main."
        )
    labels: dict[str, dict[str, int]] = {}
    for label, path in files:
        for name, value in _lines(path):
            first = labels.setdefault(name, {}).setdefault(label, value)
            if first != value:
                same = (one for other, one in files if other == label)
                other = next(one for one in same if (name, first) in set(_lines(one)))
                raise InputError(
                    f"{source}: {other.name} and {path.name} disagree about the image {name!r}. "
                    "Remove the list that is wrong."
                )
    classes = {label for label, _ in files}
    pictures = [Picture(name, labels[name], -1) for name in sorted(labels)]
    return collect(
        images, pictures, source=source, strict_names=strict_names,
        known=VOC_CLASSES if classes.issubset(VOC_CLASSES) else sorted(classes),
    )  # fmt: skip


def _files(source: Path) -> list[tuple[str, Path]]:
    """List (class, file) of the lists."""
    for folder in (source, source / "Main", source / "ImageSets" / "Main"):
        named = [(_NAME.fullmatch(path.name), path) for path in visible(folder.glob("*.txt"))]
        if found := [(name[1], path) for name, path in named if name]:
            return found
    return []


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(text_lines(path), start=1):
        if not line:
            continue
        found = _parted(line)
        if not found:
            raise InputError(
                f"{path}, line {number}: it must be an image's name and 1, 0 or -1. Got "
                f"{line[:60]!r}. Correct or remove it."
            )
        yield found


def _parted(line: str) -> tuple[str, int] | None:
    """Give the name and the value of a line."""
    name, *value = line.rsplit(maxsplit=1) or [""]
    return (name, _VALUES[value[0]]) if value and value[0] in _VALUES else None
