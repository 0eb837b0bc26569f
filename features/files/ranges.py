"""Let several processes write the shards of one folder, each its own, and no two the same.

A shard is locked by a byte of the folder's manifest, which is there before any shard and is not
changed. The locks belong to an open file (Linux's `F_OFD_SETLK`) and end with the process.
"""

import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import InputError

_SET = getattr(fcntl, "F_OFD_SETLK", 37)  # 37 on every Linux; Python names it from 3.9 on
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)


@contextmanager
def locked_numbers(path: Path, numbers: Iterable[int] | None = None) -> Iterator[None]:
    """Lock some numbers of a file, or all of them, while the block runs.

    Parameters
    ----------
    path : Path
        The file, such as a manifest; it is not changed.
    numbers : iterable of int, optional
        By default all that there can be.

    Raises
    ------
    InputError
        Another run has locked one of them.
    OSError
        The file can't be opened to write.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        spans = [(0, 0)] if numbers is None else [(number, 1) for number in numbers]
        for start, length in spans:  # a length of 0 goes to the end of all files
            _lock(descriptor, start, length, path.parent)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, start: int, length: int, folder: Path) -> None:
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(descriptor, _SET, wanted)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise InputError(
                f"{folder} is being written by another run, which makes the same shards. Wait for "
                "it, give each run its own part (--shards I/N), or write elsewhere."
            ) from error
        if error.errno not in _NO_LOCKS:
            raise
        if start == 0:
            print(
                f"{folder}: this file system has no locks; see to it that no other command writes "
                "there",
                file=sys.stderr,
            )
