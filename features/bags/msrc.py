"""Which image of MSRC v2 each bag of `MSRC_MIML.mat` belongs to.

The file has no names. Sorted as below, 513 of its 591 rows of labels equal those of the cleaned
annotation; 83 of 13,593 cells differ, all in building, grass, tree, sky, mountain, water, car,
sign, chair, road and body. The set's two duplicated photographs (1_26_s and 9_10_s, 1_27_s and
9_15_s) are then the two closest pairs of bags.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from features.errors import InputError


def msrc_rows(ids: Sequence[str]) -> np.ndarray:
    """Give the image of every bag.

    Parameters
    ----------
    ids : sequence of n str
        The images `GROUP_NUMBER_s` with any ending, in any order.

    Returns
    -------
    ndarray of int64, shape (n,)
        Position in `ids` of each bag's image, so that ``features[msrc_rows(ids)]`` is in the order
        of the bags. Groups are sorted as text with their underscore, and inside a group
        the underscore comes before digits.

    Raises
    ------
    InputError
        For an id of another form.

    Examples
    --------
    >>> msrc_rows(["1_1_s.jpg", "10_2_s.jpg", "10_10_s.jpg", "10_1_s.jpg"])
    array([3, 2, 1, 0])
    """
    return np.array(sorted(range(len(ids)), key=lambda row: _key(ids[row])), dtype=np.int64)


def _key(image: str) -> tuple[str, str]:
    group, underscore, rest = PurePosixPath(image).stem.partition("_")
    if not (group.isdigit() and underscore and rest):
        raise InputError(f"image {image!r} is not of MSRC v2; its images are named as in 1_1_s.jpg")
    return group + "_", rest.replace("_", " ")
