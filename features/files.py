"""Write files that are either complete or absent: written aside, flushed, fsynced, renamed."""

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".part"  # `NAME.HOST-PID.part`: never read; the next process removes it
STALE_SECONDS = 24 * 3600  # after a day, the writer on another host is assumed dead


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
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish(temporary: Path, path: Path) -> None:
    """Give a complete, closed temporary file its final name, and wait until it is on disk."""
    _sync(temporary)
    os.replace(temporary, path)
    _sync(path.parent)


def temporary_name(path: Path) -> Path:
    """Name beside `path` that only this process writes to."""
    return path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}{TEMPORARY}")


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, all or nothing."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, all or nothing."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def remove_temporaries(folder: Path) -> int:
    """Delete what killed writers left in `folder`; return how many files that were.

    Three kinds of files are kept: those whose writer still runs on this machine, those of another
    machine until they are a day old, and those whose name does not have the form of
    `temporary_name`.
    """
    removed = 0
    for path in folder.glob(f"*{TEMPORARY}"):
        if not _writer_may_live(path):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def sha256_of_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text`.

    Examples
    --------
    >>> sha256_of_text("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _writer_may_live(path: Path) -> bool:
    writer = path.name.removesuffix(TEMPORARY)
    head, _, pid = writer.rpartition("-")
    if "." not in head or not pid.isdigit():
        return True  # another program's file, such as a browser's download
    if not head.endswith(f".{socket.gethostname()}"):
        return time.time() - path.stat().st_mtime < STALE_SECONDS
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
