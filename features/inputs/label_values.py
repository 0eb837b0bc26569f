"""What a cell says about a label: present, absent or unknown, in the words of common tools."""

from features.errors import InputError

PRESENT, ABSENT, UNKNOWN = 1, 0, -1
_YES = ("true", "t", "yes", "y", "on", "present", "positive", "pos", "✓", "✔", "☑", "☒", "✅")
_NO = ("false", "f", "no", "n", "off", "absent", "negative", "neg", "☐", "✗", "✘", "❌")
# What a spreadsheet writes in German, French, Spanish, Portuguese, Italian, Dutch, Polish, Swedish,
# Danish, Norwegian, Finnish, Czech, Hungarian, Turkish, Russian, Romanian.
_TRUE = ("wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "prawda", "sant", "sand",
         "sann", "tosi", "pravda", "igaz", "doğru", "истина", "adevărat")  # fmt: skip
_FALSE = ("falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "falsk", "usann", "epätosi",
          "nepravda", "hamis", "yanliş", "ложь", "fals")  # fmt: skip
# And what people write in some of these languages.
_JA = ("ja", "oui", "sí", "si", "sim", "sì", "tak", "да")
_NEIN = ("nein", "non", "não", "nao", "nee", "nie", "nej", "нет")
#: Missing values of pandas, R, Excel (also in German), MySQL, SAS and others.
_BLANK = ("", "?", "na", "n/a", "n.a.", "<na>", "nan", "nat", "null", "(null)", "<null>", "none",
          "unknown", "missing", "#n/a", "#nv", "\\n", ".")  # fmt: skip
_WORDS = {
    **dict.fromkeys((*_YES, *_TRUE, *_JA), PRESENT),
    **dict.fromkeys((*_NO, *_FALSE, *_NEIN), ABSENT),
    **dict.fromkeys(_BLANK, UNKNOWN),
}
# Of a name; "none" and "unknown" may be labels.
_MISSING = frozenset(
    {"", "nan", "NaN", "NAN", "<NA>", "NA", "N/A", "#N/A", "#NV", "n/a", "null", "NULL", "(null)",
     "\\N", "None", "set()", "-", "--", "—"}
)  # fmt: skip
ALLOWED = "1, 0, -1 or empty (unknown)"


def label_value(text: str, *, negative: int = UNKNOWN) -> int:
    """Read a cell.

    Parameters
    ----------
    text : str
        A number that equals 1, 0 or -1 (also with a decimal comma), true or false in the languages
        of spreadsheets, yes or no, their first letters, present or absent, on or off, a mark of a
        form (a tick, a cross, an empty box), or one of the words for a missing value; in either
        case, with blanks around it or without.
    negative : {-1, 0}
        What the number -1 is.

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
    return negative if number == -1 else int(number)


def is_missing(text: str) -> bool:
    """Tell whether a field that should name a label is empty, as tools write it.

    Examples
    --------
    >>> is_missing(" "), is_missing("NaN"), is_missing("none")
    (True, True, False)
    """
    return text.strip() in _MISSING


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
