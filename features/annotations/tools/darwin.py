"""V7's Darwin JSON, versions 1 and 2: a file per picture, with annotations that have names."""

from pathlib import Path
from typing import NamedTuple

from features.annotations.collect import collect, having, named_or_own
from features.annotations.tools.folders import beside, read_pictures, some_has
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.json_text import JsonValue, text_of

_ITEM = ("item", "image")  # of version 2 and 1


class _File(NamedTuple):
    path: Path
    stated: str
    labels: list[str]


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds JSON files with Darwin's item, or image of a dataset."""
    return some_has(source, _fits)


def _fits(keys: frozenset[str]) -> bool:
    item = {".item", ".item.name"} <= keys or {".image", ".image.filename", ".dataset"} <= keys
    return ".annotations[]" in keys and item


def read_darwin(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of Darwin's files.

    Parameters
    ----------
    source : Path
        A label is present where a picture has an annotation of that name: a tag, or an object of
        whatever type. Attributes and other parts of an annotation are no labels.
    images : Path
        The folder that the items' paths start from; or else the folders of the files: `sub/a.json`
        is of `sub/a.jpg`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each file in the order of their paths, with labels 1 or 0 in alphabetical order.

    Raises
    ------
    InputError
        There are no files, one is no JSON of this form or of a video, or a picture is missing.
    """
    read, left_out = read_pictures(source, "Darwin", "annotations", _read)
    files, stated = [one.path for one in read], [one.stated for one in read]
    own = [beside(path, source, path.stem) for path in files]
    names, notes = named_or_own(stated, own, files, source, images, strict_names=strict_names)
    pictures = [having(name, one.labels) for name, one in zip(names, read, strict=True)]
    return collect(
        images, pictures, source=source, strict_names=strict_names, notes=[*notes, *left_out]
    )


def _read(path: Path, content: JsonValue) -> _File:
    item = content.get(*_ITEM)
    name = item.get("name", "original_filename", "filename").text()
    stated = f"{text_of(item.get('path').content) or ''}/{name}".lstrip("/")
    return _File(path, stated, [_label(one) for one in content.get("annotations").entries()])


def _label(annotation: JsonValue) -> str:
    if "frames" in annotation.fields():
        raise InputError(
            f"{annotation.source} is of a video; pictures are read. Export the frames as pictures."
        )
    return annotation.get("name").text()
