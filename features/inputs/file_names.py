"""The file that a name means: exactly that file, or the only one that differs by how it is written.

Annotations name files as the system did on which they were made: with backslashes, another case,
no extension, the folder's own name or the path of another machine in front, other Unicode forms, or
as a URL.
"""

import os
import re
import stat
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError
from features.inputs.image_kinds import FORMATS
from features.inputs.listing import list_images
from features.inputs.name_forms import (
    BEHIND,
    COMMON,
    DECIMAL,
    EXTENSION,
    FRONT,
    LEFT_OUT,
    SPELLING,
    differences,
    ending_of,
    plain_key,
    stem_of,
    whole_number,
    without_query,
)

CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last: names that are not UTF-8
NOT_A_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")  # a part that is empty, "." or ".."

_FORMAT_OF = {ending: name for name, endings in FORMATS.items() for ending in endings}


class Matches(NamedTuple):
    """Names and their files.

    Attributes
    ----------
    files : list of str
        For each name its file, relative to the folder, or the name itself if there is none.
    missing : list of str
        Names without a file.
    ways : Counter
        How many names were matched in which way, other than exactly.
    first : tuple of str
        The first such name and its file; empty if there is none.
    """

    files: list[str]
    missing: list[str]
    ways: Counter[str]
    first: tuple[str, ...]

    def inexact(self) -> str:
        """Count in one line the names that aren't exactly their files'; empty for none."""
        if not self.ways:
            return ""
        counts = ", ".join(f"{way} ({count})" for way, count in self.ways.most_common())
        name, file = self.first
        return (
            f"{self.ways.total()} of {len(self.files)} names differ from their files' in: {counts} "
            f"(first {name!r} for {file!r})"
        )


def match_names(images: Path, names: Sequence[str], source: object) -> Matches:
    """Find the file of each name.

    Parameters
    ----------
    images : Path
        The folder that the names start from. It is listed only if a name is not exactly a file's.
    names : sequence of n str
    source : object
        Where they come from; messages begin with it.

    Returns
    -------
    Matches

    Raises
    ------
    InputError
        A name is no plain path under the folder, or two files may be meant; both are named.
    """
    own = {images.name, images.resolve().name}

    def is_file(name: str) -> bool:
        try:
            return _is_plain(name) and not stat.S_ISDIR(os.stat(f"{images}/{name}").st_mode)
        except OSError:
            return False

    def is_there(name: str) -> bool:  # a folder keeps its row, and fails when it is read
        return _is_plain(name) and os.path.exists(f"{images}/{name}")

    return _match(names, source, is_file, is_there, lambda: _Known(list_images(images), own, names))


def match_listed(
    there: Container[str], pictures: Sequence[str], names: Sequence[str], source: object
) -> Matches:
    """Find the member of an archive that each name means, as `match_names` finds files.

    Parameters
    ----------
    there : container of str
        All names that exist.
    pictures : sequence of str
        Those that a name may mean which is not exactly one.
    names : sequence of n str
    source : object
        Where the names come from; messages begin with it.

    Returns
    -------
    Matches

    Raises
    ------
    InputError
        As for `match_names`.
    """

    def is_there(name: str) -> bool:
        return _is_plain(name) and name in there

    return _match(names, source, is_there, is_there, lambda: _Known(pictures, {"images"}, names))


def match_ids(ids: Sequence[str], names: Sequence[str], source: object) -> Matches:
    """Find the id of each name, as `match_names` finds files; a line on stderr counts the ways.

    Parameters
    ----------
    ids : sequence of str
        Paths under a folder of images, as an index lists them.
    names : sequence of n str
    source : object
        Where the names come from; messages begin with it.

    Returns
    -------
    Matches

    Raises
    ------
    InputError
        Two ids may be meant, or two names mean one id.
    """
    known = set(ids)
    found = _match(
        names, source, known.__contains__, known.__contains__,
        lambda: _Known(ids, {"images"}, names),
    )  # fmt: skip
    check_distinct(found, names, source)
    if inexact := found.inexact():
        print(f"{source}: {inexact}", file=sys.stderr)
    return found


def check_distinct(matches: Matches, names: Sequence[str], source: object) -> None:
    """Refuse two names of one file.

    Raises
    ------
    InputError
        With both names and the file.
    """
    if len(set(matches.files)) == len(names):
        return
    name_of: dict[str, str] = {}
    for name, file in zip(names, matches.files, strict=True):
        if name_of.setdefault(file, name) != name:
            raise InputError(
                f"{source}: {name_of[file]!r} and {name!r} both name {file!r}. Keep one of them."
            )


