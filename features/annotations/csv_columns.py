"""Csv files with a column per label, and perhaps others: parts, sizes, what is known beside."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from features.annotations.csv_form import CsvForm, find_form, is_csv, not_read
from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from features.inputs.field_names import IMAGES, PERHAPS_IMAGES, field_key
from features.inputs.label_values import float_or_none, label_value
from features.labels import is_row_number, read_labels_csv

# Whatever stands in them: a part of a data set can be called 0 and 1. No word for what a picture
# shows is among them: Corel5k has the label `path`, ADE20K `partition`.
_ALWAYS = re.compile(
    "(data)?(split|subset|fold)s?|(image|img)?(width|height|url)|(image|img|file)path|"
    "filesize|(file)?(md5|sha1|sha256|check)(sum)?|(file|image|p)hash|filename|timestamp|datetime"
)
_PARTS = re.compile("(data)?partitions?")  # one other cell is enough
# Some of these may be labels, too, and are if their cells look so.
_OFTEN = re.compile(
    "set|source|date|time|year|month|day|age|sex|gender|view(position)?|position|appa|"
    "frontallateral|size|bytes|width|height|channels|mode|format|patient.*|study.*|series.*|"
    "follow.*|original.*|.*spacing.*|name|caption|description|comments?|notes?|annotators?|"
    "author|user|owner|licen[sc]e|camera|site|location|country|lat(itude)?|lon(gitude)?|lng|.+id"
)
_MISSING, _VALUE, _SHARE, _OTHER = range(4)

Table = tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]


def recognizes(source: Path) -> bool:
    """Tell whether a csv file has one column per label."""
    return is_csv(source) and find_form(source).name == "columns"


def reads(source: Path) -> bool:
    """Tell whether `read_columns` takes what a csv file holds."""
    form = find_form(source)
    if not form.has_header or form.name != "columns":
        return False
    _read(source, form, -1)
    return True


def read_columns(
    source: Path, images: Path, *, strict_names: bool = False, negative: int = -1
) -> Dataset:
    """Read a csv file with one column per label, however its first column is called.

    Parameters
    ----------
    source, images
        The file, and the folder that its names start from. Columns that are surely no labels are
        left out and named: parts of the data set, sizes, checksums, addresses; and what is mostly
        text, or numbers beyond -1 to 1.
    strict_names : bool
        As for `features.datasets.index_images`.
    negative : {-1, 0}
        What a cell of -1 is. An empty one is unknown.

    Returns
    -------
    Dataset
        Labels are 1, 0 or -1.

    Raises
    ------
    InputError
        As for `features.labels.read_labels_csv`.
    """
    form = find_form(source)
    if not form.has_header:
        raise InputError(
            f"{source} has no header; its first line is an image's. Write one above it: 'image', "
            "then a name for each label."
        )
    (ids, labels, names), others = _read(source, form, negative)
    notes = not_read(source, list(others.values()))
    if negative and not (labels == 0).any() and (labels == -1).any():
        notes += _perhaps_absent(source, form)
    return index_images(
        images, ids, labels, names, source=source, strict_names=strict_names, notes=notes
    )


def _perhaps_absent(source: Path, form: CsvForm) -> list[str]:
    """Say of a file without a 0 that its -1 may mean absent, unless it has none but empty cells."""
    (_, labels, _), _ = _read(source, form, 0)
    if not (labels == 0).any():
        return []
    found = "some cells are empty" if (labels == -1).any() else "every cell is filled"
    return [
        f"{source}: no cell is 0 and {found}; -1 is taken as unknown. If it means absent, give "
        "--negative absent"
    ]


def _read(path: Path, form: CsvForm, negative: int) -> tuple[Table, Mapping[int, str]]:
    """Read a file without the columns that are none of labels, and give these."""
    others = _always_others(path, form)
    try:
        return read_labels_csv(path, image=form.image, without=others, negative=negative), others
    except InputError as error:
        more = _surely_others(path, form)
        if more == others:
            raise error from None
    return read_labels_csv(path, image=form.image, without=more, negative=negative), more


def _always_others(path: Path, form: CsvForm) -> dict[int, str]:
    """Give the columns that are no labels by their names.

    Returns
    -------
    dict of int to str
        Numbers and names; empty if no column would be left.
    """
    columns = _columns(path, form)
    found = {at: name for at, name in columns.items() if _ALWAYS.fullmatch(field_key(name))}
    return found if len(found) < len(columns) else {}


def _surely_others(path: Path, form: CsvForm) -> dict[int, str]:
    """Give the columns that are no labels by their names and by what stands in them.

    That is so where more than half of the cells are text or numbers beyond -1 to 1, and not all
    the same; in columns that are called like what is known of a file, a quarter is enough, and
    one cell in a partition. What has fewer of them is a label with a cell to correct, and so is a
    column of shares.

    Returns
    -------
    dict of int to str
        As for `_always_others`.

    Raises
    ------
    InputError
        As for `features.inputs.csv_rows.csv_rows`.
    """
    columns = _columns(path, form)
    kinds: dict[int, Counter[int]] = {at: Counter() for at in columns}
    seen: dict[int, set[str]] = {at: set() for at in columns}
    rows = csv_rows(path)
    next(rows)
    for _, fields in rows:
        for at in columns:
            kind = _kind(fields[at])
            kinds[at][kind] += 1
            if kind == _OTHER and len(seen[at]) < 2:
                seen[at].add(fields[at])
    found = _always_others(path, form)
    for at, name in columns.items():
        said, odd = kinds[at], kinds[at][_OTHER]
        filled = said.total() - said[_MISSING]
        if _PARTS.fullmatch(field_key(name)):
            is_other = odd > 0
        elif _is_often(name):
            is_other = 4 * (odd + said[_SHARE]) >= filled > 0
        else:
            is_other = 2 * odd > filled and len(seen[at]) > 1
        if is_other:
            found[at] = name
    return found if len(found) < len(columns) else {}


def _columns(path: Path, form: CsvForm) -> dict[int, str]:
    """Give the columns that `features.labels.read_labels_csv` takes for labels."""
    _, header = next(csv_rows(path))
    return {
        at: name.strip()
        for at, name in enumerate(header)
        if at > form.image or (at < form.image and not is_row_number(name))
    }


def _is_often(name: str) -> bool:
    key = field_key(name)
    return any(names.fullmatch(key) for names in (_OFTEN, IMAGES, PERHAPS_IMAGES))


@lru_cache(maxsize=4096)
def _kind(text: str) -> int:
    number = float_or_none(text)
    try:
        return _VALUE if label_value(text) != -1 or number == -1 else _MISSING
    except InputError:
        return _SHARE if number is not None and -1 < number < 1 else _OTHER
