"""Parquet files whose rows hold the bytes of pictures, as data sets on Hugging Face do."""

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features.datasets import Dataset, Members, index_images
from features.errors import InputError
from features.inputs.file_names import CONTROL, NOT_A_PATH
from features.sources.base import Fault, Opened, Source

MOST_BYTES = 2 << 30  # bytes of the pictures of one row group, which are held at once
IMAGES = ("image", "img", "bytes")
IDS = ("id", "file_name", "image_id")
LABELS = ("labels", "label", "tags", "objects", "classes", "categories")
_BEGINS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp",
           b"II*\0": ".tif", b"MM\0*": ".tif", b"RIFF": ".webp"}  # fmt: skip


class Place(NamedTuple):
    """Where a picture is: the numbers of its file, row group and row in that; -1 bytes for null."""

    file: int
    group: int
    row: int
    size: int


class Parquet(Source):
    """Pictures in rows of parquet files; one row group is held at a time.

    Parameters
    ----------
    paths : sequence of Path
    column : str
        Of the pictures: binary, or a struct with a binary field `bytes`.
    places : dict of str to Place
    stamps : list of (int, int)
        Each file's size and time of change in ns when it was listed.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        column: str,
        places: dict[str, Place],
        stamps: list[tuple[int, int]],
    ):
        self.paths = [Path(os.path.abspath(path)) for path in paths]
        self.column, self.places, self.stamps = column, places, stamps
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, int] | None, Any] = None, None

    def __reduce__(self):
        return Parquet, (self.paths, self.column, self.places, self.stamps)

    def __contains__(self, path: object) -> bool:
        """See `Source.__contains__`."""
        return path in self.places

    def open(self, path: str) -> Opened:
        """See `Source.open`."""
        if path not in self.places:
            raise Fault("MISSING")
        place = self.places[path]
        if place.size < 0:
            raise Fault("NULL")
        return Opened(place.size, partial(self._read, place))

    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """See `Source.sizes`."""
        return np.array([max(self.places[path].size, 0) for path in paths], dtype=np.int64)

    def changed(self, path: str) -> int:
        """Give when the file last changed: nothing else is known of a row."""
        return self.stamps[self.places[path].file][1]

    def _read(self, place: Place) -> bytes:
        key = place.file, place.group
        with self._lock:
            if self._held[0] != key:
                self._held = None, None  # never two at once
                self._held = key, self._group(*key)
            return self._held[1][place.row].as_py()

    def _group(self, file: int, group: int) -> Any:
        path = self.paths[file]
        try:
            same = _stamp(path) == self.stamps[file]
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"{path} is gone or has changed while it was read. What is finished is kept; run "
                "again when it is complete."
            )
        return _pictures(_opened(path), path, group, self.column)[0]


def load(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
    """Make a data set of the rows of parquet files, in their order.

    Parameters
    ----------
    paths : sequence of Path
        Files of the same columns.
    strict_names : bool
        Of no effect: names are the rows' own.

    Returns
    -------
    Dataset
        Whose notes say which columns were taken. The files are read once for the sizes.

    Raises
    ------
    InputError
        pyarrow is missing; a file is damaged, has no pictures or other columns than the first; a
        row group is larger than `MOST_BYTES`; or ids come twice.
    """
    files = [_opened(path) for path in paths]
    schema = files[0].schema_arrow
    for path, file in zip(paths, files, strict=True):
        if file.schema_arrow.names != schema.names or file.schema_arrow.types != schema.types:
            raise InputError(
                f"{path} has other columns than {paths[0]}. Give files of the same columns."
            )
    column = _image_column(schema, paths[0])
    stamps = [_stamp(path) for path in paths]
    places, inner, generated = [], [], []
    for number, (path, file) in enumerate(zip(paths, files, strict=True)):
        row = 0
        for group in range(file.num_row_groups):
            data, names = _pictures(file, path, group, column)
            for k, (cell, name) in enumerate(zip(data, names, strict=True)):
                view = cell.as_buffer()
                size = -1 if view is None else view.size
                start = b"" if view is None else view[:4].to_pybytes()
                ending = next((e for b, e in _BEGINS.items() if start.startswith(b)), "")
                places.append(Place(number, group, k, size))
                inner.append(name)
                generated.append(f"{path.stem}/{row}{ending}")
                row += 1
    if not places:
        raise InputError(f"{paths[0]} has no rows. Give a file that has some.")
    id_column = next((n for n in IDS if n in schema.names and n != column), "")
    table = _others(files, paths, [n for n in schema.names if n != column])
    ids, said = _ids(inner, generated, table, id_column)
    for first, id_ in enumerate(ids):
        if NOT_A_PATH.search(id_) or CONTROL.search(id_) or not id_:
            raise InputError(
                f"{paths[0]}: the id {id_!r} of row {first} is no plain path. Write another."
            )
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
        raise InputError(f"{paths[0]}: {said} has {twice!r} more than once. Make ids distinct.")
    labels, label_names, told = _labels(table, schema, id_column)
    source = Parquet(paths, column, dict(zip(ids, places, strict=True)), stamps)
    root = paths[0]
    return index_images(
        root, ids, labels, label_names, source=root, root=root, strict_names=strict_names,
        notes=[f"{root.name}: pictures from column {column!r}, ids from {said}, {told}"],
        members=Members(source, "", sorted(ids)),
    )  # fmt: skip


def _arrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Reading parquet needs pyarrow. Install it with "
            "`pip install 'multilabel-from-cache[parquet]'`."
        ) from error
    return pyarrow


def _opened(path: Path) -> Any:
    arrow = _arrow()
    try:
        return arrow.parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is no whole parquet file, or can't be read. Copy it again.")


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _is_binary(kind: Any) -> bool:
    types = _arrow().types
    return types.is_binary(kind) or types.is_large_binary(kind)


def _image_column(schema: Any, path: Path) -> str:
    types = _arrow().types
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


def _pictures(file: Any, path: Path, group: int, column: str) -> tuple[Any, list[str | None]]:
    """Read the bytes and the paths of one row group."""
    arrow = _arrow()
    about = file.metadata.row_group(group)
    chunks = (about.column(k) for k in range(about.num_columns))
    size = sum(
        c.total_uncompressed_size for c in chunks if re.split(r"\.", c.path_in_schema)[0] == column
    )
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: row group {group} has {size:,} bytes of pictures, more than {MOST_BYTES:,}. "
            "Write the file again with smaller row groups."
        )
    try:
        data = file.read_row_group(group, columns=[column]).column(0).combine_chunks()
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path) from error
    if isinstance(data, arrow.ChunkedArray):
        data = arrow.concat_arrays(data.chunks)
    if not arrow.types.is_struct(data.type):
        return data, [None] * len(data)
    names: list[str | None] = [None] * len(data)
    if data.type.get_field_index("path") >= 0:
        names = arrow.compute.struct_field(data, "path").to_pylist()
    return arrow.compute.struct_field(data, "bytes"), names


def _others(files: Sequence[Any], paths: Sequence[Path], columns: list[str]) -> Any:
    arrow = _arrow()

    def tables() -> Iterator[Any]:
        for path, file in zip(paths, files, strict=True):
            try:
                yield file.read(columns=columns).replace_schema_metadata(None)
            except (arrow.ArrowException, OSError) as error:
                raise _damaged(path) from error

    return arrow.concat_tables(tables())


def _ids(
    inner: list[str | None], generated: list[str], table: Any, column: str
) -> tuple[list[str], str]:
    names = [name for name in inner if name and not NOT_A_PATH.search(name)]
    if len(set(names)) == len(inner):
        return names, "the pictures' paths"
    if column:
        return [
            "" if v is None else str(v) for v in table[column].to_pylist()
        ], f"column {column!r}"
    return generated, "file and row"


def _labels(
    table: Any, schema: Any, id_column: str
) -> tuple[np.ndarray | None, tuple[str, ...], str]:
    types = _arrow().types
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
