"""YOLO's labels: a text file per image, whose lines begin with the number of a class."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import yaml

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.file_names import match_listed
from features.inputs.label_values import float_or_none
from features.inputs.listing import scan, visible
from features.inputs.text_lines import read_file, text_lines
from features.labels import some_of

_NAME_LISTS = (
    *("classes.txt", "obj.names", "names.txt", "labels.txt", "_darknet.labels"),
    "predefined_classes.txt",
)
_YAML = (".yaml", ".yml")
_LABELS = re.compile(r"(^|/)labels(/(?!.*(?:^|/)labels/))")  # the last folder of that name
_NO_LABELS = frozenset((*_NAME_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt", "notes.txt"))


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds text files of numbers, a class and a box per line."""
    if not source.is_dir():
        return False
    files = _label_files(source)[:20]
    sample = [next(filter(None, text_lines(path)), "") for _, path in files]
    return any(map(_is_box, sample)) and all(_is_box(line) for line in sample if line)


def read_yolo(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of YOLO labels: boxes, segments or poses.

    Parameters
    ----------
    source : Path
        The folder `labels`, or the one that holds it: a file `train/1.txt` belongs to the image
        `train/1.*`, and `train/labels/1.txt` to `train/images/1.*`. Classes are named by
        `data.yaml` (or another .yaml with `names`), `classes.txt` or `obj.names` in this folder
        or one of the two above it, or else by their numbers.
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
    if (source / "labels").is_dir() and not source.samefile(images):
        source = source / "labels"
    files = _label_files(source)
    if not files:
        raise InputError(f"No *.txt in {source}. Give YOLO's folder labels.")
    rows_of, inexact = _rows(pictures, [name for name, _ in files], images, source)
    if inexact and strict_names:
        raise InputError(f"{source}: {inexact}. Write the files' names, or allow it.")
    classes_of = {name: _classes(path) for name, path in files}
    numbers = set().union(*classes_of.values())
    names, notes = _names(source, 1 + max(numbers, default=-1))
    if numbers and max(numbers) >= len(names):
        raise InputError(
            f"{source}: class {max(numbers)} occurs and there are {len(names)} names, 0 to "
            f"{len(names) - 1}. Name all classes."
        )
    labels = np.zeros((len(pictures), len(names)), dtype=np.int8)
    for name, of_image in classes_of.items():
        for row in rows_of[name]:
            labels[row, sorted(of_image)] = 1
    notes = [*notes, *([f"{source}: {inexact}"] if inexact else [])]
    return index_images(
        images, pictures, labels, names, source=source, strict_names=strict_names, notes=notes
    )


def _rows(
    pictures: Sequence[str], names: Sequence[str], images: Path, source: Path
) -> tuple[dict[str, list[int]], str]:
    """Find the pictures of each label file, and count in a line those of another spelling."""
    rows_of_stem = defaultdict(list)
    for row, picture in enumerate(pictures):
        rows_of_stem[str(PurePosixPath(picture).with_suffix(""))].append(row)
    stem_of = {  # train/labels/1.txt is of train/images/1.jpg
        name: name if name in rows_of_stem else _LABELS.sub(r"\1images\2", name) for name in names
    }
    rows_of = {name: rows_of_stem[stem] for name, stem in stem_of.items() if stem in rows_of_stem}
    others = [name for name in names if name not in rows_of]
    row_of = {picture: row for row, picture in enumerate(pictures)}
    found = match_listed(row_of, pictures, [stem_of[name] for name in others], source)
    if found.missing:
        raise InputError(
            f"{source}: no image in {images} for {some_of(found.missing)}. Add them, or remove the "
            "files."
        )
    rows_of |= {name: [row_of[file]] for name, file in zip(others, found.files, strict=True)}
    first: dict[int, str] = {}
    for name, rows in rows_of.items():
        for row in rows:
            if (other := first.setdefault(row, name)) != name:
                raise InputError(
                    f"{source}: {other + '.txt'!r} and {name + '.txt'!r} are both of the image "
                    f"{pictures[row]!r}. Keep one of them."
                )
    return rows_of, found.inexact()


def _label_files(source: Path) -> list[tuple[str, Path]]:
    """List (path without its ending, file) of the label files, sorted."""
    return [
        (path.relative_to(source).with_suffix("").as_posix(), path)
        for path in visible(source.rglob("*.txt"))
        if path.name.casefold() not in _NO_LABELS and not path.name.casefold().startswith("readme")
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
        if found := _yaml_names_in(folder):
            path, names = found
            return names, [f"{source}: names of the {len(names)} classes are from {path}"]
        for name in _NAME_LISTS:
            if (path := folder / name).is_file():
                names = text_lines(path)
                return names, [f"{source}: names of the {len(names)} classes are from {path}"]
    return [str(number) for number in range(count)], [
        f"{source}: no data.yaml or classes.txt names the classes; they are called by their numbers"
    ]


def _yaml_names_in(folder: Path) -> tuple[Path, list[str]] | None:
    paths = [path for path in visible(folder.iterdir()) if path.suffix.lower() in _YAML]
    named = [(path, names) for path in paths if (names := _yaml_names(path))]
    for path, names in named[1:]:
        if names != named[0][1]:
            raise InputError(
                f"{named[0][0]} and {path} name other classes. Move the one that is not of these "
                "labels away."
            )
    return named[0] if named else None


class _Texts(yaml.SafeLoader):
    """Reads all scalars as text: a class may be called no, on or 1e3."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}


def _yaml_names(path: Path) -> list[str]:
    try:
        content: Any = yaml.load(read_file(path), Loader=_Texts)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not YAML ({reason}). Repair it or move it away.") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(map(str, range(len(names)))):
            raise InputError(
                f"{path}: names must be numbered from 0 to {len(names) - 1}. Got "
                f"{', '.join(map(str, names))[:80]}."
            )
        names = [names[str(number)] for number in range(len(names))]
    if names is None:
        return []
    if not isinstance(names, list):
        raise InputError(f"{path}: names must be a list, or numbered. Got {str(names)[:80]!r}.")
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"{path}: names must be texts. Got {str(name)[:80]}.")
    return names
