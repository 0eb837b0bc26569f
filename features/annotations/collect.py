"""What readers have in common: labels by name to a table, and pictures called like their files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.file_names import match_names
from features.labels import some_of


class Picture(NamedTuple):
    """What a file of annotations says about one picture.

    Attributes
    ----------
    name : str
    labels : mapping of str to {1, 0, -1}
    others : {0, -1}
        What all labels are that it doesn't name.
    """

    name: str
    labels: Mapping[str, int]
    others: int = 0


def having(name: str, labels: Iterable[str]) -> Picture:
    """Give a picture that has these labels and no others."""
    return Picture(name, dict.fromkeys((label.strip() for label in labels), 1))


def collect(
    images: Path,
    pictures: Sequence[Picture],
    *,
    source: Path,
    known: Iterable[str] = (),
    open_labels: Iterable[str] = (),
    strict_names: bool = False,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a data set of pictures; entries of one picture are united.

    Parameters
    ----------
    images : Path
        The folder that the names start from.
    pictures : sequence of Picture
    source : Path
    known : iterable of str
        Labels that come first and in this order; the others follow in alphabetical order.
    open_labels : iterable of str
        Labels that are unknown where a picture doesn't name them, whatever its `others` are.
    strict_names, notes
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        As for `features.datasets.index_images`.
    """
    first = list(dict.fromkeys(known))
    others = set(open_labels).union(*(picture.labels for picture in pictures)) - set(first)
    names = [*first, *sorted(others)]
    column_of = {name: column for column, name in enumerate(names)}
    labels = np.zeros((len(pictures), len(names)), dtype=np.int8)
    labels[:, [column_of[name] for name in open_labels]] = -1
    for row, picture in enumerate(pictures):
        if picture.others:
            labels[row] = picture.others
        for name, value in picture.labels.items():
            labels[row, column_of[name]] = value
    return index_images(
        images, [picture.name for picture in pictures], labels, names,
        source=source, unite=True, strict_names=strict_names, notes=notes,
    )  # fmt: skip


def unknown_pictures(pictures: Sequence[Picture], source: Path, reason: str) -> list[str]:
    """Count in a line the pictures of which nothing is said; nothing for none.

    Parameters
    ----------
    pictures : sequence of Picture
    source : Path
    reason : str
        What the line says of them, such as "have no labels".
    """
    unsaid = [one.name for one in pictures if one.others and not one.labels]
    return [f"{source}: {some_of(unsaid)} pictures {reason}: unknown"] if unsaid else []


def named_or_own(
    stated: Sequence[str],
    own: Sequence[str],
    files: Sequence[Path],
    source: Path,
    images: Path,
    *,
    strict_names: bool = False,
) -> tuple[list[str], list[str]]:
    """Give each file's image; one that states none, or none that is there, is called like it.

    Tools leave the old name in a file when its image and itself are renamed.

    Parameters
    ----------
    stated : sequence of n str
        The names of images in the files; perhaps empty.
    own : sequence of n str
        Names that are taken then.
    files : sequence of n Path
    source, images : Path
    strict_names : bool
        Refuse that.

    Returns
    -------
    names : list of n str
    notes : list of str
        A line that counts the files whose own names are taken.

    Raises
    ------
    InputError
        Two files may be meant by a name, or with `strict_names`.
    """
    missing = set(match_names(images, [name for name in stated if name], source).missing)
    wrong = [at for at, name in enumerate(stated) if not name or name in missing]
    if not wrong or match_names(images, [own[at] for at in wrong], source).missing:
        return [name or other for name, other in zip(stated, own, strict=True)], []
    names = list(stated)
    for at in wrong:
        names[at] = own[at]
    note = (
        f"{source}: {some_of([files[at].name for at in wrong])} state no image that is there; "
        "their images are those of their own names"
    )
    if strict_names:
        raise InputError(f"{note}. Write the files' names, or allow it.")
    return names, [note]
