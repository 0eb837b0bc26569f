"""NUS-WIDE's lists: one file names the images, and one file per concept has a 0 or 1 per image."""

from pathlib import Path

import numpy as np

from features.datasets import Dataset, index_images
from features.errors import InputError
from features.inputs.label_values import label_value
from features.inputs.listing import visible
from features.inputs.text_lines import text_lines
from features.labels import some_of

_PARTS = (("imagelist.txt", ""), ("trainimagelist.txt", "_Train"), ("testimagelist.txt", "_Test"))


def recognizes(source: Path) -> bool:
    """Tell whether a folder has a list of images and files of concepts."""
    return source.is_dir() and bool(_lists(source)) and bool(_concepts(source))


def read_nus_wide(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read NUS-WIDE as it was published.

    Parameters
    ----------
    source : Path
        The folder that holds `ImageList/Imagelist.txt` and `Groundtruth/AllLabels/Labels_*.txt` at
        any depth; or, without these, `TrainImagelist.txt`, `TestImagelist.txt` and
        `TrainTestLabels/Labels_*_Train.txt`, `Labels_*_Test.txt`, of which the first ones' images
        come first.
    images : Path
        The folder that the lists' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0 in the order of the concepts' names.

    Raises
    ------
    InputError
        A list or a concept's file is missing, has another number of lines than the images, or
        holds other values.
    """
    lists, concepts = _lists(source), _concepts(source)
    if not lists or not concepts:
        what = "Labels_*.txt" if lists else "Imagelist.txt"
        raise InputError(f"No {what} in {source}. Give NUS-WIDE's folder with both.")
    whole = "" in lists and any(part == "" for _, part in concepts)
    parts = [""] if whole else [part for part in ("_Train", "_Test") if part in lists]
    names = {part: [line for line in text_lines(lists[part]) if line] for part in parts}
    labels_of = sorted({name for name, part in concepts if part in parts})
    if missing := [
        f"Labels_{name}{part}.txt"
        for name in labels_of
        for part in parts
        if (name, part) not in concepts
    ]:
        raise InputError(f"{source}: {some_of(missing)} not found. Add them.")
    columns = [
        np.concatenate([_column(concepts[name, part], len(names[part])) for part in parts])
        for name in labels_of
    ]
    return index_images(
        images, [name for part in parts for name in names[part]],
        np.column_stack(columns) if columns else np.zeros((0, 0), np.int8), labels_of,
        source=source, strict_names=strict_names,
    )  # fmt: skip


def _lists(source: Path) -> dict[str, Path]:
    """Give the lists of images by their part: "", "_Train", "_Test"."""
    part_of = dict(_PARTS)
    found: dict[str, Path] = {}
    for path in visible(source.rglob("*.txt")):
        if (part := part_of.get(path.name.casefold())) is not None:
            _only(found.setdefault(part, path), path)
    return found


def _concepts(source: Path) -> dict[tuple[str, str], Path]:
    """Give the files of concepts by name and part."""
    found: dict[tuple[str, str], Path] = {}
    for path in visible(source.rglob("[Ll]abels_*.txt")):
        name = path.stem[len("Labels_") :]
        part = next((one for one in ("_Train", "_Test") if name.endswith(one)), "")
        _only(found.setdefault((name.removesuffix(part), part), path), path)
    return found


def _only(first: Path, path: Path) -> None:
    if path != first:
        raise InputError(f"{first} and {path} are both of one list. Move one of them away.")


def _column(path: Path, count: int) -> np.ndarray:
    lines = [line for line in text_lines(path) if line]
    if len(lines) != count:
        raise InputError(
            f"{path} has {len(lines)} lines; the list has {count} images. Unpack both again."
        )
    try:
        return np.array([label_value(line) for line in lines], dtype=np.int8)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
