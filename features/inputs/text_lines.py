"""Text files that a tool wrote: nothing that has no end, and none under another's name."""

from pathlib import Path

from features.errors import InputError
from features.files.endless import ENDLESS, is_endless
from features.inputs.other_kinds import XML, kind_of

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def text_lines(path: Path) -> list[str]:
    """Read a text file's lines without their ends and the blanks around them.

    Parameters
    ----------
    path : Path
        In one of the encodings that `encoding_of` tells apart.

    Returns
    -------
    list of str
        Blank lines are kept, but for those at the end.

    Raises
    ------
    InputError
        As for `read_text`.
    """
    return [line.strip() for line in read_text(path).rstrip().splitlines()]


def read_text(path: Path) -> str:
    """Read a whole text file, in the encodings of `text_lines`.

    Raises
    ------
    InputError
        As for `read_file`, or another encoding.
    """
    content = read_file(path)
    try:
        return content.decode(encoding_of(content))
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8. Save it again with that encoding.") from None


def read_file(path: Path) -> bytes:
    """Read a whole file of annotations.

    Raises
    ------
    InputError
        As for `require_file` and `require_own_kind`.
    """
    require_file(path)
    content = path.read_bytes()
    require_own_kind(path, content)
    return content


def require_file(path: Path) -> None:
    """Refuse what may have no end, or block; a folder and a missing file give their own errors.

    Raises
    ------
    InputError
        It is a device, a named pipe or a socket.
    """
    if is_endless(path):
        raise InputError(f"{path} is {ENDLESS}. Write what comes from it to a file, and give that.")


def require_own_kind(path: Path, start: bytes) -> None:
    """Refuse a file that begins like one of another kind; XML is taken under its name.

    Raises
    ------
    InputError
        With the kind.
    """
    kind = kind_of(start)
    if kind and (kind != XML or path.suffix.lower() != ".xml"):
        raise InputError(f"{path} is {kind}. Give the annotations themselves, whole and unpacked.")


def beginning(path: Path, size: int = 65536) -> str:
    """Read how a text file begins, to tell its form; bytes of other encodings are replaced.

    Raises
    ------
    InputError
        As for `read_file`.
    """
    require_file(path)
    with open(path, "rb") as file:
        content = file.read(size)
    require_own_kind(path, content)
    return content.decode(encoding_of(content), errors="replace")


def encoding_of(content: bytes) -> str:
    """Give the encoding that a byte order mark states, or the zeros of UTF-16; or else UTF-8.

    Examples
    --------
    >>> encoding_of("a".encode("utf-16")), encoding_of("ab".encode("utf-16-le")), encoding_of(b"a")
    ('utf-16', 'utf-16-le', 'utf-8-sig')
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    zeros = [byte == 0 for byte in content[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8-sig"
