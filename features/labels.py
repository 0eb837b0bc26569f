"""Read, check and write the csv files beside the images: `labels.csv` and `split.csv`.

`features.datasets` checks whether the listed files exist.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from features.errors import InputError
from features.files import atomic_write
from features.inputs.csv_rows import csv_rows, plain_header
from features.inputs.file_names import match_ids
from features.inputs.known_files import not_plain
from features.inputs.label_values import UNKNOWN, label_value
from features.inputs.name_forms import CONTROL, NOT_A_PATH

SPLIT_NAMES = ("train", "val", "test")


_ROW_NUMBER = re.compile(
    r"|#|unnamed: *\d+|id|index|idx|row|no\.?|nr\.?|(image|img|photo|file)[ _-]?id"
)


class _Values(dict[str, int]):
    """Cells as the bytes of an int8; each form that occurs is read once."""

    def __init__(self, negative: int):
        super().__init__()
        self.negative = negative

    def __missing__(self, text: str) -> int:
        self[text] = value = label_value(text, negative=self.negative) % 256
        return value


def read_labels_csv(
    path: Path,
    *,
    image: int | None = None,
    without: Collection[int] = (),
    negative: int = UNKNOWN,
    content: bytes | None = None,
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Read which image has which label.

    The first column is `image`, then one column for each label: 1 present, 0 absent, -1 or empty
    unknown, or what `features.inputs.label_values` reads as one of these. Encoding and separator
    are those that `features.inputs.csv_rows` tells apart; numbers of rows in front, as pandas
    writes its index, are dropped. Takes about 3 s and 150 MB for a million rows with 23
    labels.

    Parameters
    ----------
    path : Path
        The csv file.
    image : int, optional
        Number of the column of images, from 0, however it is called; labels are all others but
        numbers of rows in front of it.
    without : collection of int
        Numbers of columns that are no labels.
    negative : {-1, 0}
        What a cell of -1 is.
    content : bytes, optional
        The file, if it lies in an archive; `path` is then for messages.

    Returns
    -------
    ids : tuple of n str
        Paths under `images/`, in the file's order.
    labels : ndarray of shape (n, L), int8
        1 present, 0 absent, -1 unknown.
    label_names : tuple of L str
        Names of the columns.

    Raises
    ------
    InputError
        The file breaks the rules above, has no rows, or names an image or a label twice.
    """
    rows = csv_rows(path, content=content)
    _, header = next(rows, (0, [""]))
    if header == [""]:
        raise InputError(f"{path} is empty; it must have a column 'image', then one per label.")
    if image is None:
        image = next((at for at, name in enumerate(header) if not is_row_number(name)), 0)
        if plain_header(header)[image] != "image":
            raise InputError(
                f"{path}: the columns must be 'image', then one per label, separated by commas. "
                f"The first is {header[image]!r}."
            )
    columns = [
        at
        for at, name in enumerate(header)
        if at not in without and (at > image or (at < image and not is_row_number(name)))
    ]
    label_names = plain_names([header[at] for at in columns])
    nameless = [at for at, name in enumerate(label_names) if not name]
    check_label_names([name for name in label_names if name] or label_names, path)
    ids = []
    values = bytearray()
    known = _Values(negative)
    for line, fields in rows:
        if not fields[image]:
            raise no_image_named(path, line)
        ids.append(fields[image])
        cells = [fields[at] for at in columns]
        try:
            values.extend(map(known.__getitem__, cells))
        except InputError:
            raise _bad_cell(path, line, label_names, cells, alone=len(header) == 2) from None
    _check_unique(ids, path)
    labels = np.frombuffer(values, dtype=np.int8).reshape(len(ids), len(label_names))
    if nameless:  # columns that a spreadsheet's user left free
        if (labels[:, nameless] != UNKNOWN).any():
            check_label_names(label_names, path)
        labels = np.delete(labels, nameless, axis=1)
        label_names = tuple(name for name in label_names if name)
    return tuple(ids), labels, label_names


