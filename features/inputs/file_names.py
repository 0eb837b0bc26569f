"""The file that a name means: exactly that file, or the only one that differs by how it is written.

Annotations name files as the system did on which they were made: with backslashes, another case,
no extension, the folder's own name or the path of another machine in front, other Unicode forms, or
as a URL.
"""

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError
from features.inputs.known_files import KnownFiles, not_plain
from features.inputs.listing import list_images
from features.inputs.name_forms import CONTROL, NOT_A_PATH


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

    return _match(
        names, source, is_file, is_there, lambda: KnownFiles(list_images(images), own, names)
    )


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

    return _match(
        names, source, is_there, is_there, lambda: KnownFiles(pictures, {"images"}, names)
    )


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
        lambda: KnownFiles(ids, {"images"}, names),
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
    make: Callable[[], "KnownFiles"],
) -> Matches:
    known: KnownFiles | None = None
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


def _is_plain(name: str) -> bool:
    return not (NOT_A_PATH.search(name) or CONTROL.search(name))
