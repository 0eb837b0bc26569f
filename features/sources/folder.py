"""Pictures that are files under a folder."""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from features.sources.base import Fault, Opened, Source

_OPEN_ERRORS = {
    errno.ENOENT: "MISSING",
    errno.ENOTDIR: "MISSING",
    errno.ELOOP: "MISSING",
    errno.EISDIR: "FOLDER",
    errno.EACCES: "FORBIDDEN",
    errno.EPERM: "FORBIDDEN",
    errno.ENXIO: "SPECIAL",
}


@dataclass(frozen=True)
class Folder(Source):
    """Files under `root`."""

    root: Path

    def open(self, path: str) -> Opened:
        """Open a regular file, and nothing that could block or has no end."""
        try:
            # A FIFO without a writer would block otherwise.
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise read_fault(error) from error
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            return Opened(found.st_size, partial(_read, descriptor), partial(os.close, descriptor))
        os.close(descriptor)
        raise Fault("FOLDER" if stat.S_ISDIR(found.st_mode) else "SPECIAL")

    def __contains__(self, path: object) -> bool:
        """See `Source.__contains__`."""
        return (self.root / str(path)).is_file()

    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """See `Source.sizes`."""
        root = os.fspath(self.root)
        sizes = (os.stat(f"{root}/{path}").st_size for path in paths)
        return np.fromiter(sizes, dtype=np.int64, count=len(paths))

    def changed(self, path: str) -> int:
        """See `Source.changed`."""
        try:
            found = (self.root / path).stat()
        except OSError:
            return 0
        return max(found.st_mtime_ns, found.st_ctime_ns)


def read_fault(error: OSError) -> Fault:
    """Say why the system could not open or read a file."""
    reason = _OPEN_ERRORS.get(error.errno or 0, "IO_ERROR")
    return Fault(reason, code=errno.errorcode.get(error.errno or 0, "an unknown error"))


def _read(descriptor: int) -> bytes:
    try:
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError as error:
        raise read_fault(error) from error
