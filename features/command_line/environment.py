"""What torchrun and job arrays tell a process by environment variables."""

from collections.abc import Mapping
from contextlib import suppress

from features.command_line.numbers import as_int
from features.errors import InputError, check_number

_REMEDY = "torchrun sets it; unset it for a process that runs alone."


def rank_and_world(environment: Mapping[str, str]) -> tuple[int, int]:
    """Read which process this is, of how many, from `RANK` and `WORLD_SIZE`.

    Parameters
    ----------
    environment : mapping of str to str

    Returns
    -------
    rank, world : int
        0 <= rank < world; (0, 1) where the variables are missing.

    Raises
    ------
    InputError
        One of them is no such number.

    Examples
    --------
    >>> rank_and_world({"RANK": "1", "WORLD_SIZE": "4"}), rank_and_world({})
    ((1, 4), (0, 1))
    """
    world = whole_number(environment, "WORLD_SIZE")
    return whole_number(environment, "RANK", default=0, low=0, high=world - 1), world


def local_rank(environment: Mapping[str, str]) -> int | None:
    """Read which process of its machine this is, from `LOCAL_RANK`; None if it is missing.

    Raises
    ------
    InputError
        It is no int of 0 or more.
    """
    if "LOCAL_RANK" not in environment:
        return None
    return whole_number(environment, "LOCAL_RANK", default=0, low=0)


def whole_number(
    environment: Mapping[str, str],
    name: str,
    *,
    default: int = 1,
    low: int = 1,
    high: int = 2**31 - 1,
    remedy: str = _REMEDY,
) -> int:
    """Read a whole number from an environment variable.

    Parameters
    ----------
    environment : mapping of str to str
    name : str
    default : int
        Where the variable is missing.
    low, high : int
        Bounds.
    remedy : str
        A sentence for the message.

    Raises
    ------
    InputError
        It is no whole number, or out of bounds.
    """
    text = environment.get(name, str(default))
    value: int | str = text
    with suppress(ValueError):
        value = as_int(text)
    try:
        check_number(name, value, whole=True, low=low, high=high, kind="environment variable")
    except InputError as error:
        raise InputError(f"{error} {remedy}") from error
    return int(value)
