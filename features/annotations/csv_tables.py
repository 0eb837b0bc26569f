"""Csv files with the labels of an image in one field, in one column each, or in one line each."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from features.annotations.csv_form import CsvForm, find_form, labeled_rows
from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.label_values import float_or_none, is_missing, label_value
from features.labels import read_labels_csv, some_of

_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xls", ".ods")  # the last ones for a message
_SEPARATORS = ("|", ";", ",")
_ONE = "one"  # nothing stands between tags
_NAMES = {
    "|": "tags are separated by '|'",
    ";": "tags are separated by semicolons",
    ",": "tags are separated by commas",
    " ": "tags are separated by blanks",
    _ONE: "each field is one tag",
}
_LIST = re.compile(r"\s*[\[({].*[\])}]\s*", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def recognizes_columns(source: Path) -> bool:
    """Tell whether a csv file has one column per label."""
    return _is_csv(source) and find_form(source).name == "columns"


def reads_columns(source: Path) -> bool:
    """Tell whether `read_columns` takes what a csv file holds."""
    form = find_form(source)
    if not form.has_header or form.name != "columns":
        return False
    read_labels_csv(source, image=form.image)
    return True


def recognizes_tags(source: Path) -> bool:
    """Tell whether a csv file has all labels of an image in one field."""
    return _is_csv(source) and find_form(source).name == "tags"


def recognizes_lines(source: Path) -> bool:
    """Tell whether a csv file has one line per label."""
    return _is_csv(source) and find_form(source).name == "lines"


def read_columns(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a csv file with one column per label, however its first column is called.

    Parameters
    ----------
    source, images
        The file, and the folder that its names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

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
    ids, labels, names = read_labels_csv(source, image=form.image)
    return index_images(images, ids, labels, names, source=source, strict_names=strict_names)


def read_tags(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a csv file with all labels of an image in one field.

    Parameters
    ----------
    source : Path
        A column of images and one of tags, told by the names in the header, or the first two. What
        stands between tags is, for the whole file, the first of ``| ; ,`` that occurs in that
        column, or else blanks. Lists as Python and JSON write them are read too. Lines of one
        image are united.
    images : Path
        The folder that the images' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0 in alphabetical order; an image without tags has none.

    Raises
    ------
    InputError
        A line is too short, there are no tags, or an image is missing.
    """
    form = find_form(source)
    # Tags that were not quoted have become fields of their own.
    is_last = form.label == form.width - 1 or not form.has_header
    names, cells = [], []
    for line, fields in labeled_rows(source, form):
        if len(fields) > form.width and not is_last:
            raise InputError(
                f"{source}, line {line}: {len(fields)} fields where the header has {form.width}. "
                "Quote a name that holds a comma."
            )
        names.append(fields[form.image])
        tags_of = fields[form.label :] if is_last else [fields[form.label]]
        cells.append(",".join(field for field in tags_of if not is_missing(field)))
    separator = _separator(cells, form)
    tags = [_split(cell, separator, source) for cell in cells]
    label_names = sorted(set().union(*tags))
    column_of = {name: column for column, name in enumerate(label_names)}
    labels = np.zeros((len(names), len(label_names)), dtype=np.int8)
    for row, of_image in enumerate(tags):
        labels[row, [column_of[tag] for tag in of_image]] = 1
    notes = [f"{source}: {_NAMES[separator]}"] if separator else []
    notes += _not_read(source, form)
    return index_images(
        images, names, labels, label_names,
        source=source, unite=True, strict_names=strict_names, notes=notes,
    )  # fmt: skip


