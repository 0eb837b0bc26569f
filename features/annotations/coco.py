"""COCO instances JSON to labels: a category is present where an image has an instance of it.

LVIS has the same form; its images list the categories that were looked for and not found, and all
others are unknown.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.json_text import keys_of, read_json_text, text_of


def recognizes(source: Path) -> bool:
    """Tell whether a file begins like COCO's."""
    return not keys_of(source).isdisjoint((".images[]", ".annotations[]", ".categories[]"))


def read_coco(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a COCO or LVIS instances file, such as `instances_val2017.json`.

    Every image of the file gets a row, in the file's order; one without annotations has all labels
    absent. A crowd (`iscrowd` 1) counts as present like any instance. Labels are all categories,
    in the order of their ids. Two entries of one file become one row. Where images list
    `neg_category_ids`, as in LVIS, these are absent, and what an image neither has nor lists is
    unknown.

    Parameters
    ----------
    source : Path
        The JSON file, with the lists `images` (`id`, `file_name` or LVIS's `coco_url`),
        `annotations` (`image_id`, `category_id`, or the `segments_info` of panoptic files) and
        `categories` (`id`, `name`); ids are integers or text. It is read whole and takes some six
        times its size in memory (110 MB: 7 s and 0.7 GB).
    images : Path
        The folder that each `file_name` starts from. For `coco_url`, the folder that holds the
        image, or the one above it.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0; -1 only with `neg_category_ids`.

    Raises
    ------
    InputError
        For malformed JSON, missing or ill-typed entries, an id that comes twice, an annotation of
        an unknown image or category, and a missing image file.
    """
    content = _with_instances(read_json_text(source, "COCO's instances file").content)
    image_ids = _ids(content, source, "images", "id")
    category_ids = _ids(content, source, "categories", "id")
    category_names = _texts(content, source, "categories", "name")
    order = sorted(range(len(category_ids)), key=lambda place: _sort_key(category_ids[place]))
    rows = _look_up(content, source, "image_id", image_ids, "images")
    column_of = {category_ids[position]: column for column, position in enumerate(order)}
    columns = _look_up(content, source, "category_id", category_ids, "categories")
    labels = np.zeros((len(image_ids), len(order)), dtype=np.int8)
    for row, absent in enumerate(_looked_for(content)):
        if absent is not None:
            labels[row] = -1
            labels[row, [column_of[one] for one in absent if one in column_of]] = 0
    labels[rows, [column_of[category_ids[place]] for place in columns]] = 1
    return index_images(
        images,
        _file_names(content, source, images),
        labels,
        [category_names[position] for position in order],
        source=source,
        strict_names=strict_names,
        unite=True,
    )


def _with_instances(content: Any) -> Any:
    """Make an annotation of each segment of a panoptic file, which lists them by image."""
    listed = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return content
    found: list[Any] = []
    for one in listed:
        segments = one.get("segments_info") if isinstance(one, dict) else None
        if not isinstance(segments, list):
            found.append(one)
            continue
        image = one.get("image_id")
        found += [
            {"image_id": image, "category_id": part.get("category_id")}
            if isinstance(part, dict)
            else part
            for part in segments
        ]
    return {**content, "annotations": found}


def _values(content: Any, source: Path, part: str, key: str) -> list[Any]:
    """Take `key` from each entry of the list `part`."""
    entries = content.get(part) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(
            f"{source} has no list {part!r}; COCO's instances file has images, annotations and "
            "categories."
        )
    return [entry.get(key) if isinstance(entry, dict) else None for entry in entries]


def _ids(content: Any, source: Path, part: str, key: str) -> list[str]:
    """Take ids as text, since one tool writes 7 where another one writes "7"."""
    found = []
    for position, value in enumerate(_values(content, source, part, key)):
        if (text := _id(value)) is None:
            raise InputError(
                f"{source}: {part}[{position}] has {key} {value!r}; it must be one int or str. "
                "Correct or remove that entry."
            )
        found.append(text)
    return found


def _id(value: Any) -> str | None:
    text = text_of(value)
    return text and text.strip()


def _sort_key(identity: str) -> tuple[int, str]:
    """Order numbers by their size and before text."""
    is_number = identity.isascii() and identity.isdigit()
    return (len(identity.lstrip("0")) if is_number else sys.maxsize, identity)


def _texts(content: Any, source: Path, part: str, key: str) -> list[str]:
    values = _values(content, source, part, key)
    found = []
    for position, value in enumerate(values):
        if (text := _text(value)) is None:
            raise InputError(
                f"{source}: {part}[{position}] has {key} {value!r}; it must be one str. Write it."
            )
        found.append(text)
    return found


def _text(value: Any) -> str | None:
    """Take text as it is, and numbers as tools write them where all names are digits."""
    return value if isinstance(value, str) else text_of(value)


def _file_names(content: Any, source: Path, images: Path) -> list[str]:
    """Take each image's `file_name`, or else the end of its `coco_url`."""
    names = _values(content, source, "images", "file_name")
    urls = _values(content, source, "images", "coco_url")
    for position, (name, url) in enumerate(zip(names, urls, strict=True)):
        if name in (None, "") and isinstance(url, str) and "/" in url:
            try:
                *_, folder, name = unquote(urlsplit(url).path).split("/")
            except ValueError as error:
                raise InputError(
                    f"{source}: images[{position}] has no file_name, and its coco_url {url!r} is "
                    f"no address ({error}). Write the file's name as file_name."
                ) from error
            names[position] = f"{folder}/{name}" if os.path.isdir(f"{images}/{folder}") else name
        elif (text := _text(name)) is None:
            raise InputError(
                f"{source}: images[{position}] has file_name {name!r}; it must be one str. Write "
                "the name of its file."
            )
        else:
            names[position] = text
    return names


def _looked_for(content: Any) -> list[list[str | None] | None]:
    """Give the ids of each image's `neg_category_ids`, None where there is no such list."""
    return [
        [_id(one) for one in listed] if isinstance(listed, list) else None
        for listed in (entry.get("neg_category_ids") for entry in content["images"])
    ]


def _look_up(content: Any, source: Path, key: str, known: Sequence[str], part: str) -> list[int]:
    """Translate `key` of each annotation to its place in `known`, the ids of the list `part`."""
    place_of: dict[str, int] = {}
    for place, identity in enumerate(known):
        if (first := place_of.setdefault(identity, place)) != place:
            raise InputError(
                f"{source}: an id comes twice in {part}: {part}[{first}] and {part}[{place}] have "
                f"id {identity}. Every id must be unique."
            )
    found = []
    for position, identity in enumerate(_ids(content, source, "annotations", key)):
        if identity not in place_of:
            raise InputError(
                f"{source}: annotations[{position}] has {key} {identity}, which is not an id of "
                f"{part}. Add it there or remove the annotation."
            )
        found.append(place_of[identity])
    return found
