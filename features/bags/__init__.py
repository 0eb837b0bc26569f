"""Bags of instances for multi-instance learners, packed, and the files they are published in."""

from collections.abc import Callable
from pathlib import Path

from features.bags.arff import read_arff
from features.bags.matlab import read_mat_bags
from features.bags.packed import Bags, BagSet
from features.errors import InputError

__all__ = ["READERS", "BagSet", "Bags", "read_bags"]

#: Ending of a file to its reader.
READERS: dict[str, Callable[[Path], BagSet]] = {".arff": read_arff, ".mat": read_mat_bags}


def read_bags(path: Path) -> BagSet:
    """Read labeled bags from a file as published.

    Parameters
    ----------
    path : Path
        A `.mat` file (`features.bags.matlab`) or a relational `.arff` file (`features.bags.arff`).

    Returns
    -------
    BagSet

    Raises
    ------
    InputError
        For another ending, a missing file, and whatever the form's reader refuses.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise InputError(f"{path} must end in one of {', '.join(READERS)}; give a file of bags")
    if not path.is_file():
        raise InputError(f"{path} is no file; give a file of bags, {' or '.join(READERS)}")
    return READERS[path.suffix](path)
