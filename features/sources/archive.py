"""Members of zip and tar files by name, read where they lie: nothing is ever unpacked to disk."""

import os
import posixpath
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from features.inputs.image_kinds import image_suffixes
from features.inputs.listing import Listing, is_companion
from features.inputs.name_forms import CONTROL, NOT_A_PATH
from features.labels import some_of
from features.sources.base import Fault, Opened, Source
from features.sources.folder import read_fault
from features.sources.remote.address import located
from features.sources.remote.errors import NetworkFault
from features.sources.stored import stored

HOPS = 10  # links that lead to links


class Member(NamedTuple):
    """One entry of an archive.

    Attributes
    ----------
    name : str
        As it is written.
    kind : {"file", "link", "folder", "other"}
    numbers : tuple of int
        Its size in bytes, then what the reader needs to find it; `ArchiveFile.width` in all.
    target : str
        Of a link: where it leads, from the archive's top.
    """

    name: str
    kind: str
    numbers: tuple[int, ...] = ()
    target: str = ""


class ArchiveFile(ABC):
    """One archive, as it was when it was first opened.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        As for `features.sources.stored.stored`.
    """

    width: ClassVar[int]

    def __init__(self, path: Path):
        self.path = path
        self.notes: list[str] = []
        self.stored = stored(path)
        self.size, self.opened = self.stored.size, self.stored.opened

    @abstractmethod
    def members(self) -> Iterable[Member]:
        """List all entries.

        Raises
        ------
        InputError
            The archive is damaged, truncated or of a variant that is not read.
        NetworkFault
        """

    @abstractmethod
    def read(self, numbers: Sequence[int]) -> bytes:
        """Read one file of the archive.

        Raises
        ------
        Fault
            Its bytes can't be had.
        """


class Archive(Source):
    """Files in one or several archives of one kind.

    Parameters
    ----------
    files : sequence of ArchiveFile

    Attributes
    ----------
    listing : Listing
        Pictures and other files; companions that systems leave are in neither.
    notes : list of str
        What was left out or taken otherwise than it is written.

    Raises
    ------
    InputError
        As for `ArchiveFile.members`.
    """

    def __init__(self, files: Sequence[ArchiveFile]):
        self.files = list(files)
        self.notes: list[str] = []
        self._odd: list[str] = []
        self._twice: Counter[str] = Counter()
        self._broken: list[str] = []
        numbers = array("q")
        try:
            found = [self._listed(number, numbers) for number in range(len(files))]
        except NetworkFault as fault:
            raise fault.as_error() from fault
        self._numbers = np.frombuffer(numbers, dtype=np.int64).reshape(-1, files[0].width + 1)
        self._row = self._united(found)
        self.listing = _listing(self._row, self._broken)
        for file in files:
            self.notes += file.notes
        if self._odd:
            self.notes.append(
                f"{some_of(self._odd)} members whose names are no plain paths in UTF-8 are left out"
            )
        if self._twice:
            self.notes.append(
                f"{some_of(list(self._twice))} names come more than once; the last member of each "
                "is taken, as unpacking would"
            )

    def __reduce__(self):
        return _again, (type(self.files[0]), tuple(str(one.path.absolute()) for one in self.files))

    def __contains__(self, path: object) -> bool:
        """See `Source.__contains__`."""
        return path in self._row

    def open(self, path: str) -> Opened:
        """See `Source.open`."""
        if path not in self._row:
            raise Fault("MISSING")
        number, *numbers = self._numbers[self._row[path]].tolist()
        return Opened(numbers[0], partial(self._read, number, numbers))

    def read(self, path: str, limit: int) -> bytes:
        """Read a file that is no picture, of at most `limit` bytes.

        Raises
        ------
        Fault
            It is larger, or can't be read.
        InputError
            It can't be had now.
        """
        opened = self.open(path)
        if opened.size > limit:
            raise Fault("BYTES", size=opened.size, limit=limit)
        try:
            return opened.read()
        except NetworkFault as fault:
            raise fault.as_error() from fault

    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """See `Source.sizes`."""
        return self._numbers[[self._row[path] for path in paths], 1]

    def changed(self, path: str) -> int:
        """Give when the archive last changed: nothing else is known of a member."""
        return self.files[self._numbers[self._row[path], 0]].stored.changed

    def _read(self, number: int, numbers: list[int]) -> bytes:
        try:
            return self.files[number].read(numbers)
        except OSError as error:
            raise read_fault(error) from error

    def _listed(self, number: int, numbers: array) -> dict[str, int]:
        """List the files of one archive; links get the row of the file that they lead to."""
        row: dict[str, int] = {}
        links: dict[str, str] = {}
        width = self.files[0].width + 1
        for member in self.files[number].members():
            name = _tidied(member.name)
            if member.kind == "folder":
                continue
            if NOT_A_PATH.search(name) or CONTROL.search(name):
                self._odd.append(name)
            elif any(map(is_companion, name.split("/"))):
                continue
            elif member.kind == "other":
                self._broken.append(name)
            else:
                if name in row or name in links:
                    self._twice[name] += 1
                    row.pop(name, None)
                    links.pop(name, None)
                if member.kind == "link":
                    links[name] = posixpath.normpath(member.target)
                else:
                    row[name] = len(numbers) // width
                    numbers.extend((number, *member.numbers))
        for name, target in links.items():
            for _ in range(HOPS):
                target = links.get(target, target)
            if target in row and target not in links:
                row[name] = row[target]
            else:
                self._broken.append(name)
        return row

    def _united(self, found: list[dict[str, int]]) -> dict[str, int]:
        """Make one table of all; names that archives share get the archives' names in front."""
        row = {name: at for one in found for name, at in one.items()}
        if len(row) < sum(map(len, found)):
            top = os.path.commonpath([os.path.dirname(os.path.abspath(f.path)) for f in self.files])
            fronts = [
                Path(os.path.relpath(os.path.abspath(file.path), top)).with_suffix("").as_posix()
                for file in self.files
            ]
            pairs = zip(fronts, found, strict=True)
            row = {f"{front}/{name}": at for front, one in pairs for name, at in one.items()}
            self.notes.append(
                "archives have members of one name: the archive's name stands before each, as in "
                f"{next(iter(row))!r}"
            )
        return _unwrapped(row)


def _again(kind: type[ArchiveFile], paths: tuple[str, ...]) -> Archive:
    """Open archives in another process, once for all of its tasks."""
    files = [stored(located(path)) for path in paths]
    key = kind, paths, tuple((file.size, file.tag) for file in files)
    if key not in _OPENED:
        _OPENED.clear()
        _OPENED[key] = Archive([kind(located(path)) for path in paths])
    return _OPENED[key]


_OPENED: dict[object, Archive] = {}


def _tidied(name: str) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _unwrapped(row: dict[str, int]) -> dict[str, int]:
    """Take a data set's own folder away where it is all that the archive holds at its top."""
    tops = {name.partition("/")[0] for name in row}
    if len(tops) != 1 or next(iter(tops)) in row or tops == {"images"}:
        return row
    (top,) = tops
    inner = f"{top}/images/"
    if f"{top}/labels.csv" not in row and not any(name.startswith(inner) for name in row):
        return row
    return {name[len(top) + 1 :]: at for name, at in row.items()}


def _listing(names: Iterable[str], broken: list[str]) -> Listing:
    suffixes = image_suffixes()
    found = Listing(broken=sorted(broken))
    for name in names:
        is_picture = posixpath.splitext(name)[1].lower() in suffixes
        (found.pictures if is_picture else found.others).append(name)
    found.pictures.sort()
    found.others.sort()
    return found
