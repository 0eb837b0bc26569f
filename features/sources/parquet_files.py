"""Parquet files whose rows hold the bytes of pictures, as data sets on Hugging Face do."""

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features.datasets import Dataset, Members, index_images
from features.errors import InputError
from features.inputs.name_forms import CONTROL, NOT_A_PATH
from features.sources.base import Fault, Opened, Source
from features.sources.labels_beside import labeled_beside
from features.sources.parquet_columns import (
    IDS,
    arrow_library,
    choose_ids,
    choose_labels,
    damaged,
    image_column,
    opened_parquet,
    other_columns,
)
from features.sources.remote.errors import NetworkFault
from features.sources.stored import Stored, changed_error, stored

MOST_BYTES = 2 << 30  # bytes of the pictures of one row group, which are held at once
MOST_HELD = 1 << 30  # bytes of two groups that are held together
_BEGINS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp",
           b"II*\0": ".tif", b"MM\0*": ".tif", b"RIFF": ".webp"}  # fmt: skip


class Place(NamedTuple):
    """Where a picture is: the numbers of its file, row group and row in that; -1 bytes for null."""

    file: int
    group: int
    row: int
    size: int


class Parquet(Source):
    """Pictures in rows of parquet files; two row groups are held if their bytes allow it.

    Threads that decode ahead take rows from both sides of a border between groups in turn.

    Parameters
    ----------
    paths : sequence of Path
    column : str
        Of the pictures: binary, or a struct with a binary field `bytes`.
    places : dict of str to Place
    stamps : list of (int, int)
        Each file's size and `tag` when it was listed.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        column: str,
        places: dict[str, Place],
        stamps: list[tuple[int, int]],
    ):
        self.paths = [path.absolute() for path in paths]
        self.column, self.places, self.stamps = column, places, stamps
        self._lock = threading.Lock()
        self._held: dict[tuple[int, int], Any] = {}
        self._files: dict[int, Stored] = {}

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
        return self._file(self.places[path].file).changed

    def _read(self, place: Place) -> bytes:
        key = place.file, place.group
        with self._lock:
            if key not in self._held:
                self._make_room(key)
                self._held[key] = self._group(*key)
            return self._held[key][place.row].as_py()

    def _make_room(self, key: tuple[int, int]) -> None:
        """Drop the groups that can't be held beside another; the oldest of two in any case."""
        held = list(self._held)
        if len(held) > 1:
            del self._held[held[0]]
        if sum(map(self._bytes.__getitem__, {*self._held, key})) > MOST_HELD:
            self._held.clear()

    @cached_property
    def _bytes(self) -> Counter[tuple[int, int]]:
        """Bytes of the pictures of each group."""
        total: Counter[tuple[int, int]] = Counter()
        for place in self.places.values():
            total[place.file, place.group] += max(place.size, 0)
        return total

    def _file(self, number: int) -> Stored:
        if number not in self._files:
            self._files[number] = stored(self.paths[number])
        return self._files[number]

    def _group(self, number: int, group: int) -> Any:
        file = self._file(number)
        if (file.size, file.tag) != self.stamps[number]:
            raise changed_error(file.path)
        with opened_parquet(file) as parquet:
            return _pictures(parquet, file.path, group, self.column)[0]


def load(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
    """Make a data set of the rows of parquet files, in their order, labeled by a labels.csv beside.

    See `load_rows`; the labels of `labels.csv` in the files' folder, or in that above its folder
    `data`, go before those of columns.
    """
    dataset = load_rows(paths, strict_names=strict_names)
    folder = paths[0].parent
    return labeled_beside(dataset, [folder, folder.parent] if folder.name == "data" else [folder])


def load_rows(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
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
    on = [stored(path) for path in paths]
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(opened_parquet(file)) for file in on]
            return _loaded(files, paths, [(file.size, file.tag) for file in on], strict_names)
    except NetworkFault as fault:
        raise fault.as_error() from fault


def _loaded(
    files: Sequence[Any], paths: Sequence[Path], stamps: list[tuple[int, int]], strict_names: bool
) -> Dataset:
    schema = files[0].schema_arrow
    for path, file in zip(paths, files, strict=True):
        if file.schema_arrow.names != schema.names or file.schema_arrow.types != schema.types:
            raise InputError(
                f"{path} has other columns than {paths[0]}. Give files of the same columns."
            )
    column = image_column(schema, paths[0])
    places, inner, generated = _listed(files, paths, column)
    if not places:
        raise InputError(f"{paths[0]} has no rows. Give a file that has some.")
    id_column = next((n for n in IDS if n in schema.names and n != column), "")
    table = other_columns(files, paths, [n for n in schema.names if n != column])
    ids, said = choose_ids(inner, generated, table, id_column)
    _check_ids(ids, said, paths[0])
    labels, label_names, told = choose_labels(table, schema, id_column)
    source = Parquet(paths, column, dict(zip(ids, places, strict=True)), stamps)
    root = paths[0]
    return index_images(
        root, ids, labels, label_names, source=root, root=root, strict_names=strict_names,
        notes=[f"{root.name}: pictures from column {column!r}, ids from {said}, {told}"],
        members=Members(source, "", sorted(ids)),
    )  # fmt: skip


def _listed(
    files: Sequence[Any], paths: Sequence[Path], column: str
) -> tuple[list[Place], list[str | None], list[str]]:
    """Give each picture's place, the path stored with it, and a name by file and row."""
    places: list[Place] = []
    inner: list[str | None] = []
    generated: list[str] = []
    for number, (path, file) in enumerate(zip(paths, files, strict=True)):
        before = len(places)
        for group in range(file.num_row_groups):
            data, names = _pictures(file, path, group, column)
            inner += names
            for k, cell in enumerate(data):
                view = cell.as_buffer()
                size = -1 if view is None else view.size
                start = b"" if view is None else view[:4].to_pybytes()
                ending = next((e for b, e in _BEGINS.items() if start.startswith(b)), "")
                generated.append(f"{path.stem}/{len(places) - before}{ending}")
                places.append(Place(number, group, k, size))
    return places, inner, generated


def _check_ids(ids: Sequence[str], said: str, path: Path) -> None:
    for row, id_ in enumerate(ids):
        if NOT_A_PATH.search(id_) or CONTROL.search(id_) or not id_:
            raise InputError(
                f"{path}: the id {id_!r} of row {row} is no plain path. Write another."
            )
    twice = next((one for one, count in Counter(ids).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{path}: {said} has {twice!r} more than once. Make ids distinct.")


def _pictures(file: Any, path: Path, group: int, column: str) -> tuple[Any, list[str | None]]:
    """Read the bytes and the paths of one row group."""
    arrow = arrow_library()
    about = file.metadata.row_group(group)
    chunks = (about.column(k) for k in range(about.num_columns))
    size = sum(
        c.total_uncompressed_size for c in chunks if c.path_in_schema.partition(".")[0] == column
    )
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: row group {group} has {size:,} bytes of pictures, more than {MOST_BYTES:,}. "
            "Write the file again with smaller row groups."
        )
    try:
        data = file.read_row_group(group, columns=[column]).column(0).combine_chunks()
    except (arrow.ArrowException, OSError) as error:
        raise damaged(path) from error
    if isinstance(data, arrow.ChunkedArray):
        data = arrow.concat_arrays(data.chunks)
    if not arrow.types.is_struct(data.type):
        return data, [None] * len(data)
    names: list[str | None] = [None] * len(data)
    if data.type.get_field_index("path") >= 0:
        names = arrow.compute.struct_field(data, "path").to_pylist()
    return arrow.compute.struct_field(data, "bytes"), names
