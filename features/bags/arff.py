r"""Bags as relational ARFF: the form of the toolboxes MIML (kdis-lab) and mimllearning.

The first attribute is the bag's id, the second is relational and declares the columns of an
instance, all others are labels of 0 and 1. A line of data is the id, the instances in quotes with
``\n`` between them (the two characters), and the labels.
"""

import csv
from pathlib import Path

import numpy as np

from features.bags.packed import Bags, BagSet
from features.errors import InputError, plain_words


def read_arff(path: Path) -> BagSet:
    """Read a relational ARFF file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    BagSet

    Raises
    ------
    InputError
        For a file that can't be read, a header of another form, and a line that doesn't fit it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} can't be read ({plain_words(error, known=path)}). Give ARFF in UTF-8."
        ) from None
    content = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    content = [(number, line) for number, line in content if line and not line.startswith("%")]
    header = [line for _, line in content if line.startswith("@")]
    if not header or header[-1].lower() != "@data":
        raise InputError(f"{path} has no line @data after its attributes; give a relational ARFF")
    width, label_names = _attributes(path, header)
    rows = [
        _row(path, number, line, width, len(label_names))
        for number, line in content
        if not line.startswith("@")
    ]
    if not rows:
        raise InputError(f"{path} has no bag after @data")
    bags = Bags.from_list([instances for instances, _ in rows])
    return BagSet(bags, np.array([labels for _, labels in rows], dtype=np.int8), label_names)


def _attributes(path: Path, header: list[str]) -> tuple[int, tuple[str, ...]]:
    """Count the columns of an instance and list the labels."""
    width, names, inside = 0, [], False
    for line in header:
        words = line.split()
        kind = words[0].lower()
        if kind == "@end":
            inside = False
        elif kind == "@attribute" and words[-1].lower() == "relational":
            inside = True
        elif kind == "@attribute" and inside:
            width += 1
        elif kind == "@attribute":
            names.append(words[1].strip("'\""))
    if not width or len(names) < 2:
        raise InputError(
            f"{path} must declare an id, a relational attribute and labels; it has {width} columns "
            f"of instances and {max(0, len(names) - 1)} labels"
        )
    return width, tuple(names[1:])


def _row(path: Path, number: int, line: str, width: int, labels: int):
    quote = "'" if "'" in line and '"' not in line else '"'
    (cells,) = csv.reader([line], quotechar=quote, skipinitialspace=True)
    try:
        _, relation, *given = cells
        instances = [[float(word) for word in one.split(",")] for one in relation.split("\\n")]
        truth = [int(cell) for cell in given]
        if len(truth) != labels or any(len(one) != width for one in instances):
            raise ValueError(f"it must have {width} columns per instance and {labels} labels")
        if not set(truth) <= {0, 1}:
            raise ValueError("labels must be 0 or 1")
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {error}") from None
    return instances, truth
