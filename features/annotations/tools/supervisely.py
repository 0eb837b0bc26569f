"""Supervisely's JSON: a file per picture, with tags and objects of classes."""

from collections.abc import Mapping
from pathlib import Path

from features.annotations.collect import Picture, collect, having
from features.annotations.tools.folders import read_pictures, some_has
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, read_json_text

_ANNOTATIONS, _IMAGES = "ann", "img"
_META = "meta.json"
_TYPED = "any_string"


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds JSON files with Supervisely's objects, tags and size."""
    return some_has(source, lambda keys: keys >= {".objects[]", ".tags[]", ".size"})


def read_supervisely(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of Supervisely's files.

    Parameters
    ----------
    source : Path
        A folder `ann`, or a project or dataset above it. A label is present where a picture has an
        object of that class or a tag of that name; a tag with one of several values is the label
        `name: value`. Numbers and texts that were typed, and tags of objects, are no labels.
    images : Path
        The folder that the pictures' paths start from: file `ds/ann/a.jpg.json` is of
        `ds/img/a.jpg`, and file `a.jpg.json` of `a.jpg`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each file in the order of their paths, with labels 1 or 0: classes and tags as
        `meta.json` declares them, then the others in alphabetical order.

    Raises
    ------
    InputError
        There are no files, one is no JSON of this form, or a picture is missing.
    """
    known, typed = _declared(source)

    def parse(path: Path, content: JsonValue) -> Picture:
        return having(_image(path.relative_to(source)), _labels(content, typed))

    pictures, notes = read_pictures(source, "Supervisely", "objects", parse, known=_META)
    return collect(
        images, pictures, source=source, known=known, strict_names=strict_names, notes=notes
    )


def _image(path: Path) -> str:
    """Give the picture's path: the file's own, without its `.json`, and `img` for `ann`."""
    *folders, name = path.with_suffix("").parts
    if _ANNOTATIONS in folders:
        at = len(folders) - 1 - folders[::-1].index(_ANNOTATIONS)
        folders[at] = _IMAGES
    return "/".join([*folders, name])


def _labels(content: JsonValue, typed: set[str]) -> list[str]:
    classes = [one.get("classTitle").text() for one in content.get("objects").entries()]
    tags = [_tag(one, typed) for one in content.get("tags").entries()]
    return [*classes, *filter(None, tags)]


def _tag(tag: JsonValue, typed: set[str]) -> str:
    """Give what a tag says, empty if it is no label; older files have names alone."""
    if not isinstance(tag.content, dict):
        return tag.text()
    name, value = tag.get("name").text().strip(), tag.get("value").content
    if value is None or value == "":
        return name
    return f"{name}: {value}" if isinstance(value, str) and name not in typed else ""


def _declared(source: Path) -> tuple[list[str], set[str]]:
    """Give the labels that the project declares, and the tags whose values are typed."""
    folders = (source, *source.resolve().parents[:2])
    path = next((folder / _META for folder in folders if (folder / _META).is_file()), None)
    if path is None:
        return [], set()
    meta = read_json_text(path, "Supervisely's meta.json")
    classes = [one.get("title").text() for one in meta.get("classes").entries(may_lack=True)]
    tags = [one.fields() for one in meta.get("tags").entries(may_lack=True)]
    of_tags = [label for tag in tags if _is_of_images(tag) for label in _values(tag)]
    typed = {_text(tag, "name") for tag in tags if _text(tag, "value_type") == _TYPED}
    return [name.strip() for name in (*classes, *of_tags)], typed


def _is_of_images(tag: Mapping[str, JsonValue]) -> bool:
    return _text(tag, "applicable_type") != "objectsOnly"


def _values(tag: Mapping[str, JsonValue]) -> list[str]:
    """Give the labels that a tag may be."""
    name, kind = _text(tag, "name"), _text(tag, "value_type") or "none"
    if kind == "none":
        return [name]
    values = tag["values"].entries(may_lack=True) if "values" in tag else []
    return [f"{name}: {value.text()}" for value in values] if kind == "oneof_string" else []


def _text(tag: Mapping[str, JsonValue], key: str) -> str:
    return tag[key].text().strip() if key in tag else ""
