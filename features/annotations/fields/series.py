"""Csv files with labels over several columns: ``label1, label2``, ``labels/0, labels/1``."""

from collections.abc import Sequence
from pathlib import Path

from features.annotations.collect import collect, having
from features.annotations.csv_form import CsvForm, labeled_rows, not_read
from features.annotations.fields.tags import unquoted
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.label_values import is_missing


def read_series(
    source: Path, images: Path, form: CsvForm, header: Sequence[str], *, strict_names: bool
) -> Dataset:
    """Read a file in which each cell of some columns is a label; lines of one image are united.

    Raises
    ------
    InputError
        A line is too short or too long, or an image is missing.
    """
    pictures = []
    for line, fields in labeled_rows(source, form):
        if len(fields) > form.width:
            raise InputError(
                f"{source}, line {line}: {len(fields)} fields where the header has {form.width}. "
                "Quote a name that holds a comma."
            )
        cells = [fields[at] for at in form.series if at < len(fields)]
        labels = [unquoted(cell) for cell in cells if not is_missing(cell)]
        pictures.append(having(fields[form.image], labels))
    names = ", ".join(repr(header[at].strip()) for at in form.series[:5])
    more = f" and {len(form.series) - 5} more" if len(form.series) > 5 else ""
    notes = [f"{source}: each cell is a label in the columns {names}{more}"]
    notes += not_read(source, form.others)
    return collect(images, pictures, source=source, strict_names=strict_names, notes=notes)