def _match(
    names: Sequence[str],
    source: object,
    is_file: Callable[[str], bool],
    is_there: Callable[[str], bool],
    make: Callable[[], "_Known"],
) -> Matches:
    known: _Known | None = None
    files: list[str] = []
    missing: list[str] = []
    ways: Counter[str] = Counter()
    first: tuple[str, ...] = ()
    for name in names:
        if is_file(name):
            files.append(name)
            continue
        known = known or make()
        file, way = known.find(name, source)
        if file is not None:
            ways[way] += 1
            first = first or (name, file)
        elif not _is_plain(name):
            raise not_plain(name, source)
        elif not is_there(name):
            missing.append(name)
        files.append(name if file is None else file)
    return Matches(files, missing, ways, first)


def not_plain(name: str, source: object) -> InputError:
    """Make the error of a name that can't be one of a file under the folder."""
    return InputError(
        f"{source}: {name!r} is not a plain path under images/. Name it like 'cats/1.jpg', without "
        "'.', '..', a leading '/' or control characters, in UTF-8."
    )


class _Known:
    """Files by what is left of their names when all forms are made one."""

    def __init__(self, pictures: Sequence[str], own: set[str], names: Sequence[str]):
        self.own = {plain_key(name) for name in own}
        self.names = names
        self.by_name: dict[str, list[str]] = defaultdict(list)
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        for picture in pictures:
            key = plain_key(picture)
            self.by_name[key].append(picture)
            self.by_stem[stem_of(key)].append(picture)

    def find(self, name: str, source: object) -> tuple[str | None, str]:
        """Give the file that a name means and how they differ, or None."""
        for behind, form in (("", name), *((BEHIND, cut) for cut in without_query(name))):
            whole = plain_key(form)
            if CONTROL.search(whole):
                raise not_plain(name, source)
            for front, key in self._keys(whole):
                for extra, found in self._candidates(key):
                    if len(found) > 1:
                        listed = " or ".join(map(repr, found[:3]))
                        raise InputError(
                            f"{source}: {name!r} may mean {listed}. Write the one that is meant."
                        )
                    if found:
                        way = differences(form, found[0], front, extra)
                        return found[0], " and ".join(filter(None, (way, behind)))
        if ".." in plain_key(name).split("/"):
            raise not_plain(name, source)
        return None, ""

    def _keys(self, whole: str) -> Iterator[tuple[str, str]]:
        """Yield what stands in front of each key that may be a file's, and the key."""
        for front, key in (
            ("", whole),
            *((FRONT, cut) for cut in self._cuts(whole)),
            (COMMON, whole[len(self._common) :] if whole.startswith(self._common) else ""),
            *((LEFT_OUT, f"{top}/{whole}") for top in self._tops),
        ):
            if key and ".." not in key.split("/"):
                yield front, key

    @cached_property
    def _tops(self) -> list[str]:
        """The paths in front of all files, which names may leave out; the longest first."""
        if not self.by_name:
            return []
        ends = [one.split("/")[:-1] for one in (min(self.by_name), max(self.by_name))]
        pairs = zip(*ends, strict=False)
        parts = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]

    @cached_property
    def _common(self) -> str:
        """The path in front of all names behind which the first one is a file.

        What is taken away from all names alike can't make two of them one.
        """
        keys = [plain_key((without_query(name) or [name])[0]) for name in self.names]
        ends = [one.split("/")[:-1] for one in (min(keys), max(keys))]  # all others lie between
        front = ""
        for part in (
            one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False))
        ):
            front += f"{part}/"
            if any(found for _, found in self._candidates(keys[0][len(front) :])):
                return front if part != ".." else ""
        return ""

    def _candidates(self, key: str) -> list[tuple[str, list[str]]]:
        spelled = _FORMAT_OF.get(ending_of(key))
        alike = self.by_stem.get(stem_of(key), []) if spelled else []
        return [
            ("", self.by_name.get(key, [])),
            (EXTENSION, self.by_stem.get(key, [])),
            (SPELLING, [file for file in alike if _FORMAT_OF.get(ending_of(file)) == spelled]),
            (DECIMAL, self.by_stem.get(whole_number(key), [])),
        ]

    def _cuts(self, key: str) -> list[str]:
        parts = key.split("/")
        return [
            "/".join(parts[position + 1 :])
            for position, part in enumerate(parts[:-1])
            if part in self.own
        ]


def _is_plain(name: str) -> bool:
    return not (NOT_A_PATH.search(name) or CONTROL.search(name))
