"""Datumaro's JSON: items whose annotations have numbers of labels."""

from collections.abc import Sequence
from pathlib import Path

from features.annotations.collect import Picture, collect, having
from features.annotations.tools.fields import label_at
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, keys_of, read_json_text


def recognizes(source: Path) -> bool:
    """Tell whether a file has Datumaro's items."""
    return ".items[]" in keys_of(source)


def read_datumaro(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a file of Datumaro's folder `annotations`, such as `default.json`.

    Parameters
    ----------
    source : Path
        A label is present where an item has an annotation of it, of whatever type.
    images : Path
        The folder that the items' paths start from; an item without a path is called like its id.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each item, with labels 1 or 0 in the order of the categories.

    Raises
    ------
    InputError
        It is no JSON of this form, a label's number is none of a category, or a picture is missing.
    """
    content = read_json_text(source, "Datumaro's annotations")
    labels = content.get("categories").get("label").get("labels").entries()
    known = [one.get("name").text().strip() for one in labels]
    pictures = [_picture(item, known) for item in content.get("items").entries()]
    return collect(images, pictures, source=source, known=known, strict_names=strict_names)


def _picture(item: JsonValue, known: Sequence[str]) -> Picture:
    image = item.get("image", "media")
    named = image.content is not None and image.get("path").content
    name = image.get("path") if named else item.get("id")
    said = [one.get("label_id") for one in item.get("annotations").entries(may_lack=True)]
    return having(name.text(), [label_at(known, one) for one in said if one.content is not None])
