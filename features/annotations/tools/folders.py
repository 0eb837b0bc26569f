"""Folders with a JSON file for each picture."""

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from features.errors import InputError
from features.inputs.json_text import JsonValue, keys_of, read_json_text
from features.inputs.listing import is_companion, visible
from features.labels import some_of

_SEEN = 20  # files of which one must be of a form
T = TypeVar("T")


def json_files(source: Path) -> list[Path]:
    """List a folder's `*.json`, at any depth, that aren't hidden, in the order of their paths."""
    return [
        path
        for path in visible(source.rglob("*.[jJ][sS][oO][nN]"))
        if not any(map(is_companion, path.relative_to(source).parts))
    ]


def some_has(source: Path, fits: Callable[[frozenset[str]], bool]) -> bool:
    """Tell whether one of a folder's first JSON files has certain keys.

    Parameters
    ----------
    source : Path
    fits : callable
        Is given what `features.inputs.json_text.keys_of` says of a file.
    """
    return source.is_dir() and any(fits(keys_of(path)) for path in json_files(source)[:_SEEN])


def read_pictures(
    source: Path, tool: str, key: str, parse: Callable[[Path, JsonValue], T], *, known: str = ""
) -> tuple[list[T], list[str]]:
    """Read a folder's JSON files that are objects with this key.

    Parameters
    ----------
    source : Path
    tool, key : str
    parse : callable
        Is given a file's path and content.
    known : str
        Name of a file of classes, which is not told as left out.

    Returns
    -------
    read : list
        What `parse` gives, a value per file.
    notes : list of str
        A line that counts the files without the key: tools write their settings beside the others.

    Raises
    ------
    InputError
        A file is no JSON, or no file has the key.
    """
    read, others = [], []
    for path in tqdm(json_files(source), desc=tool, unit="file"):
        content = read_json_text(path, f"{tool}'s files")
        if isinstance(content.content, dict) and key in content.content:
            read.append(parse(path, content))
        elif path.name != known:
            others.append(path.relative_to(source).as_posix())
    if not read:
        raise InputError(
            f"No JSON file in {source} has '{key}'. Give the folder of {tool}'s files."
        )
    return read, [f"{source}: {some_of(others)} JSON files without '{key}': left out"] * bool(
        others
    )


def beside(path: Path, source: Path, name: str) -> str:
    """Give the path of a picture in the folder of a file, from the folder of all files on."""
    return posixpath.normpath(posixpath.join(path.relative_to(source).parent.as_posix(), name))
