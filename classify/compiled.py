"""Loops that numba compiles on first use, and keeps compiled for the processes that come after."""

from collections.abc import Callable

from numba import njit


def compiled(**options) -> Callable[[Callable], Callable]:
    """Make a decorator that compiles a function without Python's lock.

    The machine code is kept where numba finds a place: beside the source file or in the user's
    cache folder. It is made anew when that file changes; a function of another file that it calls
    is not watched, so that compiled functions call only those of their own file.

    Parameters
    ----------
    **options
        Of `numba.njit`, e.g. ``fastmath``.

    Returns
    -------
    callable

    Examples
    --------
    >>> @compiled()
    ... def total(values):
    ...     result = 0.0
    ...     for value in values:
    ...         result += value
    ...     return result
    >>> import numpy as np
    >>> total(np.ones(3))
    3.0
    """

    def compile_it(function: Callable) -> Callable:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # there is no folder where compiled code could be kept
            return njit(nogil=True, **options)(function)

    return compile_it
