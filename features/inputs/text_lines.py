"""Lines of a text file that a tool wrote."""

from pathlib import Path

from features.errors import InputError


def text_lines(path: Path) -> list[str]:
    """Read a text file's lines without their ends and the blanks around them.

    Parameters
    ----------
    path : Path
        UTF-8 with or without a byte order mark, or UTF-16 with one.

    Returns
    -------
    list of str
        Blank lines are kept, but for those at the end.

    Raises
    ------
    InputError
        Another encoding.
    """
    return [line.strip() for line in read_text(path).rstrip().splitlines()]


def read_text(path: Path) -> str:
    """Read a whole text file, in the encodings of `text_lines`.

    Raises
    ------
    InputError
        Another encoding.
    """
    content = path.read_bytes()
    try:
        return content.decode(encoding_of(content))
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8. Save it again with that encoding.") from None


def beginning(path: Path, size: int = 65536) -> str:
    """Read how a text file begins, to tell its form; bytes of other encodings are replaced."""
    with open(path, "rb") as file:
        content = file.read(size)
    return content.decode(encoding_of(content), errors="replace")


def encoding_of(content: bytes) -> str:
    """Give the encoding that a byte order mark states, or else UTF-8.

    Examples
    --------
    >>> encoding_of("a".encode("utf-16")), encoding_of(b"a")
    ('utf-16', 'utf-8-sig')
    """
    return "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
