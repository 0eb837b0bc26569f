"""A text file with the path of a picture in each line."""

import os
from collections.abc import Sequence
from pathlib import Path

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.known_files import not_plain
from features.inputs.name_forms import CONTROL
from features.inputs.text_lines import text_lines
from features.labels import some_of
from features.sources.labels_beside import labeled_beside
from features.sources.remote import load as remote
from features.sources.remote.address import Address


def load(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
    """Make a data set of the pictures that a text file lists, in its order.

    Parameters
    ----------
    paths : sequence of one Path
        A line's path starts from the file's folder, or is absolute, or all lines are addresses.
        Where all lie under a folder `images/`, their ids begin below it, as those of a folder with
        `images/`.
    strict_names : bool
        Refuse names that are not exactly their files'.

    Returns
    -------
    Dataset
        With labels where `labels.csv` stands beside the list, or in the folder that all pictures
        lie in; those of images that it lacks are unknown.

    Raises
    ------
    InputError
        Several lists, one that is no text, names nothing or an image twice, or images that do not
        exist.
    """
    if len(paths) > 1:
        raise InputError(f"{paths[0]} is one of {len(paths)} lists. Join them to one.")
    (path,) = paths
    lines = [line for line in text_lines(path) if line]
    if not lines:
        raise InputError(f"{path} lists no images; it must list one or more.")
    if isinstance(path, Address) or any(map(remote.is_listed, lines)):
        dataset = remote.load_list(path, lines, strict_names=strict_names)
        return labeled_beside(dataset, [path.parent, dataset.root])
    root, names = _placed(path, lines)
    images = root / "images"
    if all(name.startswith("images/") for name in names):
        names = [name.removeprefix("images/") for name in names]
    else:
        images = root
    dataset = index_images(images, names, source=path, root=root, strict_names=strict_names)
    return labeled_beside(dataset, [root])


def _placed(path: Path, lines: list[str]) -> tuple[Path, list[str]]:
    """Give the folder that all lie in, and their paths under it."""
    if not any(os.path.isabs(line) or ".." in line.split("/") for line in lines):
        return path.parent, lines
    whole = [os.path.normpath(path.parent.absolute() / line) for line in lines]
    # Nothing is looked for under other names here: the common folder may be the whole disk.
    if odd := [name for name in whole if CONTROL.search(name)]:
        raise not_plain(odd[0], path)
    if missing := [name for name in whole if not os.path.isfile(name)]:
        raise InputError(
            f"{path}: {some_of(missing)} of {len(whole)} images are no files that are there. "
            "Add these or take their lines out."
        )
    root = Path(os.path.commonpath([os.path.dirname(name) for name in whole]))
    if "images" in root.parts:
        root = Path(*root.parts[: len(root.parts) - root.parts[::-1].index("images") - 1])
    return root, [Path(name).relative_to(root).as_posix() for name in whole]
