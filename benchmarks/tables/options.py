"""Checks of options that several tables take."""

from collections.abc import Iterable, Sequence
from typing import Any

from features.errors import InputError, check_choice, check_number


def check_values(
    name: str, values: Sequence[Any], options: Iterable[Any] | None = None, **bounds: Any
) -> None:
    """Refuse an empty list, and a value that is not one of the options or is out of bounds.

    Parameters
    ----------
    name : str
        Of the option, as the user types it.
    values : sequence
    options : iterable, optional
        By default the values are numbers within `bounds`, as for `features.errors.check_number`.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_values("noise", [0.1, 1.5], low=0, high=1)
    Traceback (most recent call last):
    features.errors.InputError: The 'noise' option must be a float in the range [0, 1]. Got 1.5.
    """
    if not values:
        raise InputError(f"The {name!r} option must have one value or more. Got none.")
    for value in values:
        if options is None:
            check_number(name, value, **bounds)
        else:
            check_choice(name, value, options)


def check_share(name: str, value: float) -> None:
    """Refuse a share of rows that is not above 0 and below 1.

    Raises
    ------
    InputError
    """
    check_number(name, value)
    if not 0 < value < 1:
        raise InputError(f"The {name!r} option must be a float in the range (0, 1). Got {value!r}.")


def check_jobs(jobs: int) -> None:
    """Refuse a number of processes that is neither -1 (one per core) nor 1 or more.

    Raises
    ------
    InputError
    """
    if jobs != -1 and jobs < 1:
        raise InputError(f"The 'jobs' option must be -1, or 1 or more. Got {jobs!r}.")