def read_lines(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a csv file with one line for each image and label.

    Parameters
    ----------
    source : Path
        A column of images, one of labels and, optionally, one of values, told by the names in the
        header, or the first three. A value is a confidence of 0 to 1 that the label is present:
        0.5 or more is present, 0 absent, and what lies between unknown. It may also be a value of
        `features.inputs.label_values`.
    images : Path
        The folder that the images' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels in alphabetical order. A pair without a line is unknown if some line says that a
        label is absent, or else absent.

    Raises
    ------
    InputError
        A line is too short, a value is none of these, or an image is missing.
    """
    form = find_form(source)
    return lines_to_dataset(
        source, images, form, _confidence, strict_names, notes=_not_read(source, form)
    )


def lines_to_dataset(
    source: Path,
    images: Path,
    form: CsvForm,
    read_value: Callable[[str], int],
    strict_names: bool,
    *,
    unlisted: int | None = None,
    rename: Callable[[list[str]], list[str]] = list,
    notes: Sequence[str] = (),
) -> Dataset:
    """Collect lines of an image, a label and, optionally, a value.

    Parameters
    ----------
    source, images, strict_names
        As for `read_lines`.
    form : CsvForm
    read_value : callable
        From a cell to 1, 0 or -1; an `InputError` gets the line in front.
    unlisted : {0, -1}, optional
        What a pair without a line is. By default as for `read_lines`.
    rename : callable
        From the labels, sorted, to names that users know.
    notes : sequence of str
        Further lines for the user.

    Returns
    -------
    Dataset
        Where two lines contradict each other, the label is unknown.
    """
    rows, columns, values = [], [], []
    row_of: dict[str, int] = {}
    column_of: dict[str, int] = {}
    for line, fields in labeled_rows(source, form):
        row = row_of.setdefault(fields[form.image], len(row_of))
        if is_missing(fields[form.label]):
            continue  # an image without labels
        rows.append(row)
        columns.append(column_of.setdefault(fields[form.label].strip(), len(column_of)))
        try:
            values.append(1 if form.value is None else read_value(fields[form.value]))
        except InputError as error:
            raise InputError(f"{source}, line {line}: {error}") from None
    order = sorted(column_of)
    place_of = np.array([column_of[name] for name in order], dtype=np.intp)
    found = np.array(values, dtype=np.int8)
    if unlisted is None:
        unlisted = -1 if (found == 0).any() else 0
    labels = np.full((len(row_of), len(order)), unlisted, dtype=np.int8)
    at = np.array(rows, dtype=np.intp), np.argsort(place_of)[np.array(columns, dtype=np.intp)]
    labels[at] = -1
    said = {value: np.zeros(labels.shape, dtype=bool) for value in (0, 1)}
    for value, cells in said.items():
        cells[at[0][found == value], at[1][found == value]] = True
        labels[cells] = value
    both = said[0] & said[1]
    labels[both] = -1
    word = "unknown" if unlisted else "absent"
    told = [f"{source}: a label that no line names for an image is taken as {word}", *notes]
    if both.any():
        told.append(f"{source}: {both.sum()} labels are both present and absent: unknown")
    return index_images(
        images, list(row_of), labels, rename(order),
        source=source, unite=True, strict_names=strict_names, notes=told,
    )  # fmt: skip


def _is_csv(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in _ENDINGS


def _not_read(source: Path, form: CsvForm) -> list[str]:
    if not form.others:
        return []
    return [f"{source}: columns that are not read as labels: {some_of(form.others)}"]


def _separator(cells: Sequence[str], form: CsvForm) -> str:
    """Tell what stands between tags: empty where all fields are lists or one tag each."""
    plain = [cell for cell in cells if not _LIST.fullmatch(cell)]
    for separator in _SEPARATORS:
        if any(separator in cell for cell in plain):
            return separator
    if not plain:
        return ""
    words = [cell.split() for cell in plain if cell.strip()]
    alone = {one[0] for one in words if len(one) == 1}
    are_tags = all(
        float_or_none(word) is not None or word in alone for one in words for word in one
    )
    # "traffic light" is one label, unless its words are known as labels of their own.
    return " " if not form.is_one or are_tags or _any_alone(words, alone) else _ONE


def _any_alone(words: Sequence[Sequence[str]], alone: set[str]) -> bool:
    return any(word in alone for one in words if len(one) > 1 for word in one)


def _split(cell: str, separator: str, source: Path) -> list[str]:
    if _LIST.fullmatch(cell):
        found = _from_json(cell)
        if found is not None:
            if cell.strip() not in ("[]", "{}") and not found:
                raise InputError(
                    f"{source}: {cell.strip()[:80]!r} has no list of labels. Write them as 'a|b'."
                )
            return _distinct(found)
        cell = cell.strip()[1:-1]
        if quoted := _QUOTED.findall(cell):
            return _distinct(first or second for first, second in quoted)
        separator = ","
    if separator == _ONE:
        return _distinct([cell])
    return _distinct(cell.split() if separator == " " else cell.split(separator))


def _from_json(cell: str) -> list[str] | None:
    """Collect what the lists in a JSON field name; None if it is no JSON."""
    try:
        content = json.loads(cell)
    except (ValueError, RecursionError):
        return None

    def collect(one: object) -> Iterator[str]:
        for inner in one.values() if isinstance(one, dict) else one if type(one) is list else ():
            if isinstance(inner, list | dict):
                yield from collect(inner)
            elif isinstance(one, list) and isinstance(inner, str | int):
                yield str(inner)

    return list(collect(content))


def _distinct(tags: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _confidence(text: str) -> int:
    number = float_or_none(text)
    if number is None or number == -1:
        return label_value(text)
    if not 0 <= number <= 1:
        raise InputError(f"a value must be a confidence from 0 to 1, or -1. Got {text!r}.")
    return 1 if number >= 0.5 else 0 if number == 0 else -1
