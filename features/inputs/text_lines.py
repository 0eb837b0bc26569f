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
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8. Save it again with that encoding.") from None
    return [line.strip() for line in text.rstrip().splitlines()]
