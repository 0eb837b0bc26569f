"""Archives on servers: parts by range requests, ahead of what is asked for while it is listed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from features.errors import InputError
from features.sources.remote.address import Address
from features.sources.remote.client import Stat, read_range, stat
from features.sources.remote.errors import NetworkFault
from features.sources.stored import Reader, Stored, changed_error

LOOK_AGAIN = 60.0  # seconds after which the server is asked whether the file is the same
AHEAD = 4 << 20  # bytes that are read at once while members are listed


class OnServer(Stored):
    """A file on a server.

    Parameters
    ----------
    path : Address

    Raises
    ------
    InputError
        It is not there, or its size is not told.
    """

    def __init__(self, path: Address):
        self.path: Address = path
        self._stat = self._asked()
        self.size, self.changed, self.tag = self._stat
        if self.size < 0:
            raise InputError(
                f"{path}: the server does not tell its size, which is needed. Download it once "
                "and give the copy."
            )
        self._looked = time.monotonic()

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """See `Stored.opened`; the server is asked once a minute."""
        if time.monotonic() - self._looked > LOOK_AGAIN:
            if self._asked() != self._stat:
                raise changed_error(self.path)
            self._looked = time.monotonic()
        yield partial(_read, self.path, self.size)

    def _asked(self) -> Stat:
        try:
            return stat(self.path)
        except NetworkFault as fault:
            raise fault.as_error() from fault


def _read(path: Address, total: int, size: int, offset: int) -> bytes:
    return read_range(path, size, offset, total)


class Ahead:
    """A reader that asks for `AHEAD` bytes at once, and keeps those.

    Parameters
    ----------
    read : callable
        A `Reader`.
    """

    def __init__(self, read: Reader):
        self._read, self._start, self._held = read, 0, b""

    def __call__(self, size: int, offset: int) -> bytes:
        """See `Reader`."""
        begin = offset - self._start
        if begin < 0 or begin + size > len(self._held):
            self._start, begin = offset, 0
            self._held = self._read(max(size, AHEAD), offset)
        return self._held[begin : begin + size]
