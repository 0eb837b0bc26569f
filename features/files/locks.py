"""Let one process at a time write a file or a folder, and name the one that does.

Locks are advisory (`flock`) and end with the process, however it ends. Where a file system has
none, as some network file systems, one line on stderr says so and the work goes on: two commands
that write the same thing are then not noticed.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, NamedTuple

from features.errors import InputError
from features.files import require_regular, same_file, try_lock

LOCK = ".lock"  # in a folder that is being written


def open_locked(path: Path) -> BinaryIO:
    """Open a file that exists to read and write it, locked until it is closed.

    Parameters
    ----------
    path : Path
        Make it first by `features.files.create`.

    Returns
    -------
    file
        Binary, at its start.

    Raises
    ------
    InputError
        Another process has locked it, or it is no regular file.
    OSError
        It can't be opened.
    """
    require_regular(path)
    while True:
        file = open(path, "r+b")  # noqa: SIM115
        try:
            _lock(file.fileno(), path)
            if same_file(file.fileno(), path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # its last writer has put another file in its place


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder that exists, by a file `.lock` in it, while the block runs.

    Raises
    ------
    InputError
        Another process has locked it.
    OSError
        Nothing can be written there.
    """
    path = folder / LOCK
    descriptor = _locked(path, folder)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def locked_name(path: Path) -> Iterator[None]:
    """Lock the name of a file that is to be made, by a file `.NAME.lock` beside it.

    Raises
    ------
    InputError
        Another process has locked it.
    OSError
        Nothing can be written there.
    """
    stem = os.fsdecode(os.fsencode(path.name)[:200])
    lock = path.with_name(f".{stem}{LOCK}")
    descriptor = _locked(lock, path)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


class _Held(NamedTuple):
    """What ends with a command, and the names that are locked until then."""

    stack: ExitStack
    names: set[Path]


_held: ContextVar[_Held | None] = ContextVar("_held", default=None)


@contextmanager
def holding_names() -> Iterator[None]:
    """Let `hold_name` lock names until the block ends; a command line is such a block."""
    with ExitStack() as stack:
        token = _held.set(_Held(stack, set()))
        try:
            yield
        finally:
            _held.reset(token)


def hold_name(path: Path) -> None:
    """Lock the name of a file that the running command is to write, until the command ends.

    Outside of `holding_names`, as in a library's call, nothing is locked.

    Raises
    ------
    InputError, OSError
        As `locked_name`.
    """
    held = _held.get()
    key = path.absolute()
    if held is not None and key not in held.names:
        held.stack.enter_context(locked_name(path))
        held.names.add(key)


def _locked(path: Path, folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{path} is a symbolic link. Remove it.") from error
            require_regular(path)
            raise
        try:
            require_regular(path)
            _lock(descriptor, folder)
            if same_file(descriptor, path):
                if os.fstat(descriptor).st_size:
                    raise InputError(
                        f"{path} holds something, and locks of this program are empty, so it is "
                        "left as it is. Give another name, or move the file away."
                    )
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has just removed it


def _lock(descriptor: int, path: Path) -> None:
    locked = try_lock(descriptor)
    if locked is None:
        print(
            f"{path}: this file system has no locks; see to it that no other command writes there",
            file=sys.stderr,
        )
    elif not locked:
        raise InputError(
            f"{path} is being written by another run{_holder(descriptor)}. Wait for it, or write "
            "elsewhere."
        )


def _holder(descriptor: int) -> str:
    """Name the process that has locked a file, if it runs on this machine and can be seen."""
    status = os.fstat(descriptor)
    identity = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return ""
    for line in lines:
        match line.split():
            case [_, "FLOCK", "ADVISORY", _, pid, place, *_] if place == identity:
                return f" (process {pid} on this machine)"
    return ""
