"""Labels in archives as webdataset writes them: `0001.json` or `0001.cls` beside `0001.jpg`."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from features.errors import InputError
from features.inputs.label_values import label_value
from features.labels import some_of
from features.sources.archive import Archive
from features.sources.base import Fault

ENDINGS = ("json", "cls")
#: Keys of an object that labels stand under; the first that there is counts.
KEYS = ("labels", "label", "tags", "classes", "class", "categories", "category", "cls")
LARGEST = 1 << 20  # bytes of one member


class Found(NamedTuple):
    """Labels of pictures.

    Attributes
    ----------
    labels : ndarray of shape (n, L), int8, or None
        -1 for pictures without a member of labels; None if no picture has one.
    label_names : tuple of L str
        Sorted; whole numbers by their value.
    notes : tuple of str
    used : tuple of str
        The members that are read.
    """

    labels: np.ndarray | None
    label_names: tuple[str, ...]
    notes: tuple[str, ...]
    used: tuple[str, ...]


def read_labels(archive: Archive, paths: Sequence[str]) -> Found:
    """Read what stands beside pictures under the same key, the name up to its first dot.

    A `.cls` member is the name or number of a class, or several in lines or between commas. A
    `.json` member is a list of labels, or an object that has under one of `KEYS` a list, one label,
    or an object of labels with 1, 0 or null for unknown. What a list does not name is absent; what
    an object does not name is unknown.

    Parameters
    ----------
    archive : Archive
    paths : sequence of n str
        Pictures of the archive.
    """
    beside = _members(archive, {_key(path) for path in paths})
    of_key: dict[str, dict[str, int] | list[str]] = {}
    broken, without = [], Counter[str]()
    for key, name in beside.items():
        try:
            raw = archive.read(name, LARGEST)
        except Fault:
            broken.append(name)
            continue
        try:
            found = _parsed(name, raw, without)
        except (ValueError, RecursionError):  # InputError is a ValueError
            broken.append(name)
            continue
        if found is not None:
            of_key[key] = found
    notes = []
    if broken:
        notes.append(f"{some_of(broken)} members can't be read as labels: these are unknown")
    if without:
        keys = ", ".join(name for name, _ in without.most_common(5))
        notes.append(
            f"{without.total()} keys of .json members name no labels ({keys}); labels stand under "
            f"{', '.join(KEYS)}"
        )
    used = tuple(beside.values())
    if not any(of_key.values()):
        return Found(None, (), tuple(notes), used)
    names = _sorted({name for one in of_key.values() for name in one})
    return Found(_table(paths, of_key, names), names, tuple(notes), used)


def _key(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _members(archive: Archive, keys: set[str]) -> dict[str, str]:
    """Find for each key its member of labels, the `.json` one if there are both."""
    found: dict[str, str] = {}
    for name in archive.listing.others:  # sorted: .cls comes before .json
        ending = name.rpartition("/")[2].partition(".")[2].lower()
        if ending in ENDINGS and (key := _key(name)) in keys:
            found[key] = name
    return found


def _parsed(name: str, raw: bytes, without: Counter[str]) -> dict[str, int] | list[str] | None:
    text = raw.decode("utf-8-sig")
    if name.lower().endswith(".cls"):
        words = text.replace(",", "\n").splitlines()
        return [word.strip() for word in words if word.strip()]
    value = json.loads(text)
    if isinstance(value, dict):
        key = next((key for key in KEYS if key in value), None)
        if key is None:
            without.update(value)
            return None
        value = value[key]
    if isinstance(value, dict):
        return {str(one): _value(cell) for one, cell in value.items()}
    return list(map(_name, value if isinstance(value, list) else [value]))


def _value(cell: object) -> int:
    if cell is None:
        return -1
    return label_value(str(int(cell) if isinstance(cell, bool) else cell))


def _name(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("name", value.get("label"))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"{value!r} names no label")
    return str(value).strip()


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    def order(name: str) -> tuple[bool, int, str]:
        number = name.isascii() and name.isdigit() and len(name) < 19
        return not number, int(name) if number else 0, name

    return tuple(sorted(names, key=order))


def _table(
    paths: Sequence[str], of_key: dict[str, dict[str, int] | list[str]], names: Sequence[str]
) -> np.ndarray:
    column = {name: k for k, name in enumerate(names)}
    labels = np.full((len(paths), len(names)), -1, dtype=np.int8)
    for row, path in enumerate(paths):
        found = of_key.get(_key(path))
        if isinstance(found, list):
            labels[row] = 0
            labels[row, [column[name] for name in found]] = 1
        elif found:
            labels[row, [column[name] for name in found]] = list(found.values())
    return labels
