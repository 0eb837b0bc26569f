"""Files that this program made, told by what is in them: no others are replaced."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from features.errors import InputError
from features.files import Temporary, create, require_regular

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


def claim(path: Path, is_ours: Callable[[BinaryIO], bool], *, what: str) -> Path:
    """Check that a file can be written under a name, before what it is to hold is computed.

    Its folder is made.

    Parameters
    ----------
    path : Path
    is_ours, what
        As for `require_ours`.

    Returns
    -------
    Path
        Where to write: `path`, or the file that it is a symbolic link to.

    Raises
    ------
    InputError
        Something of another kind has that name, or it is a symbolic link to nothing.
    OSError
        Nothing can be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    require_ours(path, is_ours, what=what)
    if path.is_symlink():
        if not path.exists():
            raise InputError(
                f"{path} is a symbolic link to nothing, so it is left as it is. Give another name."
            )
        path = path.resolve()
    Temporary(path).discard()
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
