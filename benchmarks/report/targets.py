"""Targets of a measurement beside what was measured."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.report.markdown import table


class Target(NamedTuple):
    """One thing asked for.

    Attributes
    ----------
    what : str
    asked : str
    measured : str
    met : bool or None
        None where it could not be measured.
    """

    what: str
    asked: str
    measured: str
    met: bool | None


def at_least(what: str, factor: float, slow: float | None, fast: float | None) -> Target:
    """How many times faster, and is it enough; None for a time that there is none of.

    Examples
    --------
    >>> at_least("a fit", 10, 3.0, 0.25)
    Target(what='a fit', asked='at least 10 x', measured='12.0 x', met=True)
    """
    asked = f"at least {factor:g} x"
    if slow is None or fast is None:
        return Target(what, asked, "no such point", None)
    return Target(what, asked, f"{slow / fast:.1f} x", slow >= factor * fast)


def at_most(what: str, factor: float, value: float) -> Target:
    """Whether a number is small enough.

    Examples
    --------
    >>> at_most("a path", 2.5, 3.0)
    Target(what='a path', asked='at most 2.5', measured='3.00', met=False)
    """
    return Target(what, f"at most {factor:g}", f"{value:.2f}", value <= factor)


def targets_table(targets: Iterable[Target]) -> str:
    """Lay targets out, each with its verdict."""
    words = {True: HOLDS, False: FAILS, None: NOT_SHOWN}
    rows = [[t.what, t.asked, t.measured, words[t.met]] for t in targets]
    return table(["target", "asked", "measured", "verdict"], rows)


def named(prefix: str, targets: Iterable[Target]) -> list[Target]:
    """Say of targets what they were measured on."""
    return [target._replace(what=prefix + target.what) for target in targets]


def count_of(count: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> count_of(1, "thread"), count_of(2, "thread")
    ('1 thread', '2 threads')
    """
    return f"{count} {noun}" + "s" * (count != 1)
