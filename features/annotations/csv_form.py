"""Which columns of a csv file name the image, its labels and how sure they are."""

import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from features.inputs.image_kinds import image_suffixes
from features.inputs.label_values import float_or_none, label_value

_IMAGES = frozenset(
    {
        "image", "images", "imageid", "imagename", "imagefile", "imagepath", "imageindex",
        "imageurl", "img", "imgid", "imgname", "imgpath", "file", "files", "filename",
        "filenames", "filepath", "path", "name", "id", "photo", "photoid", "picture",
    }
)  # fmt: skip
_LABELS = frozenset(
    {
        "tag", "tags", "label", "labels", "labelname", "labelnames", "class", "classes",
        "classname", "classnames", "category", "categories", "categoryname", "keyword",
        "keywords", "concept", "concepts", "annotation", "annotations", "attribute",
        "attributes", "findinglabels", "finding", "findings", "object", "objects", "word",
        "words", "target", "targets",
    }
)  # fmt: skip
_VALUES = frozenset(
    {
        "confidence", "conf", "score", "scores", "value", "present", "presence", "probability",
        "prob", "exists", "positive",
    }
)  # fmt: skip
_SEVERAL = re.compile(r"[|;,]")  # stands between tags


class CsvForm(NamedTuple):
    """How a csv file holds labels.

    Attributes
    ----------
    name : str
        "columns" (one per label), "tags" (all in one field) or "lines" (one line per label).
    image, label, value : int or None
        Numbers of the columns, from 0.
    width : int
        Number of columns.
    has_header : bool
    """

    name: str
    image: int
    label: int
    value: int | None
    width: int
    has_header: bool


def find_form(path: Path) -> CsvForm:
    """Tell the form of a csv file by its header and its lines.

    Parameters
    ----------
    path : Path

    Returns
    -------
    CsvForm

    Raises
    ------
    InputError
        The file can't be read as csv, is empty, or has one column.
    """
    rows = csv_rows(path, ragged=True)
    first = next(rows, (0, [""]))
    _, header = first
    if len(header) < 2:
        raise InputError(f"{path} has one column; it must have the image and its labels.")
    has_header = PurePosixPath(header[0].strip()).suffix.lower() not in image_suffixes()
    keys = [re.sub("[^a-z0-9]", "", name.casefold()) for name in header] if has_header else []
    image = _first(keys, _IMAGES, 0)
    label = _first(keys, _LABELS, 1 if image == 0 else 0, other_than=image)
    value = _first(keys, _VALUES, None, other_than=image)
    named = any(key in _LABELS for key in keys) or not has_header
    columns = CsvForm("", image, label, value, len(header), has_header)
    return _by_lines(columns, rows if has_header else chain([first], rows), named)


def labeled_rows(path: Path, form: CsvForm) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and fields of each line but the header, as long as the form's columns need.

    Raises
    ------
    InputError
        A line is too short.
    """
    rows = csv_rows(path, ragged=True)
    if form.has_header:
        next(rows)
    needed = max(form.image, form.label, form.value or 0)
    for line, fields in rows:
        if len(fields) <= needed:
            raise InputError(
                f"{path}, line {line}: {len(fields)} fields; the image and its labels need "
                f"{needed + 1}. Complete the line or remove it."
            )
        yield line, fields


def _by_lines(columns: CsvForm, rows: Iterator[tuple[int, list[str]]], named: bool) -> CsvForm:
    """Tell the form by the lines; `named` says that a column is called like labels are."""
    seen: set[str] = set()
    repeats = numbers = several = False
    only_values, third_is_share = True, columns.width == 3
    for _, fields in rows:
        image = fields[columns.image] if columns.image < len(fields) else ""
        repeats = repeats or image in seen
        seen.add(image)
        others = [field for place, field in enumerate(fields) if place != columns.image]
        only_values = only_values and all(map(_is_value, others))
        numbers = numbers or any(float_or_none(field) is not None for field in others)
        third_is_share = third_is_share and -1 <= _number(fields[-1]) <= 1
        several = several or bool(_SEVERAL.search(fields[min(columns.label, len(fields) - 1)]))
    if only_values or (not named and (numbers or columns.width > 2)):
        return columns._replace(name="columns")
    if columns.value is None and third_is_share and {columns.image, columns.label} == {0, 1}:
        columns = columns._replace(value=2)
    is_lines = repeats or (columns.value is not None and not several)
    return columns._replace(name="lines" if is_lines else "tags")


def _first(keys: list[str], known: frozenset[str], default, *, other_than: int = -1):
    places = [place for place, key in enumerate(keys) if key in known and place != other_than]
    return places[0] if places else default


def _number(text: str) -> float:
    number = float_or_none(text)
    return math.nan if number is None else number


def _is_value(text: str) -> bool:
    try:
        label_value(text)
    except InputError:
        return False
    return True
