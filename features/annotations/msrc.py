"""MSRC v2's two ground truths to labels: the original pictures and the cleaned segments.

A label is present if any pixel or segment has it. The authors of MSRC advise against using horse
and mountain, which have too few examples; they are kept here, since the multi-label papers report
all 23 labels. Void is not a label and is ignored.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from features.annotations.matlab import read_mat
from features.datasets import Dataset, index_images
from features.errors import InputError, plain_words
from features.inputs.listing import list_images, visible
from features.labels import some_of

# Colors as in the data set's own description; the order is that of the cleaned labels 1 to 23.
COLORS = {
    "building": (128, 0, 0),
    "grass": (0, 128, 0),
    "tree": (128, 128, 0),
    "cow": (0, 0, 128),
    "horse": (128, 0, 128),
    "sheep": (0, 128, 128),
    "sky": (128, 128, 128),
    "mountain": (64, 0, 0),
    "aeroplane": (192, 0, 0),
    "water": (64, 128, 0),
    "face": (192, 128, 0),
    "car": (64, 0, 128),
    "bicycle": (192, 0, 128),
    "flower": (64, 128, 128),
    "sign": (192, 128, 128),
    "bird": (0, 64, 0),
    "book": (128, 64, 0),
    "chair": (0, 192, 0),
    "road": (128, 64, 128),
    "cat": (0, 192, 128),
    "dog": (128, 192, 128),
    "body": (64, 64, 0),
    "boat": (192, 64, 0),
}
VOID = (0, 0, 0)

_NUMBER_OF = {color: number for number, color in enumerate((VOID, *COLORS.values()))}


def recognizes_original(source: Path) -> bool:
    """Tell whether a folder holds ground truth pictures."""
    return bool(visible(source.glob("*_GT.bmp")))


def recognizes_cleaned(source: Path) -> bool:
    """Tell whether a folder holds cleaned segmentations."""
    return bool(visible(source.glob("*_GT.mat")))


def read_msrc(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read MSRC v2 as Microsoft published it: color-coded ground truth pictures.

    Parameters
    ----------
    source : Path
        The folder `GroundTruth` with `1_1_s_GT.bmp` for the image `1_1_s.bmp`.
    images : Path
        The folder `Images`. Images may have been converted to other formats; ground truth has to
        keep its exact colors.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Every image, sorted by name; labels are 1 or 0 in the order of `COLORS`.

    Raises
    ------
    InputError
        For an image without ground truth or the reverse, a picture that can't be read, and a
        color that is not in the table.
    """
    return _read(source, images, "_GT.bmp", _numbers_in_picture, strict_names)


def read_msrc_cleaned(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read MSRC v2 with the cleaned segmentations of Malisiewicz and Efros (BMVC 2007).

    Parameters
    ----------
    source : Path
        The folder `newsegmentations_mats` with `1_1_s_GT.mat` for the image `1_1_s.bmp`. Its
        `newlabels` holds a number of 1 to 23 for each segment (0, if it occurs, is void); which
        pixels a segment has, `newseg`, is not used.
    images : Path
        The folder `Images`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Every image, sorted by name; labels are 1 or 0 in the order of `COLORS`.

    Raises
    ------
    InputError
        For an image without segmentation or the reverse, a file that can't be read or lacks
        `newlabels`, and a number out of range.
    """
    return _read(source, images, "_GT.mat", _numbers_of_segments, strict_names)


def _read(
    source: Path,
    images: Path,
    suffix: str,
    read: Callable[[Path], np.ndarray],
    strict_names: bool,
) -> Dataset:
    ids = list_images(images)
    stems = [PurePosixPath(image).stem for image in ids]
    known = {path.name.removesuffix(suffix) for path in visible(source.glob(f"*{suffix}"))}
    if missing := [f"{stem}{suffix}" for stem in stems if stem not in known]:
        raise InputError(f"{source}: no ground truth {some_of(missing)}. Add it, or remove images.")
    if surplus := sorted(known.difference(stems)):
        raise InputError(f"{images}: no image for ground truth {some_of(surplus)}. Add them.")
    labels = np.zeros((len(ids), 1 + len(COLORS)), dtype=np.int8)
    for row, stem in enumerate(tqdm(stems, desc="msrc", unit="file")):
        labels[row, read(source / f"{stem}{suffix}")] = 1
    return index_images(
        images, ids, labels[:, 1:], tuple(COLORS), source=source, strict_names=strict_names
    )


def _numbers_in_picture(path: Path) -> np.ndarray:
    try:
        # A closed list: some decoders start another program.
        with Image.open(path, formats=["BMP", "PNG"]) as picture:
            pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path} can't be read ({plain_words(error, known=path)}). Unpack it again."
        ) from None
    red, green, blue = pixels.astype(np.int32).T
    numbers = []
    for code in np.unique(red << 16 | green << 8 | blue).tolist():
        color = (code >> 16, code >> 8 & 255, code & 255)
        if color not in _NUMBER_OF:
            raise InputError(
                f"{path}: color {color} is not in MSRC's table. Use the ground truth as "
                "published, neither resized nor compressed."
            )
        numbers.append(_NUMBER_OF[color])
    return np.array(numbers)


def _numbers_of_segments(path: Path) -> np.ndarray:
    (labels,) = read_mat(path, "newlabels")
    if labels.dtype.kind not in "uif" or not np.isin(labels, range(1 + len(COLORS))).all():
        raise InputError(
            f"{path}: newlabels holds more than the numbers 1 to {len(COLORS)}, and 0 for void. "
            "Use the file as published."
        )
    return np.unique(labels).astype(np.intp)