def read_given_labels(
    path: Path, images: Path = Path("IMAGES")
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Read a labels.csv as `read_labels_csv` does; one of another form is told how it becomes one.

    Parameters
    ----------
    path : Path
    images : Path
        Where its images are, for the message.
    """
    try:
        return read_labels_csv(path)
    except InputError as error:
        from features.annotations.catalog import advice

        raise InputError(" ".join(filter(None, [str(error), advice(path, images)]))) from None


def is_row_number(name: str) -> bool:
    """Tell whether a column's name is one that tools give to the numbers of rows.

    Examples
    --------
    >>> is_row_number(""), is_row_number("image_id"), is_row_number("image")
    (True, True, False)
    """
    return bool(_ROW_NUMBER.fullmatch(name.strip().casefold()))


def no_image_named(path: Path, line: int) -> InputError:
    """Give the error of a line whose field of the image is empty."""
    return InputError(f"{path}, line {line}: no image is named. Name one, or remove the line.")


def _bad_cell(
    path: Path, line: int, label_names: Sequence[str], cells: Sequence[str], *, alone: bool
) -> InputError:
    for name, cell in zip(label_names, cells, strict=True):
        try:
            label_value(cell)
        except InputError as error:
            remedy = "Remove a column that is no label."
            if alone:
                remedy = (
                    "If it names the labels of images, give `features index --format csv-tags`."
                )
            return InputError(f"{path}, line {line}, column {name!r}: {error} {remedy}")
    raise AssertionError("every cell is a label's value")


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """Take blanks away around names of labels, unless that would make two names one.

    Examples
    --------
    >>> plain_names(["cat", " dog "]), plain_names(["cat", "cat "])
    (('cat', 'dog'), ('cat', 'cat '))
    """
    counts = Counter(name.strip() for name in names)
    return tuple(name.strip() if counts[name.strip()] == 1 else name for name in names)


def write_labels_csv(
    path: Path, ids: Sequence[str], labels: ArrayLike, label_names: Sequence[str]
) -> None:
    """Write what `read_labels_csv` reads, all or nothing.

    Parameters
    ----------
    path : Path
        The csv file; an existing one is replaced.
    ids : sequence of n str
        Paths under `images/`.
    labels : array-like of shape (n, L)
        1 present, 0 absent, -1 unknown.
    label_names : sequence of L str
        Names of the columns.

    Raises
    ------
    InputError
        `read_labels_csv` would refuse the file.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(ids), len(label_names)):
        raise InputError(
            f"Labels of {len(ids)} images and {len(label_names)} label names must have shape "
            f"{(len(ids), len(label_names))}. Got {labels.shape}."
        )
    if not np.isin(labels, (-1, 0, 1)).all():
        raise InputError("Labels must be 1, 0 or -1 (unknown). Got other values.")
    check_ids(ids, path)
    check_label_names(label_names, path)
    with (
        atomic_write(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", *label_names])
        rows = zip(ids, labels.astype(np.int8), strict=True)
        writer.writerows([image, *row.tolist()] for image, row in rows)


def read_split_csv(path: Path, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Read which image belongs to which split.

    Parameters
    ----------
    path : Path
        A csv file with the columns `image` and `split`; a split is train, val or test.
    ids : sequence of n str
        The images in the order of the index.

    Returns
    -------
    dict of str to ndarray of int64
        For each split that occurs, its rows of the index in ascending order. Together they hold
        every row once.

    Raises
    ------
    InputError
        The header or a split name is another one, or an image is unknown, missing or listed twice.
    """
    rows = csv_rows(path)
    _, header = next(rows, (0, []))
    if plain_header(header) != ["image", "split"]:
        raise InputError(f"{path}: the columns must be image,split. Got {','.join(header)}.")
    split_of: dict[str, str] = {}
    for line, (image, text) in rows:
        split = text.strip().casefold()
        if split not in SPLIT_NAMES:
            raise InputError(
                f"{path}, line {line}: the 'split' column must be one of {', '.join(SPLIT_NAMES)}. "
                f"Got {split!r}."
            )
        if image in split_of:
            raise InputError(f"{path}, line {line}: {image!r} is listed twice. Keep one line.")
        split_of[image] = split
    matches = match_ids(ids, list(split_of), path)
    if unknown := sorted(matches.missing):
        raise InputError(f"{path}: {some_of(unknown)} not in the index. Remove these lines.")
    split_of = dict(zip(matches.files, split_of.values(), strict=True))
    if missing := [image for image in ids if image not in split_of]:
        raise InputError(f"{path}: no split for {some_of(missing)}. Add one line for each.")
    splits = np.array([split_of[image] for image in ids])
    return {name: np.flatnonzero(splits == name) for name in SPLIT_NAMES if name in splits}


def check_ids(ids: Sequence[str], source: object) -> None:
    """Refuse ids that are not plain paths under `images/`, that come twice, or none at all.

    Parameters
    ----------
    ids : sequence of str
        Paths with `/` between their parts.
    source : object
        Where they come from; the message begins with it.

    Raises
    ------
    InputError
        An absolute path, a part `.` or `..`, a control character, a name that is not UTF-8, a
        duplicate, or an empty sequence.
    """
    for image in ids:
        if NOT_A_PATH.search(image) or CONTROL.search(image):
            raise not_plain(image, source)
    _check_unique(ids, source)


def check_label_names(label_names: Sequence[str], source: object) -> None:
    """Refuse label names that are empty, come twice or hold control characters, or none at all.

    Parameters
    ----------
    label_names : sequence of str
        Names in the order of the columns.
    source : object
        Where they come from; the message begins with it.

    Raises
    ------
    InputError
        One of these rules is broken.
    """
    if not label_names:
        raise InputError(f"{source} names no labels; it must name one or more.")
    for position, name in enumerate(label_names, start=1):
        if not name.strip() or CONTROL.search(name):
            raise InputError(
                f"{source}: label {position} is called {name!r}. Give it a plain name."
            )
    if twice := _repeated(label_names):
        raise InputError(f"{source} has labels of one name: {some_of(twice)}. Rename them.")


def some_of(names: Sequence[str]) -> str:
    """Count `names` and quote the first three, for a message of one line.

    Examples
    --------
    >>> some_of(["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    "4 (first 'a.jpg', 'b.jpg', 'c.jpg')"
    """
    return f"{len(names)} (first {', '.join(map(repr, names[:3]))})"


def _check_unique(ids: Sequence[str], source: object) -> None:
    if not ids:
        raise InputError(f"{source} lists no images; it must list one or more.")
    if len(set(ids)) < len(ids):
        twice = _repeated(ids)
        raise InputError(f"{source} names images twice: {some_of(twice)}. Keep one of each.")


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
