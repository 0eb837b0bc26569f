"""The exception for bad input, and checks whose messages name what is allowed and what came."""

import math
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
    try:
        yield
    except ImportError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        remedy = f"`pip install 'multilabel-from-cache[{extra}]'`{otherwise and ', or '}{otherwise}"
        raise InputError(f"{what} needs the extra {extra!r} ({reason}). Run {remedy}.") from error


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float can hold
        return False


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
