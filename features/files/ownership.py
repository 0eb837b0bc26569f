"""Files that this program made, told by what is in them: no others are replaced."""

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO

from features.errors import InputError
from features.files import Temporary, create, is_temporary, require_regular

LONGEST_LINE = 1 << 24  # bytes; a first line of ours is shorter


def require_ours(path: Path, is_ours: Callable[[BinaryIO], bool], *, what: str) -> None:
    """Refuse to replace a file that this program did not make; the name may be free.

    Call it before anything is computed or written.

    Parameters
    ----------
    path : Path
    is_ours : callable
        Gets the open file, at its start, and recognizes its content. An exception that a content
        of another kind leads to (ValueError, KeyError, ...) counts as False.
    what : str
        What the command writes, such as "a model file".

    Raises
    ------
    InputError
        Something of another kind has that name.
    OSError
        The file can't be read.
    """
    require_regular(path)
    if not path.exists():
        return
    with open(path, "rb") as file:
        try:
            ours = is_ours(file)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            ours = False
        except OSError as error:  # Pillow's and others' for a content that they can't read
            if error.errno is not None:
                raise
            ours = False
    if not ours:
        raise InputError(
            f"{path} exists and is not {what} that this program made, so it is left as it is. "
            "Give another name, or move the file away."
        )


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises
    ------
    InputError
        A file stands there, or where a folder above it would be.
    OSError
        Nothing can be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} can't be made: a file stands where a folder is needed, and is left as it "
            "is. Give another path, or move the file away."
        ) from error


def require_own_folder(folder: Path, mark: str, *, what: str, also: Collection[str] = ()) -> None:
    """Refuse to fill a folder that holds something and has no file that says it is ours.

    Hidden files, such as those of file managers, and our temporaries don't count.

    Parameters
    ----------
    folder : Path
        It exists.
    mark : str
        Name of the file that comes before all others.
    what : str
        What the folder would be, such as "feature cache".
    also : collection of str
        Names that may come before the mark.

    Raises
    ------
    InputError
        The folder is a data set, or another program's.
    """
    # Another process may make the mark and then files: they are looked for first.
    theirs = sorted(
        name
        for name in os.listdir(folder)
        if not (name.startswith(".") or name in also or is_temporary(name))
    )
    if theirs and not os.path.lexists(folder / mark):
        raise InputError(
            f"{folder} holds {theirs[0]} and no {mark}, so it is no {what} and is left as it is. "
            f"Give a folder that is new or empty, or restore {mark}."
        )


def claim(
    path: Path, is_ours: Callable[[BinaryIO], bool], *, what: str, goes_on: bool = False
) -> Path:
    """Check that a file can be written under a name, before what it is to hold is computed.

    Its folder is made. A command keeps the name locked until it ends: another that is to write the
    same file is told so at its start.

    Parameters
    ----------
    path : Path
    is_ours, what
        As for `require_ours`.
    goes_on : bool
        Whether the command adds to the file, and keeps what people changed in it.

    Returns
    -------
    Path
        Where to write: `path`, or the file that it is a symbolic link to.

    Raises
    ------
    InputError
        Something of another kind has that name, the file was changed since it was written, it is a
        symbolic link to nothing, or another command is writing it.
    OSError
        Nothing can be written there.
    """
    from features.files.locks import hold_name  # only those who write claim
    from features.files.unchanged import require_unchanged

    make_folder(path.parent)
    require_ours(path, is_ours, what=what)
    if path.is_symlink():
        if not path.exists():
            raise InputError(
                f"{path} is a symbolic link to nothing, so it is left as it is. Give another name."
            )
        path = path.resolve()
    if not goes_on:
        require_unchanged(path)
    Temporary(path).discard()
    hold_name(path)
    return path


def write_once(path: Path, data: bytes, *, remedy: str) -> None:
    """Write a file that people may edit: one that is there with other content is left as it is.

    Parameters
    ----------
    path : Path
    data : bytes
    remedy : str
        What to do about another content, as a sentence.

    Raises
    ------
    InputError
        The file is there and holds something else.
    """
    require_regular(path)
    if not create(path, data) and path.read_bytes() != data:
        raise InputError(
            f"{path} exists and holds something else than this command would write, so it is left "
            f"as it is. {remedy}"
        )


def begins(*starts: bytes) -> Callable[[BinaryIO], bool]:
    """Recognize files by their first bytes.

    Examples
    --------
    >>> import io
    >>> begins(b"image,label,")(io.BytesIO(b"image,label,score"))
    True
    """
    return lambda file: file.read(max(map(len, starts))).startswith(starts)


def first_line(is_ours: Callable[[Any], bool]) -> Callable[[BinaryIO], bool]:
    """Recognize files of JSON lines by the value of the first.

    Examples
    --------
    >>> import io
    >>> first_line(lambda value: "header" in value)(io.BytesIO(b'{"header": {}}'))
    True
    """
    return lambda file: is_ours(json.loads(file.readline(LONGEST_LINE)))
