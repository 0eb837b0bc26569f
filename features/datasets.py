"""Read a folder with images into one index: rows, ids, paths and, optionally, labels.

Only names and labels are read; extraction finds out whether a file decodes as an image.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.labels import check_ids, check_label_names, read_labels_csv, some_of

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in a fixed order, with their labels.

    Parameters
    ----------
    root : Path
        The folder that `paths` start from.
    ids : tuple of n str
        Each image's path under the folder of images.
    paths : tuple of n str
        Each image's path relative to `root`, with `/` between its parts.
    labels : ndarray of shape (n, L), int8, or None
        1 present, 0 absent, -1 unknown; None for images without labels.
    label_names : tuple of L str
        Empty for images without labels.
    """

    root: Path
    ids: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def load_dataset(folder: str | Path) -> Dataset:
    """Read a folder that holds `images/` and, optionally, `labels.csv`.

    With `labels.csv` the rows are its rows; see `features.labels.read_labels_csv` for its form.
    Without it they are the files `list_images` finds, and there are no labels. A million rows with
    23 labels take about 9 s on one core: 4 s for the csv and its checks, 5 s to look for each file.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    Dataset
        With `root` as given.

    Raises
    ------
    InputError
        The folder, its images or a listed file do not exist, or `labels.csv` is malformed.
    """
    root = Path(folder)
    images = root / "images"
    if not images.is_dir():
        what = (
            f"There is no folder images/ in {root}" if root.is_dir() else f"{root} is not a folder"
        )
        raise InputError(f"{what}. Give a folder with images/ and, optionally, labels.csv.")
    labels_csv = root / "labels.csv"
    if os.path.lexists(labels_csv):
        return index_images(images, *read_labels_csv(labels_csv), source=labels_csv)
    ids = list_images(images)
    if not ids:
        raise InputError(
            f"No images in {images}. Put some there ({' '.join(sorted(IMAGE_SUFFIXES))})."
        )
    return index_images(images, ids, source=images)


def index_images(
    images: Path,
    ids: Sequence[str],
    labels: np.ndarray | None = None,
    label_names: Sequence[str] = (),
    *,
    source: object,
) -> Dataset:
    """Make a `Dataset` of named files, all of which must exist.

    Parameters
    ----------
    images : Path
        The folder that `ids` start from; its parent becomes the data set's `root`.
    ids : sequence of n str
        Paths under `images`.
    labels : ndarray of shape (n, L), int8, or None
        1 present, 0 absent, -1 unknown.
    label_names : sequence of L str
        Names of the labels.
    source : object
        Where the names come from; messages begin with it.

    Returns
    -------
    Dataset
        In the order of `ids`.

    Raises
    ------
    InputError
        A file does not exist, or `features.labels` refuses an id or a label name.
    """
    check_ids(ids, source)
    if labels is not None:
        check_label_names(label_names, source)
    missing = [image for image in ids if not os.path.exists(f"{images}/{image}")]
    if missing:
        raise InputError(
            f"{source}: {some_of(missing)} of {len(ids)} images not found under {images}. "
            "Add these files or leave them out."
        )
    paths = tuple(f"{images.name}/{image}" for image in ids)
    return Dataset(images.parent, tuple(ids), paths, labels, tuple(label_names))


def list_images(images: Path) -> tuple[str, ...]:
    """List the files under a folder, at any depth, whose name ends like an image's.

    Hidden files and folders are left out, and links to folders are not followed.

    Parameters
    ----------
    images : Path
        The folder.

    Returns
    -------
    tuple of str
        Sorted paths relative to `images`, with `/` between their parts.
    """
    return tuple(sorted(_walk(images, "")))


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
    root = os.fspath(dataset.root)
    sizes = (os.stat(f"{root}/{path}").st_size for path in dataset.paths)
    return np.fromiter(sizes, dtype=np.int64, count=len(dataset))


def _walk(folder: str | Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES and entry.is_file():
                yield prefix + entry.name
