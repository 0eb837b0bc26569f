"""Zip files: `zipfile` reads the list of members at their end, which are read by their offsets."""

import io
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from features.datasets import Dataset
from features.errors import InputError
from features.sources.archive import Archive, ArchiveFile, Member
from features.sources.archived import load_archive
from features.sources.base import Fault
from features.sources.remote.errors import NetworkFault
from features.sources.stored import AsFile, read_all

_LOCAL = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field
_LOCAL_SIGNATURE = b"PK\x03\x04"
_UTF_8 = 0x800
_ENCRYPTED = 0x1 | 0x40
_UNIX = 3
_LONGEST_LINK = 4096
_NAMES_ROOM = 512  # bytes that name and extra field seldom pass: one read then gives a member
_LIST_BLOCK = 1 << 16  # bytes that are read at once while members are listed
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAMES = {6: "implode", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstandard", 95: "xz"}
#: What zipfile raises on a list of members that is damaged.
_BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, OverflowError, EOFError, LookupError,
    RuntimeError, struct.error, TypeError, AttributeError,
)  # fmt: skip


def load(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
    """Make a data set of zip files; see `features.sources.archived.load_archive`."""
    return load_archive(Archive([ZipArchive(path) for path in paths]), strict_names=strict_names)


class ZipArchive(ArchiveFile):
    """A zip file."""

    width = 6  # size, offset of the header, stored size, method, flags, checksum

    def members(self) -> Iterator[Member]:
        """See `ArchiveFile.members`."""
        try:
            with self.opened() as read:
                file = io.BufferedReader(AsFile(read, self.size), _LIST_BLOCK)
                infos = zipfile.ZipFile(file).infolist()
        except _BROKEN as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{self.path} is no whole zip file: the list of its members, at its end, is "
                "missing or damaged. Copy it again; `zip -FF` finds what is left."
            ) from error
        except OSError as error:
            raise InputError(f"{self.path} can't be read: {error.strerror or error}.") from error
        for info in infos:
            yield self._member(info)

    def _member(self, info: zipfile.ZipInfo) -> Member:
        name = _name(info)
        mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
        numbers = (
            info.file_size, info.header_offset, info.compress_size, info.compress_type,
            info.flag_bits, info.CRC,
        )  # fmt: skip
        if name.endswith("/"):
            return Member(name, "folder")
        if max(numbers) >= 2**63 or min(numbers) < 0:
            return Member(name, "other")
        if stat.S_ISLNK(mode):
            return Member(name, "link", target=self._target(name, numbers))
        is_file = not stat.S_IFMT(mode) or stat.S_ISREG(mode)
        return Member(name, "file" if is_file else "other", numbers)

    def _target(self, name: str, numbers: tuple[int, ...]) -> str:
        """Read where a link leads; nothing has the empty name."""
        try:
            raw = self.read(numbers) if numbers[0] <= _LONGEST_LINK else b""
        except NetworkFault:
            raise
        except Fault:
            return ""
        return posixpath.join(posixpath.dirname(name), raw.decode("utf-8", "replace"))

    def read(self, numbers: Sequence[int]) -> bytes:
        """See `ArchiveFile.read`."""
        size, offset, stored, method, flags, checksum = numbers
        if flags & _ENCRYPTED:
            raise Fault("ENCRYPTED")
        if method not in _READ:
            raise Fault("METHOD", method=_NAMES.get(method, f"method {method}"))
        with self.opened() as read:
            room = min(_LOCAL.size + _NAMES_ROOM + stored, max(self.size - offset, _LOCAL.size))
            start = read_all(read, room, offset)
            signature, *lengths = _LOCAL.unpack(start[: _LOCAL.size])
            if signature != _LOCAL_SIGNATURE:
                raise Fault("MEMBER")
            if offset + stored > self.size:
                raise Fault("ARCHIVE_ENDS")
            begin = _LOCAL.size + sum(lengths)
            raw = start[begin : begin + stored]
            if len(raw) < stored:
                at = offset + begin + len(raw)
                raw += read_all(read, stored - len(raw), at)
        if method == zipfile.ZIP_DEFLATED:
            raw = _inflated(raw, size)
        if len(raw) != size or zlib.crc32(raw) != checksum:
            raise Fault("CHECKSUM")
        return raw


def _inflated(raw: bytes, size: int) -> bytes:
    """Inflate to one byte more than is declared at most: a bomb unfolds no further."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, size + 1)
    except zlib.error as error:
        raise Fault("MEMBER") from error


def _name(info: zipfile.ZipInfo) -> str:
    """Read a name without the UTF-8 mark as UTF-8 where it is that, as many programs write it."""
    name = info.filename
    if not info.flag_bits & _UTF_8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name if info.create_system == _UNIX else name.replace("\\", "/")
