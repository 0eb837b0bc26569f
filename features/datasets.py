"""Read a folder with images, or another source, into one index: rows, ids, paths, labels.

Only names and labels are read; extraction finds out whether a file decodes as an image.
"""

import os
import re
import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.errors import InputError
from features.inputs.beside import unlisted, unread_labels
from features.inputs.file_names import Matches, check_distinct, match_listed, match_names
from features.inputs.image_kinds import image_suffixes
from features.inputs.known_files import hint
from features.inputs.listing import Listing, list_images, scan, visible
from features.labels import (
    check_ids,
    check_label_names,
    plain_names,
    read_given_labels,
    some_of,
)
from features.sources.base import Source
from features.sources.folder import Folder
from features.sources.remote.address import Address, located

#: Files beside the pictures that mean something else.
BESIDE = ("labels.csv", "split.csv")
_WILD = re.compile(r"[{*?\[]")  # of several files


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in a fixed order, with their labels.

    Parameters
    ----------
    root : Path
        The folder that `paths` start from, or the archive that they lie in.
    ids : tuple of n str
        Each image's path under the folder of images.
    paths : tuple of n str
        Each image's path relative to `root`, with `/` between its parts.
    labels : ndarray of shape (n, L), int8, or None
        1 present, 0 absent, -1 unknown; None for images without labels.
    label_names : tuple of L str
        Empty for images without labels.
    notes : tuple of str
        What was taken otherwise than it is written, and what was left out: a line each, for the
        user.
    archive : Source, optional
        Where the bytes are, if they are not files under `root`.
    """

    root: Path
    ids: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    archive: Source | None = None

    @property
    def source(self) -> Source:
        """What gives the bytes of `paths`."""
        return Folder(self.root) if self.archive is None else self.archive

    def __len__(self) -> int:
        return len(self.ids)

    def tell(self) -> None:
        """Print the notes on stderr."""
        for note in self.notes:
            print(note, file=sys.stderr)


class Members(NamedTuple):
    """Pictures that are no files of their own.

    Attributes
    ----------
    archive : Source
    front : str
        What stands before every picture's name in its path: `images/` or nothing.
    pictures : list of str
        Sorted names.
    """

    archive: Source
    front: str
    pictures: list[str]


class _Ids(Container[str]):
    """The names whose paths an archive has."""

    def __init__(self, members: Members):
        self._members = members

    def __contains__(self, name: object) -> bool:
        return f"{self._members.front}{name}" in self._members.archive


def load_dataset(data: str | Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of pictures, or one that holds `images/`, and `labels.csv` if there is one.

    With `labels.csv` the rows are its rows; see `features.labels.read_labels_csv` for its form.
    Without it they are the files that `features.inputs.listing.scan` finds, and there are no
    labels. A million rows with 23 labels take about 11 s on one core: 4 s for the csv and its
    checks, 7 s to look for each file and for others.

    Parameters
    ----------
    data : str or Path
        The folder, or a source of `features.sources.catalog`; or the address of one of these.
    strict_names : bool
        Refuse names in `labels.csv` that are not exactly their files'.

    Returns
    -------
    Dataset
        With `root` as given.

    Raises
    ------
    InputError
        The folder, its images or a listed file do not exist, or `labels.csv` is malformed.
    """
    root = located(data)
    if isinstance(root, Address) and not _WILD.search(str(root)) and root.is_dir():
        from features.sources.remote.load import load_folder

        return load_folder(root, strict_names=strict_names)
    if isinstance(root, Address) or not _is_folder(root):
        from features.sources import catalog

        return catalog.load(root, strict_names=strict_names)
    images = root / "images"
    if images.is_symlink() and not images.exists():
        raise InputError(
            f"{images} is a link to nothing: {os.readlink(images)} is not there. Restore it, or "
            "make the link anew."
        )
    images = images if images.is_dir() else root
    labels_csv = root / "labels.csv"
    tables = visible([*root.glob("*.parquet"), *root.glob("data/*.parquet")])
    if tables and images == root and not scan(images).pictures:
        from features.sources import parquet_files

        return parquet_files.load(tables, strict_names=strict_names)
    if os.path.lexists(labels_csv):
        ids, labels, names = read_given_labels(labels_csv, images)
        found = index_images(
            images, ids, labels, names, source=labels_csv, root=root, strict_names=strict_names
        )
        more = unlisted(images, found.ids, labels_csv)
        return replace(found, notes=(*found.notes, *more)) if more else found
    listing = scan(images)
    if not listing.pictures:
        raise _no_pictures(root, images, listing)
    notes = (*listing.left_out(beside=BESIDE), *unread_labels(root, images, listing))
    return index_images(images, listing.pictures, source=images, root=root, notes=notes)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name that no file system takes
        raise InputError(f"{path} can't be read: {error.strerror}. Give another path.") from None


