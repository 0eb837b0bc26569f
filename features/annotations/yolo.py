"""YOLO's labels: a text file per image, whose lines begin with the number of a class."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.label_values import float_or_none
from features.inputs.listing import scan, visible
from features.inputs.text_lines import text_lines
from features.labels import some_of

_NAME_LISTS = ("classes.txt", "obj.names", "names.txt", "labels.txt", "_darknet.labels")
_NO_LABELS = frozenset((*_NAME_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt", "notes.txt"))


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds text files of numbers, a class and a box per line."""
    if not source.is_dir():
        return False
    sample = [line for _, path in _label_files(source)[:20] for line in text_lines(path)[:1]]
    return any(map(_is_box, sample)) and all(_is_box(line) for line in sample if line)


def read_yolo(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of YOLO labels: boxes, segments or poses.

    Parameters
    ----------
    source : Path
        The folder `labels`, or the one that holds it: a file `train/1.txt` belongs to the image
        `train/1.*`. Classes are named by `data.yaml` (or another .yaml with `names`),
        `classes.txt` or `obj.names` in this folder or one of the two above it, or else by their
        numbers.
    images : Path
        The folder `images`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Every picture of the folder, sorted by name; one without a file has all labels absent, as
        in YOLO's training. Labels are 1 or 0 in the order of the classes' numbers.

    Raises
    ------
    InputError
        A line that doesn't begin with the number of a class, a file without an image, names that
        can't be read.
    """
    pictures = scan(images).pictures
    source = source / "labels" if (source / "labels").is_dir() else source
    files = _label_files(source)
    if not files:
        raise InputError(f"No *.txt in {source}. Give YOLO's folder labels.")
    stems = [str(PurePosixPath(picture).with_suffix("")) for picture in pictures]
    known = set(stems)
    if surplus := [name for name, _ in files if name not in known]:
        raise InputError(
            f"{source}: no image in {images} for {some_of(surplus)}. Add them, or remove the files."
        )
    classes_of = {name: _classes(path) for name, path in files}
    numbers = set().union(*classes_of.values())
    names, notes = _names(source, 1 + max(numbers, default=-1))
    if numbers and max(numbers) >= len(names):
        raise InputError(
            f"{source}: class {max(numbers)} occurs and there are {len(names)} names, 0 to "
            f"{len(names) - 1}. Name all classes."
        )
    labels = np.zeros((len(pictures), len(names)), dtype=np.int8)
    for row, stem in enumerate(stems):
        labels[row, sorted(classes_of.get(stem, ()))] = 1
    return index_images(
        images, pictures, labels, names, source=source, strict_names=strict_names, notes=notes
    )


def _label_files(source: Path) -> list[tuple[str, Path]]:
    """List (path without its ending, file) of the label files, sorted."""
    return [
        (path.relative_to(source).with_suffix("").as_posix(), path)
        for path in visible(source.rglob("*.txt"))
        if path.name.casefold() not in _NO_LABELS
    ]


def _is_box(line: str) -> bool:
    words = line.split()
    return len(words) >= 5 and all(float_or_none(word) is not None for word in words)


def _classes(path: Path) -> set[int]:
    found = set()
    for number, line in enumerate(text_lines(path), start=1):
        if not line:
            continue
        value = float_or_none(line.split()[0])
        if value is None or not 0 <= value < 1e6 or value != int(value):
            raise InputError(
                f"{path}, line {number}: it must begin with the number of a class, 0 or more. Got "
                f"{line.split()[0]!r}."
            )
        found.add(int(value))
    return found


def _names(source: Path, count: int) -> tuple[list[str], list[str]]:
    """Find the classes' names, and a line that says where."""
    for folder in (source, source.resolve().parent, source.resolve().parent.parent):
        for path in visible(folder.iterdir()):
            if path.suffix.lower() in (".yaml", ".yml") and (names := _yaml_names(path)):
                return names, [f"{source}: names of the {len(names)} classes are from {path}"]
        for name in _NAME_LISTS:
            if (path := folder / name).is_file():
                names = text_lines(path)
                return names, [f"{source}: names of the {len(names)} classes are from {path}"]
    return [str(number) for number in range(count)], [
        f"{source}: no data.yaml or classes.txt names the classes; they are called by their numbers"
    ]


def _yaml_names(path: Path) -> list[str]:
    try:
        content: Any = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not YAML ({reason}). Repair it or move it away.") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(f"{path}: names must be numbered from 0 to {len(names) - 1}.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, Sequence) or isinstance(names, str):
        return []
    return [str(name) for name in names]
