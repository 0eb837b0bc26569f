"""Labels that can teach nothing: what is odd about a table of labels, in one line each."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from features.inputs.name_forms import UNSEEN
from features.labels import some_of


def label_warnings(labels: np.ndarray, label_names: Sequence[str]) -> tuple[str, ...]:
    """Describe the labels that a learner can learn nothing from.

    Parameters
    ----------
    labels : ndarray of shape (n, L), int8
        1 present, 0 absent, -1 unknown: of the rows that are learned from.
    label_names : sequence of L str
        Names of the columns.

    Returns
    -------
    tuple of str
        One line for each of these that occurs: labels that no image has, labels that no image
        lacks (because -1 stands where 0 was meant, or because all have them), and names that
        differ only by blanks, underscores, case, Unicode form or what can't be seen. Empty for a
        sound table.

    Examples
    --------
    >>> label_warnings(np.array([[1, 0], [0, 0]], dtype=np.int8), ("cat", "dog"))
    ("no image has 1 (first 'dog') of 2 labels: nothing can be learned about them",)
    """
    names = np.array(label_names, dtype=object)
    count = f"of {len(names)} labels"
    has, lacks, unknown = ((labels == value).any(axis=0) for value in (1, 0, -1))
    lines = []
    if (never := ~has).any():
        lines.append(
            f"no image has {some_of(names[never].tolist())} {count}: nothing can be learned about "
            "them"
        )
    if (hidden := has & ~lacks & unknown).any():
        lines.append(
            f"no image is known to lack {some_of(names[hidden].tolist())} {count}: they have 1 and "
            "-1, which is unknown. Write 0 if -1 was meant as absent, or make labels.csv of a csv "
            "file by `python -m features index --negative absent`"
        )
    if (always := has & ~lacks & ~unknown).any():
        lines.append(
            f"every image has {some_of(names[always].tolist())} {count}: nothing can be learned "
            "about them"
        )
    if alike := _alike(label_names):
        groups = "; ".join(" and ".join(map(repr, group)) for group in alike[:3])
        lines.append(
            f"label names that differ only by blanks, underscores, case, Unicode form or what "
            f"can't be seen: {groups}. Give one label one name"
        )
    return tuple(lines)


def _alike(label_names: Sequence[str]) -> list[list[str]]:
    groups = defaultdict(list)
    for name in label_names:
        seen = "".join(UNSEEN.sub("", name.replace("_", " ")).split())
        groups[unicodedata.normalize("NFC", seen).casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]
