"""Read, check and write the csv files beside the images: `labels.csv` and `split.csv`.

`features.datasets` checks whether the listed files exist.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from features.errors import InputError
from features.files import atomic_write

SPLIT_NAMES = ("train", "val", "test")

_VALUES = {"1": 1, "0": 0, "-1": 255, "": 255}  # as the byte of an int8; unknown is -1
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last: names that are not UTF-8
_NOT_A_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")  # a part that is empty, "." or ".."


def read_labels_csv(path: Path) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Read which image has which label.

    UTF-8 (with or without a byte order mark), comma-separated; the first column is `image`, then
    one column for each label: 1 present, 0 absent, -1 or empty unknown. Takes about 3 s and 150 MB
    for a million rows with 23 labels.

    Parameters
    ----------
    path : Path
        The csv file.

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
    rows = _rows(path)
    _, header = next(rows, (0, [""]))
    if header[0] != "image":
        raise InputError(
            f"{path}: the columns must be 'image', then one per label, separated by commas. The "
            f"first is {header[0]!r}."
        )
    label_names = tuple(header[1:])
    check_label_names(label_names, path)
    ids = []
    values = bytearray()
    for line, (image, *fields) in rows:
        ids.append(image)
        try:
            values.extend(map(_VALUES.__getitem__, fields))
        except KeyError:
            column = next(i for i, value in enumerate(fields) if value not in _VALUES)
            raise InputError(
                f"{path}, line {line}, column {label_names[column]!r}: a label must be 1, "
                f"0, -1 or empty (unknown). Got {fields[column]!r}."
            ) from None
    check_ids(ids, path)
    labels = np.frombuffer(values, dtype=np.int8).reshape(len(ids), len(label_names))
    return tuple(ids), labels, label_names


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
    rows = _rows(path)
    _, header = next(rows, (0, []))
    if header != ["image", "split"]:
        raise InputError(f"{path}: the columns must be image,split. Got {','.join(header)}.")
    split_of: dict[str, str] = {}
    for line, (image, split) in rows:
        if split not in SPLIT_NAMES:
            raise InputError(
                f"{path}, line {line}: the 'split' column must be one of {', '.join(SPLIT_NAMES)}. "
                f"Got {split!r}."
            )
        if image in split_of:
            raise InputError(f"{path}, line {line}: {image!r} is listed twice. Keep one line.")
        split_of[image] = split
    if unknown := sorted(split_of.keys() - set(ids)):
        raise InputError(f"{path}: {some_of(unknown)} not in the index. Remove these lines.")
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
    if not ids:
        raise InputError(f"{source} lists no images; it must list one or more.")
    for image in ids:
        if _NOT_A_PATH.search(image) or _CONTROL.search(image):
            raise InputError(
                f"{source}: {image!r} is not a plain path under images/. Name it like "
                "'cats/1.jpg', without '.', '..', a leading '/' or control characters, in UTF-8."
            )
    if twice := _repeated(ids):
        raise InputError(f"{source} names images twice: {some_of(twice)}. Keep one of each.")


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
        if not name or _CONTROL.search(name):
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


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of every line that is not blank, the header first."""
    width = 0
    line = 1
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for fields in reader:
                line = reader.line_num
                width = width or len(fields)
                if len(fields) not in (0, width):
                    raise InputError(
                        f"{path}, line {line}: {len(fields)} fields where the header has {width}. "
                        "Quote a name that holds a comma."
                    )
                if fields:
                    yield line, fields
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8. Save it again with that encoding.") from None
    except csv.Error as error:
        raise InputError(f"{path}, after line {line}: {error}. Repair the quotes.") from None


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
