"""CreateML's JSON, and other JSON that lists pictures with their labels."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.annotations.collect import Picture, collect, having, unknown_pictures
from features.annotations.fields.tags import PLACES, TOLD, marks, separator_of, split_tags
from features.annotations.tools import label_studio
from features.annotations.tools.fields import image_field
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.field_names import IMAGES, LABELS, ONE_LABEL, field_key
from features.inputs.image_kinds import image_suffixes
from features.inputs.json_text import JsonValue, keys_of, read_json_text
from features.inputs.label_values import ALLOWED, label_value
from features.inputs.name_forms import ending_of
from features.inputs.text_lines import beginning

_FIRST = ("annotations", "annotation", "labels", "label")
_INSIDE = ("label", "name", "class", "category", "displayName", "labels", "categories")
_RESULTS = {"imageid", "categoryid"}  # what detectors write for COCO, without names
_MAPPING = re.compile(r'\s*\{\s*"((?:[^"\\]|\\.)+)"\s*:')


def recognizes(source: Path) -> bool:
    """Tell whether a file lists pictures with something about each, and is not Label Studio's."""
    keys = keys_of(source)
    if not keys or label_studio.recognizes(source):
        return False
    first = _MAPPING.match(beginning(source))
    if first and ending_of(first[1]) in image_suffixes():
        return True
    whole = (path[3:].removesuffix("[]") for path in keys if path.startswith("[]."))
    # Lists in lists may be thousands deep; the field that has them is there without them too.
    fields = {field_key(key) for key in whole if "." not in key and not key.endswith("[]")}
    return len(fields) > 1 and any(map(IMAGES.fullmatch, fields)) and not fields >= _RESULTS


def read_createml(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read CreateML's annotations of objects or of whole pictures, and JSON like it.

    Parameters
    ----------
    source : Path
        A JSON list, or JSON lines, of objects, each with a picture (`image`, `file_name` or the
        like) and `annotations` (`label`, `tags` or the like): a label, a list of labels, or a list
        of objects with a `label`. A text in `labels` or `tags` may hold several, as in a csv file.
        Without such a field, all others are labels with 1, 0 or -1. Or an object of pictures'
        names and their labels.
    images : Path
        The folder that the pictures' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels in alphabetical order are 1 or 0; -1 where that, or null, is said.

    Raises
    ------
    InputError
        It is no JSON of this form, an entry lacks its picture or its labels, or a picture is
        missing.
    """
    content = read_json_text(source, "CreateML's annotations")
    if isinstance(content.content, dict):
        said = list(content.fields().items())
        separator = ""
    else:
        entries = content.entries()
        said, separator = _entries(entries)
    notes = [f"{source}: {TOLD[separator]}"] if separator else []
    vectors = [_vector(one) for _, one in said]
    found = marks(vectors) if all(vectors) else None
    if found:
        length, places = found
        known = [str(place) for place in range(length)]
        notes.append(f"{source}: {PLACES.format(length)}")
        pictures = [having(name, on) for (name, _), on in zip(said, places, strict=True)]
        return collect(
            images, pictures, source=source, known=known, strict_names=strict_names, notes=notes
        )
    pictures = [_picture(name, one, separator) for name, one in said]
    notes += unknown_pictures(pictures, source, "have null for labels")
    return collect(images, pictures, source=source, strict_names=strict_names, notes=notes)


def _entries(entries: Sequence[JsonValue]) -> tuple[list[tuple[str, JsonValue]], str]:
    """Give each picture and what is said of it, and what stands between the tags of a text."""
    keys = {key for entry in entries for key in entry.fields() if LABELS.fullmatch(field_key(key))}
    called = [*(key for key in _FIRST if key in keys), *sorted(keys.difference(_FIRST))]
    names = [image_field(entry) for entry in entries]
    said = []
    for entry, key in zip(entries, names, strict=True):
        rest = {other: value for other, value in entry.content.items() if other != key}
        value = entry.get(*called) if called else JsonValue(rest, entry.source, entry.place)
        if called and value.content is None and not any(one in rest for one in called):
            raise value.refused("a label, or a list of labels")
        said.append((entry.get(key).text(), value))
    texts = [value.content for _, value in said if isinstance(value.content, str)]
    is_one = not called or bool(ONE_LABEL.fullmatch(field_key(called[0]))) or "anno" in called[0]
    return said, "" if is_one else separator_of(texts, is_one=False)


def _picture(name: str, said: JsonValue, separator: str) -> Picture:
    if said.content is None:
        return Picture(name, {}, -1)
    if isinstance(said.content, dict) and not any(key in said.content for key in _INSIDE):
        return Picture(name, {label.strip(): _value(one) for label, one in said.fields().items()})
    if separator and isinstance(said.content, str):
        return having(name, split_tags(said.content, separator, said.source))
    return having(name, _labels(said))


def _vector(said: JsonValue) -> str:
    """Write a list of numbers or truth values as a text; others give an empty one."""
    values = said.content if isinstance(said.content, list) else []
    are_numbers = all(isinstance(one, int | float) for one in values)
    return (
        " ".join(str(int(one) if one in (0, 1) else one) for one in values) if are_numbers else ""
    )


def _value(said: JsonValue) -> int:
    if isinstance(said.content, list | dict):
        raise said.refused(ALLOWED)
    try:
        return label_value("" if said.content is None else str(said.content))
    except (InputError, ValueError):  # or an integer of more digits than Python writes
        raise said.refused(ALLOWED) from None


def _labels(said: JsonValue) -> Iterator[str]:
    """Give the labels of a text, a list of them, or an object with one or a list."""
    if isinstance(said.content, list):
        for one in said.entries():
            yield from _labels(one)
    elif isinstance(said.content, dict):
        yield from _labels(said.get(*_INSIDE))
    else:
        yield said.text()
