"""Csv files with the labels of an image in one field, or in one line each."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from features.annotations.collect import Picture, collect, having
from features.annotations.csv_form import (
    CsvForm,
    find_form,
    is_csv,
    labeled_rows,
    not_read,
)
from features.annotations.fields.rated import rated_pictures, rated_tags
from features.annotations.fields.series import read_series
from features.annotations.fields.tags import (
    PLACES,
    TOLD,
    bare_list,
    boxed_labels,
    marks,
    separator_of,
    split_tags,
)
from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from features.inputs.label_values import float_or_none, is_missing, label_value


def recognizes_tags(source: Path) -> bool:
    """Tell whether a csv file has all labels of an image in one field."""
    return is_csv(source) and find_form(source).name == "tags"


def recognizes_lines(source: Path) -> bool:
    """Tell whether a csv file has one line per label."""
    return is_csv(source) and find_form(source).name == "lines"


def read_tags(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a csv file with all labels of an image in one field.

    Parameters
    ----------
    source : Path
        A column of images and one of tags, told by the names in the header, or the first two. What
        stands between tags is, for the whole file, the first of ``| ; ,`` that occurs in that
        column, or else blanks. Lists as Python, numpy and JSON write them are read too, and labels
        with four numbers of a box behind each, and labels with a confidence each, which is taken as
        `read_lines` takes it. Of columns such as ``label1, label2`` each cell is a label. Lines of
        one image are united.
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
    if form.series:
        _, header = next(csv_rows(source, ragged=True))
        return read_series(source, images, form, header, strict_names=strict_names)
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
        if not form.has_header and float_or_none(tags_of[0]) is None:  # numbers are of a box
            tags_of = [field for field in tags_of if float_or_none(field) is None]
        cells.append(bare_list(",".join(field for field in tags_of if not is_missing(field))))
    pictures, known, notes = _pictures(source, names, cells, is_one=form.is_one)
    notes += not_read(source, form.others)
    return collect(
        images, pictures, source=source, known=known, strict_names=strict_names, notes=notes
    )


def _pictures(
    source: Path, names: Sequence[str], cells: Sequence[str], *, is_one: bool
) -> tuple[list[Picture], list[str], list[str]]:
    """Read cells of tags; give also labels that come first, and lines for the user."""
    if (boxed := boxed_labels(cells)) is not None:
        told = f"{source}: four numbers of a box follow each label, and are not read"
        return list(map(having, names, boxed)), [], [told]
    if found := marks(cells):
        length, places = found
        known = [str(place) for place in range(length)]
        return list(map(having, names, places)), known, [f"{source}: {PLACES.format(length)}"]
    separator = separator_of(cells, is_one=is_one)
    notes = [f"{source}: {TOLD[separator]}"] if separator else []
    split = partial(split_tags, separator=separator, source=source)
    if (rated := rated_tags(cells, split, source)) is not None:
        told = (
            f"{source}: tags have confidences; 0.5 or more is present, 0 absent, what lies between "
            "unknown"
        )
        return rated_pictures(names, rated, partial(_confidence, negative=-1)), [], [*notes, told]
    return list(map(having, names, map(split, cells))), [], notes


def read_lines(
    source: Path, images: Path, *, strict_names: bool = False, negative: int = -1
) -> Dataset:
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
    negative : {-1, 0}
        What a value of -1 is.

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
        source,
        images,
        form,
        partial(_confidence, negative=negative),
        strict_names,
        notes=not_read(source, form.others),
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
            raise InputError(
                f"{source}, line {line}: {error} Correct the value or remove the line."
            ) from None
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


def _confidence(text: str, *, negative: int) -> int:
    number = float_or_none(text)
    if number is None or number == -1:
        return label_value(text, negative=negative)
    if not 0 <= number <= 1:
        raise InputError(f"a value must be a confidence from 0 to 1, or -1. Got {text!r}.")
    return 1 if number >= 0.5 else 0 if number == 0 else -1