def _no_pictures(root: Path, images: Path, found: Listing) -> InputError:
    archives = [name for name in found.others if name.endswith((".tar", ".zip"))]
    hint = f" Or give an archive itself: --data {images / archives[0]}" if archives else ""
    if images == root:
        lines = "; ".join(
            [f"There is no folder images/ in {root}, and no image", *found.left_out()]
        )
        return InputError(
            f"{lines}. Give a folder of images, or one with images/ and, optionally, "
            f"labels.csv.{hint}"
        )
    lines = "; ".join([f"No images in {images}", *found.left_out()])
    endings = " ".join(sorted(image_suffixes()))
    return InputError(f"{lines}. Put some there ({endings}).{hint}")


def index_images(
    images: Path,
    ids: Sequence[str],
    labels: np.ndarray | None = None,
    label_names: Sequence[str] = (),
    *,
    source: object,
    root: Path | None = None,
    unite: bool = False,
    strict_names: bool = False,
    notes: Sequence[str] = (),
    members: Members | None = None,
) -> Dataset:
    """Make a `Dataset` of named files, all of which must exist.

    Parameters
    ----------
    images : Path
        The folder that `ids` start from.
    ids : sequence of n str
        Names of files under `images`; `features.inputs.file_names` finds the file of each.
    labels : ndarray of shape (n, L), int8, or None
        1 present, 0 absent, -1 unknown.
    label_names : sequence of L str
        Names of the labels; blanks around them are taken away.
    source : object
        Where the names come from; messages begin with it.
    root : Path, optional
        The data set's `root`: `images` or, by default, its parent.
    unite : bool
        Rows of one file become one: a label is present if any row has it, or else unknown if any
        row says so. By default two rows of one file are refused.
    strict_names : bool
        Refuse names that are not exactly their files'.
    notes : sequence of str
        Lines that the data set's notes begin with.
    members : Members, optional
        Where the pictures are, if they are no files; `images` and `root` are then for messages.

    Returns
    -------
    Dataset
        In the order of `ids`, which are the files' own names.

    Raises
    ------
    InputError
        A file does not exist, two files may be meant by one name, or `features.labels` refuses an
        id or a label name.
    """
    if labels is not None:
        label_names = plain_names(label_names)
        check_label_names(label_names, source)
    if members is None:
        matches = match_names(images, ids, source)
    else:
        matches = match_listed(_Ids(members), members.pictures, ids, source)
    if matches.missing:
        there = list_images(images) if members is None else members.pictures
        raise _not_found(matches, len(ids), there, images, source)
    told = [*notes]
    if inexact := matches.inexact():
        if strict_names:
            raise InputError(f"{source}: {inexact}. Write the files' names, or allow it.")
        told.append(f"{source}: {inexact}")
    files = matches.files
    if unite and labels is not None:
        files, labels, lines = unite_rows(files, labels, source)
        told.extend(lines)
    else:
        check_distinct(matches, ids, source)
    check_ids(files, source)
    front = "" if root == images else f"{images.name}/"
    paths = tuple(f"{front}{file}" for file in files)
    return Dataset(
        root or images.parent, tuple(files), paths, labels, tuple(label_names), tuple(told),
        members and members.archive,
    )  # fmt: skip


def unite_rows(
    files: Sequence[str], labels: np.ndarray, source: object
) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """Make one row of all rows of one file.

    Parameters
    ----------
    files : sequence of n str
    labels : ndarray of shape (n, L), int8
    source : object
        What the line begins with.

    Returns
    -------
    files : list of m str
        Each file once, in the order of its first row.
    labels : ndarray of shape (m, L), int8
        1 if any row has 1, or else -1 if any row has -1.
    lines : tuple of str
        One line that counts the files, if there are any.
    """
    row_of: dict[str, int] = {}
    rows = np.array([row_of.setdefault(file, len(row_of)) for file in files], dtype=np.intp)
    if len(row_of) == len(files):
        return list(files), labels, ()
    united = np.zeros((len(row_of), labels.shape[1]), dtype=np.int8)
    for value in (-1, 1):
        at, column = np.nonzero(labels == value)
        united[rows[at], column] = value
    counts = np.bincount(rows)
    twice = [file for file, row in row_of.items() if counts[row] > 1]
    return (
        list(row_of),
        united,
        (f"{source}: {some_of(twice)} files come more than once; their labels are united",),
    )


def _not_found(
    matches: Matches, total: int, there: Sequence[str], images: Path, source: object
) -> InputError:
    remedy = hint(matches.missing[0], there) or "Add these files or leave them out."
    seen = f"which has {some_of(there)} images" if there else "which has no images"
    return InputError(
        f"{source}: {some_of(matches.missing)} of {total} images not found under {images}, {seen}. "
        f"{remedy}"
    )


def file_sizes(dataset: Dataset) -> np.ndarray:
    """Look up how many bytes each image file has.

    Parameters
    ----------
    dataset : Dataset
        n images.

    Returns
    -------
    ndarray of shape (n,), int64
        Sizes in bytes.

    Raises
    ------
    OSError
        A file has been deleted since the data set was read.
    """
    return dataset.source.sizes(dataset.paths)
