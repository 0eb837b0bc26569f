"""Files by what is left of their names when all forms are made one, and what a name means there."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import takewhile

from features.errors import InputError
from features.inputs.image_kinds import FORMATS
from features.inputs.name_forms import (
    BEHIND,
    COMMON,
    CONTROL,
    EXTENSION,
    FRONT,
    LEFT_OUT,
    OTHER,
    SPELLING,
    UPLOADED,
    ZEROS,
    as_uploaded,
    differences,
    ending_of,
    numbered,
    plain_key,
    rewritten,
    stem_of,
    without_query,
)

_FORMAT_OF = {ending: name for name, endings in FORMATS.items() for ending in endings}


def not_plain(name: str, source: object) -> InputError:
    """Make the error of a name that can't be one of a file under the folder."""
    return InputError(
        f"{source}: {name!r} is not a plain path under images/. Name it like 'cats/1.jpg', without "
        "'.', '..', a leading '/' or control characters, in UTF-8."
    )


def hint(name: str, pictures: Sequence[str]) -> str:
    """Say what a name that is no file's may be meant for: a file in a folder, or with a label."""
    key = plain_key(name)
    files = {plain_key(file): file for file in reversed(pictures)}
    if "/" not in key:
        for known, file in files.items():
            if key in (base := known.rpartition("/")[2], stem_of(base)):
                return f"{file!r} lies in a folder; write the folders in front of the names."
    stems = {stem_of(known): file for known, file in files.items()}
    for mark in re.finditer("[_ -]", key):
        start = key[: mark.start()]
        if begins := files.get(start) or stems.get(start):
            return (
                f"{name!r} begins like {begins!r}: what follows, if a label, needs its own column."
            )
    return ""


class KnownFiles:
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

    @cached_property
    def _by_number(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key, pictures in self.by_name.items():
            if parts := numbered(key):
                found[parts[:2]].extend(pictures)
        return found

    @cached_property
    def _by_upload(self) -> dict[str, list[str]]:
        """Files by the names that Label Studio gives them."""
        found: dict[str, list[str]] = defaultdict(list)
        for key, pictures in self.by_name.items():
            found[as_uploaded(key)].extend(pictures)
        return found

    @cached_property
    def _named(self) -> frozenset[str]:
        """Keys of names, of which another name can't mean the file."""
        return frozenset(map(plain_key, self.names))

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

    def _candidates(self, key: str) -> Iterator[tuple[str, list[str]]]:
        yield "", self.by_name.get(key, [])
        yield EXTENSION, self.by_stem.get(key, [])
        if spelled := _FORMAT_OF.get(ending_of(key)):
            alike = self.by_stem.get(stem_of(key), [])
            yield SPELLING, [file for file in alike if _FORMAT_OF.get(ending_of(file)) == spelled]
            yield OTHER, [file for file in self._free(alike) if ending_of(file) != ending_of(key)]
        yield ZEROS, self._with_zeros(key)
        for way, before in rewritten(key):
            if way != UPLOADED or self._are_uploaded:
                found = self.by_name.get(before) or self.by_stem.get(before)
                found = found or self._with_zeros(before)
                if way == UPLOADED and not found:
                    found = self._by_upload.get(as_uploaded(before))
                yield way, found or []

    def _with_zeros(self, key: str) -> list[str]:
        """Give the files whose names are a key's number with zeros in front, or without."""
        parts = numbered(key)
        if parts is None:
            return []
        alike = self._free(self._by_number.get(parts[:2], []))
        return [file for file in alike if parts[2] in ("", ending_of(file))]

    def _free(self, files: list[str]) -> list[str]:
        return [file for file in files if plain_key(file) not in self._named]

    @cached_property
    def _are_uploaded(self) -> bool:
        """Whether all names have Label Studio's prefix, and not all of digits, as dates are."""
        names = [plain_key(name).rpartition("/")[2] for name in self.names]
        prefixes = [name[:8] for name in names if UPLOADED in dict(rewritten(name))]
        return len(prefixes) == len(names) and not all(map(str.isdigit, prefixes))

    def _cuts(self, key: str) -> list[str]:
        parts = key.split("/")
        return [
            "/".join(parts[position + 1 :])
            for position, part in enumerate(parts[:-1])
            if part in self.own
        ]
