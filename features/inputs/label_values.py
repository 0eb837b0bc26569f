"""What a cell says about a label: present, absent or unknown, in the words of common tools."""

from features.errors import InputError

PRESENT, ABSENT, UNKNOWN = 1, 0, -1
_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y"), PRESENT),
    **dict.fromkeys(("false", "f", "no", "n"), ABSENT),
    **dict.fromkeys(("", "?", "na", "n/a", "<na>", "nan", "null", "none", "unknown"), UNKNOWN),
}
ALLOWED = "1, 0, -1 or empty (unknown)"


def label_value(text: str) -> int:
    """Read a cell.

    Parameters
    ----------
    text : str
        A number that equals 1, 0 or -1 (also with a decimal comma), true or false, yes or no,
        their first letters, or one of the words for a missing value; in either case, with blanks
        around it or without.

    Returns
    -------
    int
        1 present, 0 absent, -1 unknown.

    Raises
    ------
    InputError
        It is none of these. The message has no place; the caller adds it.

    Examples
    --------
    >>> [label_value(text) for text in ("1.0", " False", "-1", "NA", "0,0")]
    [1, 0, -1, -1, 0]
    """
    word = text.strip().casefold()
    if word in _WORDS:
        return _WORDS[word]
    number = float_or_none(word)
    if number not in (1.0, 0.0, -1.0):
        raise InputError(f"a label must be {ALLOWED}. Got {text!r}.")
    return int(number)


def float_or_none(text: str) -> float | None:
    """Read a number with a decimal point or comma; None for anything else.

    Examples
    --------
    >>> float_or_none("0,5"), float_or_none("1_0"), float_or_none("cat")
    (0.5, None, None)
    """
    try:
        return None if "_" in text else float(text.strip().replace(",", "."))
    except ValueError:
        return None
