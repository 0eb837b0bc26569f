"""The forms in which one file is named, and how two of them differ."""

import html
import os
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote

NOT_A_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")  # a part that is empty, "." or ".."
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last: names that are not UTF-8
_QUERY = re.compile(r"\?(?:.*&)?(?:d=([^&]+))?.*", re.DOTALL)  # `d`: Label Studio's local files
_FAR = re.compile(r"/|\.\.|[A-Za-z][A-Za-z0-9+.-]*:")  # absolute, upwards, a drive or a URL
FRONT, COMMON, LEFT_OUT, BEHIND, EXTENSION, SPELLING, OTHER, ZEROS, DECIMAL, UPLOADED = (
    "the folder's name in front",
    "one path in front of all",
    "one path of all files left out",
    "a query behind",
    "no extension",
    "spelling of the extension",
    "another extension",
    "zeros in front left out",
    "a number with a decimal point",
    "Label Studio's prefix",
)
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # other than the plain one
_ENTITY = re.compile(r"&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);")
_MISREAD = ("cp1252", "latin-1", "cp437")  # as which UTF-8 is often read; ZIP archives' is the last
_NUMBER = re.compile(r"((?:.*/)?)(\d+)(\.[a-z]\w*)?", re.ASCII)
_REWRITTEN = (
    ("quotes", re.compile(r"b?(['\"])([^'\"]+)\1"), r"\2"),
    ("a quote in front", re.compile(r"'([^']+)"), r"\1"),  # which makes a spreadsheet's cell a text
    (DECIMAL, re.compile(r"((?:.*/)?\d+)\.0+"), r"\1"),
    (UPLOADED, re.compile(r"((?:.*/)?)[0-9a-f]{8}-([^/]+)"), r"\1\2"),
    ("Roboflow's ending", re.compile(r"(.+)_([a-z]{3,4})\.rf\.[0-9a-z]{20,40}\.[a-z]+"), r"\1.\2"),
)


def _no_entities(name: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found[0]), name) if "&" in name else name


def _right_encoding(name: str) -> str:
    if not name.isascii():
        for encoding in _MISREAD:
            with suppress(UnicodeError):
                return name.encode(encoding).decode("utf-8")
    return name


_REPLACED: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("'+' for blanks", lambda key: key.replace("+", " ")),
    ("characters that Windows forbids", lambda key: re.sub('[:*?"<>|]', "_", key)),
)


def _no_blanks(name: str) -> str:
    return "/".join(part.strip() for part in _BLANKS.sub(" ", name).split("/"))


def _no_dots(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("URL encoding", unquote),
    ("HTML encoding", _no_entities),
    ("an encoding that was misread", _right_encoding),
    ("characters that can't be seen", lambda name: UNSEEN.sub("", name)),
    ("backslashes", lambda name: name.replace("\\", "/")),
    ("blanks", _no_blanks),
    ("'./' or '/'", _no_dots),
    ("Unicode form", lambda name: unicodedata.normalize("NFC", name)),
    ("case", str.casefold),
)


def plain_key(name: str) -> str:
    """Give what is left of a name when all forms are made one.

    Examples
    --------
    >>> plain_key("./Cats//a%20B.JPG")
    'cats/a b.jpg'
    """
    for _, step in _STEPS:
        name = step(name)
    return name


def ending_of(name: str) -> str:
    """Give a name's ending in lower case."""
    return os.path.splitext(name)[1].lower()


def stem_of(key: str) -> str:
    """Give a key without its ending."""
    return os.path.splitext(key)[0]


def rewritten(key: str) -> list[tuple[str, str]]:
    """Give how a tool may have rewritten a name, and the key that it had before.

    Examples
    --------
    >>> rewritten("cats/17.0")
    [('a number with a decimal point', 'cats/17')]
    >>> rewritten("1f2e3d4c-a.jpg"), rewritten("1.5")
    ([("Label Studio's prefix", 'a.jpg')], [])
    """
    found = [
        (way, form.sub(before, key)) for way, form, before in _REWRITTEN if form.fullmatch(key)
    ]
    changed = ((way, change(key)) for way, change in _REPLACED)
    return [*found, *((way, before) for way, before in changed if before != key)]


def as_uploaded(key: str) -> str:
    """Give the name under which Label Studio keeps a file, as Django makes it.

    Examples
    --------
    >>> as_uploaded("cats/my cat (1).jpg")
    'cats/my_cat_1.jpg'
    """
    return re.sub(r"[^-\w./]", "", key.replace(" ", "_"))


def numbered(key: str) -> tuple[str, str, str] | None:
    """Give the folder, the number without zeros in front and the ending of a key; or None.

    Examples
    --------
    >>> numbered("a/0012.jpg"), numbered("12"), numbered("a12")
    (('a/', '12', '.jpg'), ('', '12', ''), None)
    """
    found = _NUMBER.fullmatch(key)
    return (found[1], found[2].lstrip("0") or "0", found[3] or "") if found else None


def without_query(name: str) -> list[str]:
    """Give a URL's name without what follows a question mark, or the path that is named there.

    Examples
    --------
    >>> without_query("a.jpg?raw=1"), without_query("/local-files/?d=b.jpg"), without_query("c")
    (['a.jpg'], ['b.jpg'], [])
    """
    if "://" in name and not _QUERY.search(name):
        address, mark, _ = name.partition("#")
        return [address] if mark else []
    found = _QUERY.search(name)
    return [found[1] or name[: found.start()]] if found else []


def differences(name: str, file: str, front: str, extra: str) -> str:
    """List the steps that make a name its file's, in the order of `_STEPS`.

    Parameters
    ----------
    name, file : str
    front : {"", FRONT, COMMON, LEFT_OUT}
        What stands in front of the file's name, or of it alone.
    extra : str
        EXTENSION, SPELLING or OTHER, if the endings differ otherwise than in their case, ZEROS, or
        a way of `rewritten`.

    Returns
    -------
    str
        Such as "backslashes and no extension".
    """

    def differ(a: str, b: str) -> bool:
        return a != b and not (front and a.endswith(f"/{b}"))

    needed = []
    if front == LEFT_OUT:  # the rest is compared
        file = "/".join(file.split("/")[-1 - plain_key(name).count("/") :])
    a = stem_of(name) if extra in (SPELLING, OTHER, DECIMAL) else name
    b = stem_of(file) if extra else file
    for way, step in _STEPS:
        if front and way == "case":  # of the part that is the file's
            a = "/".join(a.split("/")[-1 - b.count("/") :])
        new_a, new_b = step(a), step(b)
        if (new_a == a) != (new_b == b) or (differ(a, b) and not differ(new_a, new_b)):
            if way == "case" and not extra and not differ(stem_of(a), stem_of(b)):
                way = "case of the extension"
            needed.append(way)
        a, b = new_a, new_b
    if front and "'./' or '/'" in needed and _FAR.match(name):
        needed.remove("'./' or '/'")  # what stands before the folder's name tells nothing
    return " and ".join(filter(None, [*needed, front, extra]))
