"""Why a file can't be read: the system's reason with its remedy, apart from what the file holds."""

import errno
import os
from pathlib import Path

from features.errors import InputError

#: Error numbers to a remedy. None of them says anything about what the file holds.
_REMEDIES = {
    errno.ENOENT: "Run extract again, which makes it anew.",
    errno.EACCES: "Give this user permission to read it.",
    errno.EPERM: "Give this user permission to read it.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), or give fewer --jobs or --workers.",
    errno.ENFILE: "Close other programs, or raise the machine's limit of open files.",
    errno.ENOMEM: "Free memory, or give fewer --jobs, layers or rows.",
    errno.EAGAIN: "Another program has locked it: wait for that or end it.",
    errno.EDEADLK: "Another program has locked it: wait for that or end it.",
    errno.ENOLCK: "The file system has no locks: set HDF5_USE_FILE_LOCKING=FALSE.",
    errno.EIO: "Check the disk or the network.",
    errno.ESTALE: "Check the network file system, and mount it again.",
    errno.ETIMEDOUT: "Check the network.",
    errno.ENODEV: "Check that its disk is there.",
    errno.EISDIR: "Move the folder away.",
    errno.ELOOP: "Put the file itself there instead of links that point to each other.",
}


def unreadable(path: Path, error: OSError) -> InputError:
    """Turn an error of the system into one line with its cause and remedy.

    Parameters
    ----------
    path : Path
    error : OSError
        With an error number.

    Examples
    --------
    >>> print(unreadable(Path("a.h5"), PermissionError(errno.EACCES, "Permission denied")))
    a.h5 can't be read now (Permission denied). Give this user permission to read it.
    """
    if error.errno == errno.ENOENT:
        return InputError(f"{path} is missing. {_REMEDIES[errno.ENOENT]}")
    number = error.errno or 0
    remedy = _REMEDIES.get(number, "Mend that, then run the same command again.")
    reason = os_text(error)
    return InputError(f"{path} can't be read now ({reason}). {remedy}")


def os_text(error: OSError) -> str:
    """Give the system's words for an error, which HDF5 buries in its own."""
    return os.strerror(error.errno) if error.errno else " ".join(str(error).split())
