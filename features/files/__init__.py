"""Write files that are either complete or absent: written aside, flushed, fsynced, renamed.

Until it has its name, a file stands beside it under a random one. That name is made exclusively, so
a link that someone planted there is never followed, and its writer holds an advisory lock on it for
as long as the writer lives: the lock, not a host name or a process id, tells whose temporary it is.
A symbolic link under the final name is replaced; the file that it points to is not changed.

On a file system without locks, a temporary counts as left behind when it is a day old.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import InputError

TEMPORARY = ".part"  # `NAME.RANDOM.part`: never read; the next process removes what is left behind
STALE_SECONDS = 24 * 3600  # where there are no locks, the writer is assumed dead by then
_TEMPORARY_NAME = re.compile(rf".+\.[0-9a-f]{{16}}{re.escape(TEMPORARY)}", re.DOTALL)
_NAME_BYTES = 200  # of the final name in a temporary one: a name may have 255 bytes
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: What a name may stand for that is no file.
NODES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


class Temporary:
    """A file beside `target` that only its maker writes to, until it gets that name.

    A library that writes to `path` may lock that file only where it shares the lock (HDF5 is told
    not to), and must not put another file in its place.

    Parameters
    ----------
    target : Path
        The final name. Its folder must exist.

    Attributes
    ----------
    path : Path
        The name to write to; an empty file that this process has locked.

    Raises
    ------
    InputError
        `target` is a folder, a device, a named pipe or a socket, or a link to one.
    OSError
        The file can't be made; it names `target`.
    """

    def __init__(self, target: Path):
        require_regular(target)
        self.target = target
        with _named(target):
            self.path, self._descriptor = _made(target)

    def publish(self) -> None:
        """Give the complete, closed file its final name, and wait until it is on disk."""
        with _named(self.target, self.path):
            publish(self.path, self.target)
        self._close()

    def discard(self) -> None:
        """Remove the file unless it was published."""
        if self._descriptor >= 0:
            with suppress(OSError):  # the next process removes it
                self.path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` if the block raises nothing.

    Parameters
    ----------
    path : Path
        The final name. Its folder must exist.

    Yields
    ------
    Path
        The name to write to. After an exception it is removed and `path` is as it was.

    Raises
    ------
    InputError, OSError
        As `Temporary`.
    """
    temporary = Temporary(path)
    try:
        with _named(path, temporary.path):
            yield temporary.path
        temporary.publish()
    finally:
        temporary.discard()


def publish(temporary: Path, path: Path) -> None:
    """Rename a complete, closed file, and wait until it is on disk under its new name."""
    _sync(temporary)
    os.replace(temporary, path)
    _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, all or nothing."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, all or nothing."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def create(path: Path, data: bytes) -> bool:
    """Write a file that does not exist yet, all or nothing; of several writers, one makes it.

    Parameters
    ----------
    path : Path
    data : bytes

    Returns
    -------
    bool
        Whether the file was made. If False, something has that name already and is as it was.
    """
    temporary = Temporary(path)
    try:
        with _named(path, temporary.path):
            temporary.path.write_bytes(data)
            _sync(temporary.path)
            _take_name(temporary.path, path, data)
            _sync(path.parent)
    except FileExistsError:
        return False
    finally:
        temporary.discard()
    return True


def link(source: Path, path: Path) -> bool:
    """Let `path` be a hard link to the file `source`, in place of what is there.

    Returns
    -------
    bool
        False where the file system, or its permissions, allow no link; then nothing has changed.
    """
    require_regular(path)
    while True:
        temporary = _random_name(path)
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            return False
        try:
            publish(temporary, path)
        except FileNotFoundError:
            continue  # an unlocked name: another process has just removed it as left behind
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return True


def remove_temporaries(folder: Path) -> int:
    """Delete what killed writers left in `folder`; return how many files that were.

    Kept are files whose writer lives, on whatever machine, those that this process has no
    permission to write, and those whose name is not of the form that `Temporary` gives.
    """
    return sum(_removed(path) for path in folder.glob(f"*{TEMPORARY}") if is_temporary(path.name))


def is_temporary(name: str) -> bool:
    """Tell whether a name is of the form that `Temporary` gives.

    Examples
    --------
    >>> is_temporary("a.csv.0123456789abcdef.part"), is_temporary("mine.part")
    (True, False)
    """
    return bool(_TEMPORARY_NAME.fullmatch(name))


def require_regular(path: Path) -> None:
    """Refuse a name that stands for something else than a file; it may be free.

    Raises
    ------
    InputError
        It is a folder, a device, a named pipe or a socket, or a link to one.
    """
    try:
        mode = stat.S_IFMT(os.stat(path).st_mode)
    except OSError:  # no such name yet, or making the file gives the reason
        return
    if mode != stat.S_IFREG:
        raise InputError(
            f"{path} is {NODES.get(mode, 'no file')}, and results are written to a file. "
            "Give another name."
        )


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file for as long as it is open, without waiting.

    Returns
    -------
    bool or None
        Whether this process has the lock now; None if the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def same_file(descriptor: int, path: Path) -> bool:
    """Tell whether an open file still has this name."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def sha256_of_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text`.

    Examples
    --------
    >>> sha256_of_text("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _random_name(path: Path) -> Path:
    stem = os.fsdecode(os.fsencode(path.name)[:_NAME_BYTES])
    return path.with_name(f"{stem}.{secrets.token_hex(8)}{TEMPORARY}")


def _made(path: Path) -> tuple[Path, int]:
    """Make a temporary exclusively and lock it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        temporary = _random_name(path)
        try:
            descriptor = os.open(temporary, flags, 0o666)
        except FileExistsError:
            continue
        # Shared: who removes what is left behind asks for the whole lock, and HDF5, which reads a
        # file as soon as it has its name, for a share.
        if try_lock(descriptor, shared=True) is not False and same_file(descriptor, temporary):
            _keep_mode(path, descriptor)
            return temporary, descriptor
        os.close(descriptor)  # another process took it, before it was locked, for left behind


def _keep_mode(path: Path, descriptor: int) -> None:
    """Give a temporary the permissions of the file that it replaces, which may be private."""
    with suppress(OSError):  # no such file yet, or a file system without permissions
        os.fchmod(descriptor, os.stat(path).st_mode & 0o777 | 0o600)


def _take_name(temporary: Path, path: Path, data: bytes) -> None:
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with open(path, "xb") as file:  # a kill in between leaves part of it
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _removed(path: Path) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # gone, or not ours to remove
        return False
    try:
        locked = try_lock(descriptor)
        if locked is None:
            locked = time.time() - os.fstat(descriptor).st_mtime > STALE_SECONDS
        if locked:
            path.unlink(missing_ok=True)
        return locked
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let an error name the file that the user knows, where it names a temporary or none."""
    try:
        yield
    except OSError as error:
        unnamed = error.filename is None and error.errno in _FULL
        if unnamed or temporary is None or str(error.filename) == str(temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # folders of some file systems
            raise
    finally:
        os.close(descriptor)
