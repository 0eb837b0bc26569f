"""What every source of pictures gives: sizes, bytes and times of change, by path."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Fault(Exception):
    """A picture whose bytes can't be had.

    Parameters
    ----------
    reason : str
        The name of one of `extract.decoding.reasons.Reason`.
    **facts
        What its text has places for.
    """

    def __init__(self, reason: str, **facts: object):
        super().__init__(reason)
        self.reason = reason
        self.facts = facts


class Opened(NamedTuple):
    """A picture that is ready to be read, or to be closed without that.

    Attributes
    ----------
    size : int
        Bytes that `read` gives.
    read : callable
        Gives all bytes and closes; raises `Fault`.
    close : callable
    """

    size: int
    read: Callable[[], bytes]
    close: Callable[[], None] = lambda: None


class Source(ABC):
    """Pictures by path: relative, with `/` between the parts. Threads may share a source."""

    @abstractmethod
    def open(self, path: str) -> Opened:
        """Find a picture.

        Raises
        ------
        Fault
            It is not there or can't be opened.
        InputError
            The source has changed since it was listed.
        """

    @abstractmethod
    def __contains__(self, path: object) -> bool:
        """Tell whether there is a file of that path."""

    @abstractmethod
    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """Look up how many bytes each picture has, int64, without reading it.

        Raises
        ------
        OSError
            A file has been deleted since it was listed.
        """

    @abstractmethod
    def changed(self, path: str) -> int:
        """Give when a picture last changed, in ns; 0 if it can't be seen."""
