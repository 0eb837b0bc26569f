"""CreateML's JSON, and other lists of pictures with their labels."""

from collections.abc import Iterator
from pathlib import Path

from features.annotations.collect import Picture, collect, having
from features.annotations.tools import label_studio
from features.annotations.tools.fields import image_field
from features.datasets import Dataset
from features.inputs.field_names import IMAGES, LABELS, field_key
from features.inputs.json_text import JsonValue, keys_of, read_json_text

_FIRST = ("annotations", "annotation", "labels", "label")


def recognizes(source: Path) -> bool:
    """Tell whether a file is a list of objects with a picture and labels, not of Label Studio."""
    if label_studio.recognizes(source):
        return False
    keys = [path[3:] for path in keys_of(source) if path.startswith("[].")]
    keys = [field_key(key.removesuffix("[]")) for key in keys if "." not in key]
    return any(map(IMAGES.fullmatch, keys)) and any(map(LABELS.fullmatch, keys))


def read_createml(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read CreateML's annotations of objects or of whole pictures.

    Parameters
    ----------
    source : Path
        A JSON list of objects, each with a picture (`image`, `imagefilename` or the like) and
        `annotations` (or `annotation`, `labels`, `tags`): a label, a list of labels, or a list of
        objects with a `label`.
    images : Path
        The folder that the pictures' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0 in alphabetical order.

    Raises
    ------
    InputError
        It is no JSON of this form, an entry lacks its picture or its labels, or a picture is
        missing.
    """
    entries = read_json_text(source, "CreateML's annotations").entries()
    pictures = [_picture(entry) for entry in entries]
    return collect(images, pictures, source=source, strict_names=strict_names)


def _picture(entry: JsonValue) -> Picture:
    name = entry.get(image_field(entry)).text()
    called = [key for key in entry.fields() if LABELS.fullmatch(field_key(key))]
    return having(name, _labels(entry.get(*_FIRST, *called)))


def _labels(said: JsonValue) -> Iterator[str]:
    if isinstance(said.content, list):
        for one in said.entries():
            yield from _labels(one)
    elif isinstance(said.content, dict):
        yield said.get("label", "name", "class", "category").text()
    else:
        yield said.text()
