"""Tags in one text: what stands between them, and lists as Python, numpy and JSON write them."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from features.errors import InputError
from features.inputs.label_values import float_or_none

_SEPARATORS = ("|", ";", ",", "\uff1b", "\uff0c", "\u3001")
ONE = "one"  # nothing stands between tags
TOLD = {
    "|": "tags are separated by '|'",
    ";": "tags are separated by semicolons",
    ",": "tags are separated by commas",
    "\uff1b": "tags are separated by full-width semicolons",
    "\uff0c": "tags are separated by full-width commas",
    "\u3001": "tags are separated by ideographic commas",
    " ": "tags are separated by blanks",
    ONE: "each field is one tag",
}
#: What is told of `marks`; it takes their length.
PLACES = "lists of {} zeros and ones; a label's name is its place, from 0"
_QUOTES = {"'": "'", '"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "«": "»",
           "\u2018": "\u2019"}  # fmt: skip
_LIST = re.compile(r"\s*[\[({].*[\])}]\s*", re.DOTALL)
_KIND_OF_LIST = re.compile(
    r"\s*(?:np\.|numpy\.|pd\.)?(?:frozenset|set|list|tuple|array|Index|deque|Counter)\("
    r"(.*?)(?:,\s*(?:dtype|maxlen|name)=[^\])]*)*\)\s*",
    re.DOTALL,
)
_INDICATOR = re.compile(r"[01](\.0*)?")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_FLAG = r"\s*'[^'\"]*'\s*:\s*(?:[01]|True|False)\s*"
_FLAGS = re.compile(rf"\s*\{{{_FLAG}(?:,{_FLAG})*,?\}}\s*")
_BOXED = re.compile(r"(?<!\S)([^\s\d.+-]\S*)((?:\s+\d+(?:\.\d*)?){4})(?:\s+|\Z)")


def separator_of(texts: Sequence[str], *, is_one: bool) -> str:
    """Tell what stands between the tags of all texts.

    Parameters
    ----------
    texts : sequence of str
        Without the quotes around them.
    is_one : bool
        Whether a text is called one label: then blanks separate only words that are known as
        labels of their own, as in "traffic light" they are not.

    Returns
    -------
    str
        A key of `TOLD`; empty if all texts are lists.
    """
    plain = [text for text in texts if not _LIST.fullmatch(text)]
    found = [one for one in _SEPARATORS if any(one in text for text in plain)]
    if found[:2] == ["|", ";"]:  # as photo programs write keywords with those above them: a|b;c
        return ";"
    if found:
        return found[0]
    if not plain:
        return ""
    words = [text.split() for text in plain if text.strip()]
    alone = {one[0] for one in words if len(one) == 1}
    are_tags = all(
        float_or_none(word) is not None or word in alone for one in words for word in one
    )
    return " " if not is_one or are_tags or _any_alone(words, alone) else ONE


def _any_alone(words: Sequence[Sequence[str]], alone: set[str]) -> bool:
    return any(word in alone for one in words if len(one) > 1 for word in one)


def split_tags(text: str, separator: str, source: object) -> list[str]:
    """Give the tags of a text, each once.

    Parameters
    ----------
    text : str
    separator : str
        As `separator_of` gives it.
    source : object
        Where it stands; the message begins with it.

    Raises
    ------
    InputError
        It is JSON without a list of labels.

    Examples
    --------
    >>> split_tags("['cat' 'dog']", "", "a.csv"), split_tags('"cat", "dog"', ",", "a.csv")
    (['cat', 'dog'], ['cat', 'dog'])
    """
    if _LIST.fullmatch(text):
        found = _from_json(text)
        if found is not None:
            if not found and not _holds_nothing(text):
                raise InputError(
                    f"{source}: {text.strip()[:80]!r} has no list of labels. Write them as 'a|b'."
                )
            return _distinct(found)
        text = text.strip()[1:-1]
        if quoted := _QUOTED.findall(text):
            return _distinct(first or second for first, second in quoted)
        separator = ","
    if separator == ONE:
        return _distinct([text])
    return _distinct(text.split() if separator == " " else text.split(separator))


def bare_list(text: str) -> str:
    """Take away quotes around a text, and the name of a kind of list in front of it.

    Examples
    --------
    >>> bare_list("frozenset({'cat'})"), bare_list("array(['a'], dtype=object)"), bare_list("set()")
    ("{'cat'}", "['a']", '[]')
    """
    found = _KIND_OF_LIST.fullmatch(text)
    return (found[1] or "[]") if found else unquoted(text)


def unquoted(text: str) -> str:
    """Take quotes away that stand around a text and nowhere in it.

    Examples
    --------
    >>> unquoted(" 'cat dog' "), unquoted("'cat','dog'"), unquoted("it's")
    ('cat dog', "'cat','dog'", "it's")
    """
    bare = text.strip()
    is_quoted = len(bare) > 1 and bare[-1] == _QUOTES.get(bare[0])
    return bare[1:-1] if is_quoted and not {bare[0], bare[-1]} & {*bare[1:-1]} else text


def marks(texts: Sequence[str]) -> tuple[int, list[list[str]]] | None:
    """Read lists of 0 and 1 of one length, as tables of indicators are stored; or give None.

    Parameters
    ----------
    texts : sequence of str
        Empty ones hold nothing. One of the others has a 0 or a 1 twice, or 1 in front of 0, as no
        list of labels does.

    Returns
    -------
    length : int
        Of the lists.
    found : list of list of str
        For each text the places of its ones, from 0.

    Examples
    --------
    >>> marks(["[1, 0, 1]", "[0 0 0]"]), marks(["[0, 2]", "[1]"]), marks(["1", "0"])
    ((3, [['0', '2'], []]), None, None)
    """
    split = [re.split(r"[\s,;|]+", text.strip(" \t\r\n[](){}")) if text else [] for text in texts]
    given = [one for one in split if one]
    if not given or len({len(one) for one in given}) > 1 or len(given[0]) < 2:
        return None
    if not all(_INDICATOR.fullmatch(word) for one in given for word in one):
        return None
    if not any(
        len(one) > len({word[0] for word in one}) or one[0][0] > one[-1][0] for one in given
    ):
        return None
    return len(given[0]), [
        [str(k) for k, word in enumerate(one) if word[0] == "1"] for one in split
    ]


def boxed_labels(texts: Sequence[str]) -> list[list[str]] | None:
    """Give the labels of texts in which four numbers of a box follow each; or None.

    Examples
    --------
    >>> boxed_labels(["n01 115 49 448 294 n02 1 2 3 4", ""]), boxed_labels(["cat dog"])
    ([['n01', 'n02'], []], None)
    """
    found = []
    for text in texts:
        if _BOXED.sub("", text.strip()):
            return None
        found.append(_distinct(label for label, _ in _BOXED.findall(text.strip())))
    return found if any(found) else None


def _holds_nothing(text: str) -> bool:
    """Tell whether JSON is empty, or an object that says of every name that it is absent."""
    content = json.loads(text)
    flags = content.values() if isinstance(content, dict) else content
    return all(one in (0, 1) for one in flags)


def _from_json(text: str) -> list[str] | None:
    """Collect what the lists in a JSON field, or true values, name; None if it is no JSON."""
    if _FLAGS.fullmatch(text):  # of Python
        text = text.replace("'", '"').replace("True", "true").replace("False", "false")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and content and all(one in (0, 1) for one in content.values()):
        return [name for name, one in content.items() if one]

    def collect(one: object) -> Iterator[str]:
        for inner in one.values() if isinstance(one, dict) else one if type(one) is list else ():
            if isinstance(inner, list | dict):
                yield from collect(inner)
            elif isinstance(one, list) and isinstance(inner, str | int):
                yield str(inner)

    return list(collect(content))


def _distinct(tags: Iterable[str]) -> list[str]:
    stripped = (unquoted(tag).strip() for tag in tags)
    return list(dict.fromkeys(tag for tag in stripped if tag))
