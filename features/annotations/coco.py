"""COCO instances JSON to labels: a category is present where an image has an instance of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError


def read_coco(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a COCO instances file, such as `instances_val2017.json`.

    Every image of the file gets a row, in the file's order; one without annotations has all labels
    absent. A crowd (`iscrowd` 1) counts as present like any instance. Labels are all categories,
    in the order of their ids.

    Parameters
    ----------
    source : Path
        The JSON file, with the lists `images` (`id`, `file_name`), `annotations` (`image_id`,
        `category_id`) and `categories` (`id`, `name`). It is read whole and takes
        some six times its size in memory (110 MB: 7 s and 0.7 GB).
    images : Path
        The folder that each `file_name` starts from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0.

    Raises
    ------
    InputError
        For malformed JSON, missing or ill-typed entries, an id that comes twice, an annotation of
        an unknown image or category, and a missing image file.
    """
    content = _load(source)
    image_ids = _values(content, source, "images", "id", int)
    category_ids = _values(content, source, "categories", "id", int)
    category_names = _values(content, source, "categories", "name", str)
    order = sorted(range(len(category_ids)), key=category_ids.__getitem__)
    names = [category_names[position] for position in order]
    labels = np.zeros((len(image_ids), len(names)), dtype=np.int8)
    rows = _look_up(content, source, "image_id", image_ids, "images")
    columns = _look_up(
        content, source, "category_id", [category_ids[position] for position in order], "categories"
    )
    labels[rows, columns] = 1
    file_names = _values(content, source, "images", "file_name", str)
    return index_images(images, file_names, labels, names, source=source, strict_names=strict_names)


def _load(source: Path) -> Any:
    try:
        with open(source, encoding="utf-8-sig") as file:
            return json.load(file)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{source} is not JSON ({error}). Give COCO's instances file, unpacked and whole."
        ) from None


def _values(content: Any, source: Path, part: str, key: str, kind: type) -> list[Any]:
    """Take `key` from each entry of the list `part`."""
    entries = content.get(part) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(
            f"{source} has no list {part!r}; COCO's instances file has images, annotations and "
            "categories."
        )
    values = [entry.get(key) if isinstance(entry, dict) else None for entry in entries]
    for position, value in enumerate(values):
        if type(value) is not kind:  # isinstance would let True pass as an int
            raise InputError(
                f"{source}: {part}[{position}] has {key} {value!r}; it must be one {kind.__name__}"
            )
    return values


def _look_up(content: Any, source: Path, key: str, known: list[int], part: str) -> list[int]:
    """Translate `key` of each annotation to its place in `known`, the ids of the list `part`."""
    place_of = {identity: place for place, identity in enumerate(known)}
    if len(place_of) < len(known):
        raise InputError(f"{source}: an id comes twice in {part}; every id must be unique.")
    found = []
    for position, identity in enumerate(_values(content, source, "annotations", key, int)):
        if identity not in place_of:
            raise InputError(
                f"{source}: annotations[{position}] has {key} {identity}, which is not an id of "
                f"{part}. Add it there or remove the annotation."
            )
        found.append(place_of[identity])
    return found
