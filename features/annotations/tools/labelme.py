"""LabelMe's JSON: a file per picture, with labeled shapes and flags."""

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from features.annotations.collect import Picture, collect, named_or_own
from features.annotations.tools.folders import json_files, some_has
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.file_names import match_names
from features.inputs.json_text import JsonValue, read_json_text, text_of

_ABSOLUTE = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")  # or a drive, or a URL


class _File(NamedTuple):
    image: str
    shapes: list[str]
    flags: dict[str, int]


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds JSON files with LabelMe's shapes."""
    return some_has(source, lambda keys: ".shapes[]" in keys)


def read_labelme(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of LabelMe's files.

    Parameters
    ----------
    source : Path
        Each `*.json` in it, at any depth, that isn't hidden is a row, in the order of their paths.
        A label is present where a picture has a shape of it or a flag that is true. Flags of
        shapes are no labels.
    images : Path
        The folder that each `imagePath` starts from, below the file's own folder or without it; a
        picture that is not there is the one that is called like the file.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels in alphabetical order: 1 or 0, and -1 for a flag that is null, or that a file
        doesn't have and another one has.

    Raises
    ------
    InputError
        There are no files, one is no JSON of this form or has a shape without a label, or a
        picture is missing.
    """
    files = json_files(source)
    if not files:
        raise InputError(f"No *.json in {source}. Give the folder of LabelMe's files.")
    read = [_read(path) for path in tqdm(files, desc="labelme", unit="file")]
    flags = sorted(set().union(*(one.flags for one in read)))
    labels = [{**one.flags, **dict.fromkeys(one.shapes, 1)} for one in read]
    own = [path.relative_to(source).with_suffix("").as_posix() for path in files]
    stated = _stated([one.image for one in read], own, source, images)
    names, notes = named_or_own(stated, own, files, source, images, strict_names=strict_names)
    pictures = [Picture(name, of_image) for name, of_image in zip(names, labels, strict=True)]
    return collect(
        images, pictures, source=source, open_labels=flags, strict_names=strict_names, notes=notes
    )


def _read(path: Path) -> _File:
    """Read what is needed of a file, which may hold its picture's bytes."""
    content = read_json_text(path, "LabelMe's files")
    if not isinstance(content.content, dict) or "shapes" not in content.content:
        raise InputError(f"{path} has no 'shapes'. Move a file that is none of LabelMe's away.")
    image = text_of(content.get("imagePath").content) or ""
    return _File(image.replace("\\", "/").strip(), _shapes(content), _flags(content))


def _stated(stated: Sequence[str], own: Sequence[str], source: Path, images: Path) -> list[str]:
    """Give each picture's path from its file's folder on, or as it is where only that is there."""
    from_file = list(map(_path, stated, own))
    as_it_is = [_path(one, "") for one in stated]
    if from_file != as_it_is and match_names(images, list(filter(None, from_file)), source).missing:
        found = match_names(images, list(filter(None, as_it_is)), source)
        return from_file if found.missing else as_it_is
    return from_file


def _path(stated: str, own: str) -> str:
    """Give the picture's path from the folder of all files on; empty if none is stated."""
    if not stated or _ABSOLUTE.match(stated):
        return stated
    return posixpath.normpath(posixpath.join(posixpath.dirname(own), stated))


def _shapes(content: JsonValue) -> list[str]:
    return [shape.get("label").text().strip() for shape in content.get("shapes").entries()]


def _flags(content: JsonValue) -> dict[str, int]:
    flags = content.get("flags")
    if flags.content in (None, []):
        return {}
    found = {}
    for name, flag in flags.fields().items():
        if flag.content not in (True, False, None):  # 1 and 0 equal them
            raise flag.refused("true or false")
        found[name.strip()] = -1 if flag.content is None else int(flag.content)
    return found
