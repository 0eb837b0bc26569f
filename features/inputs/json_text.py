"""JSON files of annotations: told apart by their keys, read whole, and asked value by value."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.inputs.text_lines import beginning, read_text

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)(?:"\s*(:)?|\\?\Z)|[{}\[\]]', re.DOTALL)
_LINES = (".jsonl", ".ndjson", ".manifest")
_TWO_LINES = re.compile(r"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
_SHOWN = 60  # characters of a value in a message


def read_json_text(path: Path, what: str) -> "JsonValue":
    """Read a whole JSON file; one of JSON lines is a list.

    Parameters
    ----------
    path : Path
    what : str
        What is to be given, for the message.

    Raises
    ------
    InputError
        As for `features.inputs.text_lines.read_text`, or it is no JSON.
    """
    text = read_text(path)
    if not _has_lines(path, text):
        return JsonValue(_parsed(text, str(path), what), path)
    lines = [(f"{path}, line {at}", line) for at, line in enumerate(text.split("\n"), start=1)]
    return JsonValue([_parsed(line, at, what) for at, line in lines if line.strip()], path)


def _has_lines(path: Path, text: str) -> bool:
    """Tell JSON lines by the file's ending or, as some call them .json, by the first two lines."""
    return path.suffix.lower() in _LINES or bool(_TWO_LINES.match(text))


def _parsed(text: str, place: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{place} is not JSON ({error}). Give {what}, unpacked and whole."
        ) from None


def keys_of(path: Path) -> frozenset[str]:
    """Give where keys and lists stand in the beginning of a JSON file; nothing for other files.

    Returns
    -------
    frozenset of str
        As `key_paths` gives them.

    Raises
    ------
    InputError
        As for `features.inputs.text_lines.beginning`.
    """
    if not path.is_file() or path.suffix.lower() not in (".json", *_LINES):
        return frozenset()
    text = beginning(path)
    return key_paths("[" * _has_lines(path, text) + text)


@lru_cache(maxsize=1)  # each form asks about the same file
def key_paths(text: str) -> frozenset[str]:
    """Give where keys and lists stand in JSON, which may end anywhere.

    Examples
    --------
    >>> sorted(key_paths('[{"image": "a.jpg", "labels": ["cat", {"x'))
    ['[]', '[].image', '[].labels', '[].labels[]']
    """
    if not text.lstrip().startswith(("{", "[")):
        return frozenset()
    found: set[str] = set()
    key = ""
    above: list[tuple[str, bool]] = []  # the paths of what is open, and whether it is a list
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        path, is_list = above[-1] if above else ("", True)
        if mark == '"':
            if token[2] and not is_list:
                key = token[1]
                found.add(f"{path}.{key}")
        elif mark in "{[":
            path = path if is_list else f"{path}.{key}"
            if mark == "[":
                path += "[]"
                found.add(path)
            above.append((path, mark == "["))
        elif above:
            above.pop()
    return frozenset(found)


def text_of(value: Any) -> str | None:
    """Take text that is not blank as it is, and whole numbers as text; None for anything else.

    Tools write 7 where others write "7", and names that are digits as numbers.

    Examples
    --------
    >>> text_of("cat"), text_of(7.0), text_of(True), text_of(" ")
    ('cat', '7', None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        text = str(value)
    except ValueError:  # an integer of more digits than Python writes
        return None
    return text if text.strip() else None


class JsonValue:
    """A value of a JSON file, which knows its place for messages.

    Parameters
    ----------
    content : object
        As `json.loads` gives it; None stands also for what is missing.
    source : Path
    place : str
        Such as ``[0].annotations[1]``.
    """

    __slots__ = ("content", "place", "source")  # there are millions of them

    def __init__(self, content: Any, source: Path, place: str = ""):
        self.content = content
        self.source = source
        self.place = place

    def refused(self, wanted: str) -> InputError:
        """Make the error that says what stands here and what must."""
        content = json.dumps(self.content)[:_SHOWN]
        shown = "missing or null" if self.content is None else content
        place = self.place.removeprefix(".") or "the whole"
        return InputError(
            f"{self.source}: {place} is {shown}; it must be {wanted}. Correct it or remove the "
            "entry."
        )

    def fields(self) -> dict[str, "JsonValue"]:
        """Give an object's values by their keys.

        Raises
        ------
        InputError
            It is no object.
        """
        if not isinstance(self.content, dict):
            raise self.refused("an object")
        return {
            key: JsonValue(value, self.source, f"{self.place}.{key}")
            for key, value in self.content.items()
        }

    def get(self, *keys: str) -> "JsonValue":
        """Give the value of the first key that the object has; of none, the first one's, missing.

        Raises
        ------
        InputError
            It is no object.
        """
        if not isinstance(self.content, dict):
            raise self.refused("an object")
        key = next((key for key in keys if self.content.get(key) is not None), keys[0])
        return JsonValue(self.content.get(key), self.source, f"{self.place}.{key}")

    def entries(self, *, may_lack: bool = False) -> list["JsonValue"]:
        """Give a list's values; nothing for what is missing if it may lack.

        Raises
        ------
        InputError
            It is no list.
        """
        if self.content is None and may_lack:
            return []
        if not isinstance(self.content, list):
            raise self.refused("a list")
        return [
            JsonValue(value, self.source, f"{self.place}[{position}]")
            for position, value in enumerate(self.content)
        ]

    def text(self) -> str:
        """Give text, also of a whole number.

        Raises
        ------
        InputError
            It is neither, or blank.
        """
        if (text := text_of(self.content)) is None:
            raise self.refused("text")
        return text
