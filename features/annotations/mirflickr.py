"""MIRFLICKR's lists: a text file per label with the images that have it, by number or by name."""

from pathlib import Path

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.file_names import match_listed
from features.inputs.listing import scan, visible
from features.inputs.text_lines import text_lines
from features.labels import some_of

_SEEN = 20  # files that must be of this form


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds text files with a whole number per line, not 0 and 1."""
    if not source.is_dir():
        return False
    lines = [line for path in _files(source)[:_SEEN] for line in filter(None, text_lines(path))]
    numbers = {line for line in lines if line.isascii() and line.isdigit()}
    return bool(numbers - {"0", "1"}) and len(numbers) == len(set(lines))


def read_mirflickr(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of lists, one per label.

    Parameters
    ----------
    source : Path
        Each `*.txt` in it that isn't hidden or a README is a label, called like the file; its lines
        are numbers of images, or their names.
    images : Path
        The folder of `im1.jpg`, `im2.jpg` and so on.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Every picture of the folder, sorted by name; labels are 1 or 0 in alphabetical order.

    Raises
    ------
    InputError
        There are no lists, or an image is missing.
    """
    files = _files(source)
    if not files:
        raise InputError(f"No *.txt in {source}. Give the folder of the labels' lists.")
    pictures = scan(images).pictures
    row_of = {picture: row for row, picture in enumerate(pictures)}
    labels = np.zeros((len(pictures), len(files)), dtype=np.int8)
    named = [
        (column, f"im{line}" if line.isdigit() else line)
        for column, path in enumerate(files)
        for line in filter(None, text_lines(path))
    ]
    found = match_listed(row_of, pictures, [name for _, name in named], source)
    if found.missing:
        raise InputError(
            f"{source}: {some_of(found.missing)} of {len(named)} images not found in {images}. Add "
            "them, or remove the lines."
        )
    for (column, _), file in zip(named, found.files, strict=True):
        labels[row_of[file], column] = 1
    names = [path.stem for path in files]
    return index_images(images, pictures, labels, names, source=source, strict_names=strict_names)


def _files(source: Path) -> list[Path]:
    return [
        path
        for path in visible(source.glob("*.[tT][xX][tT]"))
        if not path.name.casefold().startswith("readme")
    ]
