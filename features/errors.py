"""The exception for bad input, and checks whose messages name what is allowed and what came."""

import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any


class InputError(ValueError):
    """An input of the user can't be used.

    The message is one line that names what came, what is allowed and the remedy.
    """


def check_choice(name: str, value: Any, options: Iterable[Any], *, kind: str = "option") -> None:
    """Refuse a value that is not one of the options.

    Parameters
    ----------
    name : str
        Of the option, as the user types it.
    value : object
    options : iterable
    kind : str
        What `name` is: "option", "parameter", "column".

    Raises
    ------
    InputError
        With the options and what came.

    Examples
    --------
    >>> check_choice("scaling", "max01", ("none", "max01"))
    >>> check_choice("scaling", "unit", ("none", "max01"))
    Traceback (most recent call last):
    features.errors.InputError: The 'scaling' option must be one of none, max01. Got 'unit'.
    """
    allowed = tuple(options)
    if value not in allowed:
        listed = ", ".join(map(str, allowed))
        raise InputError(f"The {name!r} {kind} must be one of {listed}. Got {value!r}.")


def check_distinct(name: str, values: Iterable[Any], *, kind: str = "option") -> None:
    """Refuse a list that names something twice.

    Parameters
    ----------
    name, kind : str
        As for `check_choice`.
    values : iterable

    Raises
    ------
    InputError
        With the first value that comes again.

    Examples
    --------
    >>> check_distinct("layers", ["fc6", "fc7"])
    >>> check_distinct("layers", ["fc6", "fc6"])
    Traceback (most recent call last):
    features.errors.InputError: The 'layers' option names 'fc6' twice. Name each once.
    """
    seen = set()
    for value in values:
        if value in seen:
            raise InputError(f"The {name!r} {kind} names {value!r} twice. Name each once.")
        seen.add(value)


def check_number(
    name: str,
    value: Any,
    *,
    whole: bool = False,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    kind: str = "option",
) -> None:
    """Refuse a value that is not a finite number within bounds.

    Parameters
    ----------
    name : str
        Of the option, as the user types it.
    value : object
    whole : bool
        Allow integers only.
    low, high : float
        Both bounds are allowed values, except that `above` leaves `low` out.
    above : bool
    kind : str
        What `name` is: "option", "parameter", "column".

    Raises
    ------
    InputError
        With what is allowed and what came.

    Examples
    --------
    >>> check_number("splits", 0, whole=True, low=1)
    Traceback (most recent call last):
    features.errors.InputError: The 'splits' option must be an int in the range [1, inf). Got 0.
    """
    fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if fits and _is_finite(value) and low <= value <= high and not (above and value == low):
        return
    left = "(" if above or math.isinf(low) else "["
    right = ")" if math.isinf(high) else "]"
    noun = "an int" if whole else "a float"
    bounds = f"{left}{_shown(low)}, {_shown(high)}{right}"
    raise InputError(f"The {name!r} {kind} must be {noun} in the range {bounds}. Got {value!r}.")


@contextmanager
def needs_extra(extra: str, what: str, otherwise: str = "") -> Iterator[None]:
    """Let a failed import within a ``with`` statement be the line that says what to install.

    Parameters
    ----------
    extra : str
        Of this project, which installs the package.
    what : str
        What can't be done without it, as the subject of "needs".
    otherwise : str
        What else may be done, after "or".

    Raises
    ------
    InputError
        A package is missing, or can't be loaded.

    Examples
    --------
    >>> with needs_extra("timm", "A backbone of timm"):
    ...     import timm_that_is_not_there
    Traceback (most recent call last):
    features.errors.InputError: A backbone of timm needs the extra 'timm' (No module named \
'timm_that_is_not_there'). Run `pip install 'multilabel-from-cache[timm]'`.
    """
    if extra == "plots":
        import logging  # here: help texts wait for it

        # It tells where it can't keep its list of fonts, which no picture shows.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        yield
    except ImportError as error:
        remedy = f"`pip install 'multilabel-from-cache[{extra}]'`{otherwise and ', or '}{otherwise}"
        raise InputError(
            f"{what} needs the extra {extra!r} ({plain_words(error)}). Run {remedy}."
        ) from error


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float can hold
        return False


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


_SPOKEN_VOWEL = re.compile(r"[aeio]|ndarray|sgi\b|svg\b|html\b|hdf|xml\b|xmp\b", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\n\t -~]")  # and those letters that are printable
_FULL_STOP = re.compile(r"(?<!\.)\.\Z")  # and no dots that leave something out
_NUMBER = re.compile(r"\[Errno -?\d+\] ?")  # Python's, before the system's words


def plain_words(error: BaseException, *, known: object = None) -> str:
    """Say why something failed, as a part of a line: of the system's errors without their numbers.

    Parameters
    ----------
    error : BaseException
    known : object, optional
        A path that the message names anyway.

    Examples
    --------
    >>> error = FileNotFoundError(2, "No such file or directory", "a.csv")
    >>> plain_words(error), plain_words(error, known="a.csv")
    ('a.csv: No such file or directory', 'No such file or directory')
    >>> plain_words(ConnectionError("[Errno 111] Connection refused."))
    'Connection refused'
    >>> plain_words(KeyError("labels"))
    "it has no 'labels'"
    """
    cause = getattr(error, "reason", None)
    if isinstance(cause, BaseException):  # urllib's error, around the system's
        return plain_words(cause, known=known)
    if isinstance(error, KeyError) and " " not in str(error):  # a key, no sentence of a library
        return f"it has no {error}"
    if not isinstance(error, OSError) or error.errno is None or not error.strerror:
        words = _NUMBER.sub("", " ".join(str(error).split()))
        return _FULL_STOP.sub("", words) or type(error).__name__
    buried = "errno = " in error.strerror  # in HDF5's own words
    words = os.strerror(error.errno) if buried else " ".join(str(error.strerror).split())
    names = [
        os.fsdecode(name)
        for name in (error.filename, error.filename2)
        if name is not None and not isinstance(name, int) and str(name) != str(known)
    ]
    return ": ".join([" -> ".join(names), words] if names else [words])


def printable(text: str) -> str:
    r"""Escape what a terminal would obey or can't show; lines stay lines.

    Names of files and labels may hold such characters, and turn what stands behind them.

    Examples
    --------
    >>> print(printable("a\u202egpj.exe\nb\x9b2J"))
    a\u202egpj.exe
    b\x9b2J
    """
    return _UNPRINTABLE.sub(_escaped, text) if not text.isprintable() else text


def _escaped(found: re.Match[str]) -> str:
    one = found[0]
    return one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode()


def with_article(name: str) -> str:
    """Put "a" or "an" before the name of a format or a type.

    Examples
    --------
    >>> with_article("AVIF"), with_article("JPEG"), with_article("SGI"), with_article("uint8")
    ('an AVIF', 'a JPEG', 'an SGI', 'a uint8')
    """
    return f"{'an' if _SPOKEN_VOWEL.match(name) else 'a'} {name}"


def first_words(error: BaseException) -> str:
    r"""Give the first line of a library's message, which may have a traceback below it.

    Examples
    --------
    >>> first_words(RuntimeError("sizes differ:\n  at conv1"))
    'sizes differ:'
    """
    said = str(error).strip()
    return plain_words(Exception(said.splitlines()[0]) if said else error)
