"""Bags as MATLAB files hold them: the forms of MSRC v2's regions and of LAMDA's Scene and Reuters.

MSRC v2 (`MSRC_MIML.mat`): `data` (n, 1) of cells (d, size), `targets` (n, L), and the splits
`idx_train` and `idx_test`, a row per split, counted from 1. Scene (`miml-image-data.mat`): `bags`
(n, 1) of cells (size, d), `targets` (L, n) and `class_name`. Reuters (`miml-text-data.mat`): the
same without names, and the labels are called `target`.
"""

from pathlib import Path

import numpy as np

from features.annotations.matlab import read_mat
from features.annotations.msrc import COLORS
from features.bags.packed import Bags, BagSet
from features.errors import InputError
from features.splits import Split

_MSRC = ("data", "targets", "idx_train", "idx_test")
_SCENE = ("bags", "targets", "class_name")
_TEXT = ("bags", "target")


def read_mat_bags(path: Path) -> BagSet:
    """Read any of the three forms.

    Parameters
    ----------
    path : Path
        The `.mat` file.

    Returns
    -------
    BagSet
        Labels of MSRC v2 have its names, those of Reuters are called `label1` and so on.

    Raises
    ------
    InputError
        For a file that can't be read, of none of the forms, or whose arrays don't fit each other.
    """
    refusals = []
    for names, read in ((_MSRC, _msrc), (_SCENE, _scene), (_TEXT, _text)):
        try:
            arrays = read_mat(path, *names)
        except InputError as error:
            refusals.append(str(error))
            continue
        return read(path, *arrays)
    variables = "; ".join(", ".join(names) for names in (_MSRC, _SCENE, _TEXT))
    raise InputError(f"{refusals[0]} (bags are read from the variables {variables})")


def _msrc(path: Path, data, targets, idx_train, idx_test) -> BagSet:
    Y = _labels(path, targets)
    bags = _bags(path, [np.transpose(cell) for cell in data.ravel()], Y)
    names = _names(tuple(COLORS), Y)
    return BagSet(bags, Y, names, _splits(path, idx_train, idx_test, len(Y)))


def _scene(path: Path, bags, targets, class_name) -> BagSet:
    Y = _labels(path, targets.T)
    names = tuple("".join(cell.ravel()) for cell in class_name.ravel())
    return BagSet(_bags(path, bags.ravel(), Y), Y, _names(names, Y))


def _text(path: Path, bags, target) -> BagSet:
    Y = _labels(path, target.T)
    return BagSet(_bags(path, bags.ravel(), Y), Y, _names((), Y))


def _labels(path: Path, targets: np.ndarray) -> np.ndarray:
    if targets.ndim != 2 or targets.dtype.kind not in "iuf" or not np.isin(targets, (-1, 1)).all():
        raise InputError(f"{path}: the labels hold other values than 1 and -1; use it as published")
    return (targets == 1).astype(np.int8)


def _bags(path: Path, cells, Y: np.ndarray) -> Bags:
    if len(cells) != len(Y):
        raise InputError(
            f"{path} holds {len(cells)} bags and labels of {len(Y)}; use the file as published"
        )
    try:
        return Bags.from_list(cells)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _names(names: tuple[str, ...], Y: np.ndarray) -> tuple[str, ...]:
    if len(names) == Y.shape[1]:
        return names
    return tuple(f"label{number}" for number in range(1, Y.shape[1] + 1))


def _splits(path: Path, idx_train, idx_test, n: int) -> tuple[Split, ...]:
    splits = []
    for number, (train, test) in enumerate(zip(idx_train, idx_test, strict=True), start=1):
        rows = np.concatenate([train, test]).astype(np.int64) - 1
        if not np.array_equal(np.sort(rows), np.arange(n)):
            raise InputError(
                f"{path}: split {number} does not hold each of the {n} bags once; use it as "
                "published"
            )
        splits.append(Split(rows[: len(train)], rows[len(train) :]))
    return tuple(splits)
