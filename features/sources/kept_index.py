"""The list of a tar's members, if it is long or on a server, kept in the user's cache folder.

It belongs to one path, size and time of modification; whatever differs, it is made again.
"""

import time
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.files import atomic_write, sha256_of_text
from features.files.places import cache_folder
from features.sources.archive import ArchiveFile, Member
from features.sources.remote.address import Address

VERSION = 1
FEWEST = 20_000  # members that are worth a file
SETTLED = 2e9  # ns: an archive that is younger may change without a new time
KINDS = ("file", "link", "folder", "other")
_FIELDS = ("names", "targets", "kinds", "numbers", "notes", "stamp")


class KeptIndex:
    """Members of one archive, gathered while they are listed.

    Parameters
    ----------
    file : ArchiveFile
    """

    def __init__(self, file: ArchiveFile):
        self._file = file
        self._names: list[str] = []
        self._targets: list[str] = []
        self._kinds = bytearray()
        self._numbers = array("q")

    def add(self, member: Member) -> None:
        """Take one more member."""
        self._names.append(member.name)
        self._targets.append(member.target)
        self._kinds.append(KINDS.index(member.kind))
        self._numbers.extend(member.numbers or (0,) * self._file.width)

    def write(self) -> None:
        """Keep the list, if it is long enough and there is a place for it."""
        texts = self._names, self._targets, self._file.notes
        remote = isinstance(self._file.path, Address)
        young = time.time_ns() - self._file.stored.changed < SETTLED
        few = len(self._names) < FEWEST
        unsure = not self._file.stored.tag if remote else young or few
        if unsure or any("\0" in x for text in texts for x in text):
            return
        path = _path(self._file)
        with suppress(OSError, InputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary, open(temporary, "wb") as out:
                np.savez(
                    out, allow_pickle=False, names=_joined(self._names),
                    targets=_joined(self._targets), notes=_joined(self._file.notes),
                    kinds=np.frombuffer(bytes(self._kinds), dtype=np.uint8),
                    numbers=np.frombuffer(self._numbers, dtype=np.int64),
                    stamp=_stamp(self._file),
                )  # fmt: skip


def read_kept(file: ArchiveFile) -> Iterator[Member] | None:
    """Give the members of an archive that are kept; None if none are, or of another state of it."""
    try:
        with open(_path(file), "rb") as raw, np.load(raw, allow_pickle=False) as kept:
            names, targets, kinds, numbers, notes, stamp = (kept[field] for field in _FIELDS)
        found = _split(names), _split(targets), kinds.tolist()
        numbers = numbers.reshape(-1, file.width)
        if not np.array_equal(stamp, _stamp(file)) or {*map(len, found)} != {len(numbers)}:
            return None
        file.notes += _split(notes)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    rows = map(tuple, numbers.tolist())
    return (
        Member(name, KINDS[kind], row, target)
        for name, target, kind, row in zip(*found, rows, strict=True)
    )


def _path(file: ArchiveFile) -> Path:
    name = sha256_of_text(str(file.path.resolve()).encode("utf-8", "surrogateescape").hex())
    return cache_folder() / f"archive-{name[:32]}.npz"


def _stamp(file: ArchiveFile) -> np.ndarray:
    return np.array([VERSION, file.size, file.stored.tag], dtype=np.int64)


def _joined(texts: list[str]) -> np.ndarray:
    raw = "".join(f"{text}\0" for text in texts).encode("utf-8", "surrogateescape")
    return np.frombuffer(raw, dtype=np.uint8)


def _split(raw: np.ndarray) -> list[str]:
    return raw.tobytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
