"""Numbers on a command line: one set of bounds for the options of all commands.

A number is written with digits of ASCII and is finite. What a command allows beyond the bounds of
the option's name, its function checks.
"""

import argparse
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from features.errors import InputError, check_number

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(nan|inf|infinity|[0-9.]+(e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE)
LARGEST = 2**31 - 1  # of a count: more overflows somewhere in numpy or torch


class _Bounds(NamedTuple):
    """As for `check_number`."""

    low: float = 0
    high: float = math.inf
    above: bool = False


_COUNT = _Bounds(1, LARGEST)
_SHARE = _Bounds(0, 1)
#: Bounds of options with a name of their own; other ints are counts, other floats 0 or more.
_NAMED = {
    "seed": _Bounds(0, 2**32 - 1),  # what numpy, scikit-learn and torch all take
    **dict.fromkeys(("count", "long_run", "pictures", "row"), _Bounds(0, LARGEST)),
    "min_positives": _Bounds(0, LARGEST),
    "max_pixels": _Bounds(1, 2**63 - 1),
    "C": _Bounds(0, above=True),
    **dict.fromkeys(
        (
            "labeled",
            "max_failures",
            "missing",
            "momentum",
            "noise",
            "rare_weight",
            "unlabeled",
            "validation",
        ),
        _SHARE,
    ),
}


def number_type(name: str, kind: type) -> Callable[[str], float]:
    """Give the `type=` of an argument that is a number.

    Parameters
    ----------
    name : str
        The option's, with underscores.
    kind : type
        int or float.

    Returns
    -------
    callable
        Turns a text into a number within the bounds of the name, or raises an
        `argparse.ArgumentTypeError` that tells them.

    Examples
    --------
    >>> number_type("seed", int)("7"), number_type("jobs", int)("-1")
    (7, -1)
    """

    def read(text: str) -> float:
        try:
            return _checked(name, kind, text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def as_int(text: str) -> int:
    """Read an int of plain ASCII digits.

    Raises
    ------
    ValueError
        The text has another form: ``²``, ``1_0``, thousands of digits.
    """
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(text)
    return int(text)


def as_float(text: str) -> float:
    """Read a number of plain ASCII digits, or ``nan`` or ``inf``.

    Raises
    ------
    ValueError
        The text has another form.
    """
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text)


def _checked(name: str, kind: type, text: str) -> float:
    value: Any
    try:
        value = as_int(text) if kind is int else as_float(text)
    except ValueError:
        value = text  # for the message
    if name == "jobs":
        if value != -1:
            try:
                check_number(name, value, whole=True, low=1, high=LARGEST)
            except InputError as error:
                raise InputError(f"{error} Or give -1, for one per core.") from error
    else:
        bounds = _NAMED.get(name, _COUNT if kind is int else _Bounds())
        check_number(name, value, whole=kind is int, **bounds._asdict())
    return value
