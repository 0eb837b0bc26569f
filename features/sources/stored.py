"""One file whose parts are read by offset, on a disk or a server, as it was when it was listed."""

import errno
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from features.errors import InputError
from features.sources.base import Fault

#: Gives so many bytes from an offset on; fewer only where the file ends, or the system stops.
Reader = Callable[[int, int], bytes]


class Stored(ABC):
    """A file.

    Attributes
    ----------
    path : Path
    size : int
        In bytes.
    changed : int
        When it last changed, in ns; 0 if that is unknown.
    tag : int
        Another for another state of the file; 0 if that can't be told.
    """

    path: Path
    size: int
    changed: int
    tag: int

    @abstractmethod
    def opened(self) -> AbstractContextManager[Reader]:
        """Give its reader, if the file is still the one that was listed.

        Raises
        ------
        InputError
            It is gone or has changed.
        """


class OnDisk(Stored):
    """A regular file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        It is no regular file, or can't be opened.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            found = os.stat(path)
        except OSError as error:
            raise InputError(f"{path} can't be read: {error.strerror}.") from error
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} is no regular file. Copy it to a disk first.")
        self.size, self.changed = found.st_size, found.st_mtime_ns
        self.tag = self.changed

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """See `Stored.opened`."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(
                f"{self.path} can't be read any more: {error.strerror}. What is finished is kept; "
                "put it back and run again."
            ) from error
        try:
            found = os.fstat(descriptor)
            if (found.st_size, found.st_mtime_ns) != (self.size, self.changed):
                raise changed_error(self.path)
            yield partial(os.pread, descriptor)
        finally:
            os.close(descriptor)


def stored(path: Path) -> Stored:
    """Find a file; see `OnDisk` and `features.sources.remote.on_server.OnServer`."""
    from features.sources.remote.address import Address

    if isinstance(path, Address):
        from features.sources.remote.on_server import OnServer

        return OnServer(path)
    return OnDisk(path)


def changed_error(path: Path) -> InputError:
    """Say that a file is no more what was listed."""
    return InputError(
        f"{path} has changed while it was read. What is finished is kept; run again when the "
        "archive is complete."
    )


def read_all(read: Reader, size: int, offset: int) -> bytes:
    """Read bytes at an offset.

    Raises
    ------
    Fault
        The file ends before.
    """
    raw = read(size, offset)
    while len(raw) < size:  # the system reads at most 2 GiB at once
        more = read(size - len(raw), offset + len(raw))
        if not more:
            raise Fault("ARCHIVE_ENDS")
        raw += more
    return raw


class AsFile(io.RawIOBase):
    """A reader as a file for libraries; it closes nothing.

    Parameters
    ----------
    read : callable
        A `Reader`.
    size : int
        Bytes of the file.
    """

    def __init__(self, read: Reader, size: int):
        super().__init__()
        self._read, self._size, self._at = read, size, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it has offsets."""
        return True

    def readinto(self, buffer) -> int:
        """Fill a buffer from where it stands."""
        raw = self._read(len(buffer), self._at)
        buffer[: len(raw)] = raw
        self._at += len(raw)
        return len(raw)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset from the start, from here or from the end."""
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            raise OSError(errno.EINVAL, "a negative offset")
        self._at = at
        return at

    def tell(self) -> int:
        """Give the offset."""
        return self._at
