"""Columns of parquet files: which holds the pictures, their ids and their labels."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import InputError, needs_extra
from features.inputs.name_forms import NOT_A_PATH
from features.sources.stored import AsFile, Stored

IMAGES = ("image", "img", "bytes")
IDS = ("id", "file_name", "image_id")
LABELS = ("labels", "label", "tags", "objects", "classes", "categories")


def arrow_library() -> Any:
    """Load pyarrow.

    Raises
    ------
    InputError
        It is not installed.
    """
    with needs_extra("parquet", "Reading parquet"):
        import pyarrow.parquet
    return pyarrow


@contextmanager
def opened_parquet(file: Stored) -> Iterator[Any]:
    """Open a file; only its footer is read.

    Raises
    ------
    InputError
        It is damaged.
    """
    arrow = arrow_library()
    with file.opened() as read:
        try:
            parquet = arrow.parquet.ParquetFile(AsFile(read, file.size))
        except (arrow.ArrowException, OSError) as error:
            raise damaged(file.path) from error
        yield parquet


def damaged(path: Path) -> InputError:
    """Say that a file can't be read."""
    return InputError(f"{path} is no whole parquet file, or can't be read. Copy it again.")


def _is_binary(kind: Any) -> bool:
    types = arrow_library().types
    return types.is_binary(kind) or types.is_large_binary(kind)


def image_column(schema: Any, path: Path) -> str:
    """Find the column of pictures: a struct with bytes, or binary under one of `IMAGES`.

    Raises
    ------
    InputError
        There is none; the message lists what there is.
    """
    types = arrow_library().types
    found = []
    for field in schema:
        if types.is_struct(field.type):
            at = field.type.get_field_index("bytes")
            if at >= 0 and _is_binary(field.type.field(at).type):
                found.append(field.name)
        elif _is_binary(field.type) and field.name in IMAGES:
            found.append(field.name)
    if not found:
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise InputError(
            f"{path} has no column of pictures: a struct with bytes, or binary named "
            f"{', '.join(IMAGES)}. Its columns: {' '.join(columns.split())}."
        )
    return next((name for name in IMAGES if name in found), found[0])


def other_columns(files: Sequence[Any], paths: Sequence[Path], columns: list[str]) -> Any:
    """Read the columns beside the pictures, of all files, as one table."""
    arrow = arrow_library()

    def tables() -> Iterator[Any]:
        for path, file in zip(paths, files, strict=True):
            try:
                yield file.read(columns=columns).replace_schema_metadata(None)
            except (arrow.ArrowException, OSError) as error:
                raise damaged(path) from error

    return arrow.concat_tables(tables())


def choose_ids(
    inner: list[str | None], generated: list[str], table: Any, column: str
) -> tuple[list[str], str]:
    """Take ids from the pictures' paths, a column, or file and row; say in words from which."""
    names = [name for name in inner if name and not NOT_A_PATH.search(name)]
    if len(set(names)) == len(inner):
        return names, "the pictures' paths"
    if column:
        return [
            "" if v is None else str(v) for v in table[column].to_pylist()
        ], f"column {column!r}"
    return generated, "file and row"


def choose_labels(
    table: Any, schema: Any, id_column: str
) -> tuple[np.ndarray | None, tuple[str, ...], str]:
    """Find labels in lists of names or of classes, or in columns of 0 and 1; say where.

    Returns
    -------
    labels : int8 ndarray of shape (n, L), or None
        -1 where a cell is null.
    names : tuple of L str
    told : str
    """
    types = arrow_library().types
    for name in LABELS:
        kind = table.schema.field(name).type if name in table.column_names else None
        if kind is None or not (types.is_list(kind) or types.is_large_list(kind)):
            continue
        cells = table[name].to_pylist()
        value = kind.value_type
        if types.is_string(value) or types.is_large_string(value):
            names = tuple(sorted({one for cell in cells for one in cell or () if one}))
        elif types.is_integer(value) and (names := _class_names(schema, name)):
            if any(not 0 <= k < len(names) for c in cells for k in c or () if k is not None):
                raise InputError(f"Column {name!r} has a class beyond its {len(names)} names.")
            cells = [c and [names[k] for k in c if k is not None] for c in cells]
        else:
            continue
        if names:
            return _filled(cells, names), names, f"labels from lists in column {name!r}"
    names = tuple(name for name in table.column_names if name != id_column)
    columns = [table[name] for name in names]
    if names and all(types.is_integer(c.type) or types.is_boolean(c.type) for c in columns):
        lists = [[-1 if v is None else int(v) for v in c.to_pylist()] for c in columns]
        if all(v in (-1, 0, 1) for one in lists for v in one):
            return np.array(lists, dtype=np.int8).T.copy(), names, "labels from columns of 0 and 1"
    return None, (), "no labels (no column of them was recognized)"


def _filled(cells: list[Any], names: Sequence[str]) -> np.ndarray:
    at = {name: k for k, name in enumerate(names)}
    labels = np.zeros((len(cells), len(names)), dtype=np.int8)
    for row, cell in enumerate(cells):
        if cell is None:
            labels[row] = -1
        else:
            labels[row, [at[one] for one in cell if one]] = 1
    return labels


def _class_names(schema: Any, column: str) -> tuple[str, ...]:
    """Find the names of a list of ClassLabel in the metadata that Hugging Face writes."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        found = found[0] if isinstance(found, list) else found["feature"]
        return tuple(map(str, found["names"]))
    except (KeyError, ValueError, TypeError, IndexError):
        return ()
