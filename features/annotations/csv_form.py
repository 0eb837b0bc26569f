"""Which columns of a csv file name the image, its labels and how sure they are."""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from features.inputs.field_names import (
    IMAGES,
    LABELS,
    NO_VALUES,
    ONE_LABEL,
    PERHAPS_IMAGES,
    TEXTS,
    VALUES,
    field_key,
    numbered_labels,
)
from features.inputs.image_kinds import image_suffixes
from features.inputs.label_values import float_or_none, is_missing, label_value
from features.labels import no_image_named

_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xls", ".ods")  # the last ones for a message
_SEVERAL = re.compile(r"[|;,\uff1b\uff0c\u3001]|\d\s+\d")  # stands between tags
_NO_VALUE, _NUMBER, _TEXT, _NO_PART, _SEVERAL_TAGS = (1 << bit for bit in range(5))
_KEPT = 1 << 16  # different fields, some of which are told from memory
_PARTS = frozenset(
    {"train", "training", "val", "valid", "validate", "validation", "test", "unassigned"}
)


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
    is_one : bool
        Whether the column of labels is called like one label; without a header, true.
    others : tuple of str
        Names of the other columns.
    series : tuple of int
        Numbers of the columns each cell of which is a label, such as ``label1, label2``.
    """

    name: str
    image: int
    label: int
    value: int | None
    width: int
    has_header: bool
    is_one: bool = True
    others: tuple[str, ...] = ()
    series: tuple[int, ...] = ()


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
    if header == [""]:
        raise InputError(f"{path} is empty; it must have the image and its labels in each line.")
    if len(header) < 2:
        raise InputError(
            f"{path} has one column, {header[0][:40]!r}; it must have the image and its labels, "
            "with commas, semicolons or tabs between them."
        )
    pictures = [at for at, field in enumerate(header) if _is_picture(field)]
    keys = [] if pictures else [field_key(name) for name in header]
    second = [] if pictures else [one for one in (next(rows, None),) if one]
    image = pictures[0] if pictures else _image_column(keys, *(fields for _, fields in second))
    names = [key for key in keys if not key.endswith("id")]  # a label's name goes before its id
    label = _first([key if key in names else "" for key in keys], LABELS, -1, other_than=image)
    label = _first(keys, LABELS, -1, other_than=image) if label < 0 else label
    value = _first(keys, VALUES, -1, other_than=image)
    columns = CsvForm("", image, label, value if value >= 0 else None, len(header), not pictures)
    return _by_lines(path, columns, chain([first] if pictures else second, rows), header, keys)


def is_csv(source: Path) -> bool:
    """Tell whether a path is a file that is called like a table."""
    return source.is_file() and source.suffix.lower() in _ENDINGS


def not_read(source: Path, columns: Sequence[str]) -> list[str]:
    """Give the line that names all columns that are left out, or nothing."""
    if not columns:
        return []
    names = ", ".join(map(repr, columns))
    return [f"{source}: columns that are not read as labels: {names}"]


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
        if not fields[form.image].strip():
            raise no_image_named(path, line)
        yield line, fields


class _Cells(NamedTuple):
    """What the lines of a table show."""

    facts: list[int]  # what is in the cells of each column
    repeats: bool  # an image has several lines
    third_is_share: bool  # the third of three columns holds numbers of -1 to 1

    def columns(self, fact: int) -> set[int]:
        """Give the columns with a cell of that fact."""
        return {at for at, of_column in enumerate(self.facts) if of_column & fact}


def _read_cells(columns: CsvForm, rows: Iterator[tuple[int, list[str]]], keys: list[str]) -> _Cells:
    seen: set[str] = set()
    repeats = False
    third_is_share = columns.width == 3 and not any(map(NO_VALUES.fullmatch, keys[2:]))
    facts = _Facts()
    found = [0] * columns.width
    for _, fields in rows:
        image = fields[columns.image] if columns.image < len(fields) else ""
        if not repeats:
            repeats = image in seen
            seen.add(image)
        found += [0] * (len(fields) - len(found))
        for at, field in enumerate(fields):
            found[at] |= facts[field]
        third_is_share = third_is_share and -1 <= _number(fields[-1]) <= 1
    found[columns.image] = 0
    return _Cells(found, repeats, third_is_share)


def _by_lines(
    path: Path,
    columns: CsvForm,
    rows: Iterator[tuple[int, list[str]]],
    header: list[str],
    keys: list[str],
) -> CsvForm:
    """Tell the form by the lines."""
    cells = _read_cells(columns, rows, keys)
    if series := _tag_series(columns, cells, header if keys else []):
        return series
    named = columns.label >= 0
    several = cells.columns(_SEVERAL_TAGS)
    one = cells.columns(_NUMBER) and not several  # cells of several numbers are of no label
    only_values = not cells.columns(_NO_VALUE)
    if only_values or (columns.has_header and not named and (one or columns.width > 2)):
        return columns._replace(name="columns")
    if keys and not named and (texts := [key for key in keys if TEXTS.fullmatch(key)]):
        raise InputError(
            f"{path}: {header[keys.index(texts[0])]!r} is called like a text about the image, not "
            "like its labels. Call the column 'tags' if its words are."
        )
    if not named:
        columns = columns._replace(label=_text_column(columns, cells))
    if columns.value is None and cells.third_is_share and {columns.image, columns.label} == {0, 1}:
        columns = columns._replace(value=2)
    is_lines = cells.repeats or (columns.value is not None and columns.label not in several)
    used = (columns.image, columns.label, columns.value)
    return columns._replace(
        name="lines" if is_lines else "tags",
        is_one=not keys or bool(ONE_LABEL.fullmatch(keys[columns.label])),
        others=tuple(
            name for at, name in enumerate(header) if keys and at not in used and name.strip()
        ),
    )


def _tag_series(columns: CsvForm, cells: _Cells, header: list[str]) -> CsvForm | None:
    """Give the form of columns ``tag 1``, ``tag 2``, ..., which hold words and no numbers."""
    series = numbered_labels(header) if header else []
    if (
        not {*series[:1]} & cells.columns(_TEXT)
        or cells.columns(_NUMBER) & {*series}
        or not cells.facts[series[0]] & _NO_VALUE
    ):
        return None
    others = [at for at in range(columns.width) if at not in (columns.image, *series)]
    return columns._replace(
        name="tags",
        label=series[0],
        others=tuple(header[at] for at in others if header[at].strip()),
        series=tuple(series),
    )


def _text_column(columns: CsvForm, cells: _Cells) -> int:
    """Give the first column with a text."""
    parts = {at for at, of_column in enumerate(cells.facts) if not of_column & _NO_PART}
    free = [at for at in range(columns.width) if at != columns.image and at not in parts]
    words = cells.columns(_TEXT)
    return next((at for at in free if at in words), free[0] if free else 1)


def _image_column(keys: list[str], fields: Sequence[str] = ()) -> int:
    """Give the column that is called like images and, of several, holds a picture's name."""
    called = [at for at, key in enumerate(keys) if IMAGES.fullmatch(key)]
    holding = [at for at in called if at < len(fields) and _is_picture(fields[at])]
    return next(iter([*holding, *called]), _first(keys, PERHAPS_IMAGES, 0))


def _first(keys: list[str], known: re.Pattern[str], default: int, *, other_than: int = -1) -> int:
    places = [at for at, key in enumerate(keys) if known.fullmatch(key) and at != other_than]
    return places[0] if places else default


def _is_picture(field: str) -> bool:
    return PurePosixPath(field.strip()).suffix.lower() in image_suffixes()


def _number(text: str) -> float:
    number = float_or_none(text)
    return math.nan if number is None else number


class _Facts(dict[str, int]):
    """What each field is, as bits; most are the same few texts again and again."""

    def __missing__(self, text: str) -> int:
        if is_missing(text):
            facts = 0
        else:
            facts = _NUMBER if float_or_none(text) is not None else _TEXT
            facts |= 0 if _is_value(text) else _NO_VALUE
            facts |= 0 if text.strip().casefold() in _PARTS else _NO_PART
            facts |= _SEVERAL_TAGS if _SEVERAL.search(text) else 0
        if len(self) < _KEPT:
            self[text] = facts
        return facts


def _is_value(text: str) -> bool:
    try:
        label_value(text)
    except InputError:
        return False
    return True
