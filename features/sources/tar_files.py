"""Tar files: members are found once, by `tarfile`, and then read by their offsets."""

import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.datasets import Dataset
from features.errors import InputError
from features.sources.archive import Archive, ArchiveFile, Member
from features.sources.archived import load_archive
from features.sources.kept_index import KeptIndex, read_kept
from features.sources.remote.on_server import Ahead, OnServer
from features.sources.stored import Reader, read_all

MOST_METADATA = 16 << 20  # bytes of a long name or of pax records: more is a damaged header
_BLOCK = tarfile.BLOCKSIZE
#: What tarfile raises on headers that are damaged or were made to be.
_BROKEN = (
    tarfile.TarError, ValueError, OverflowError, RecursionError, LookupError, ArithmeticError,
    TypeError, AttributeError, OSError,
)  # fmt: skip


def load(paths: Sequence[Path], *, strict_names: bool = False) -> Dataset:
    """Make a data set of tar files; see `features.sources.archived.load_archive`."""
    return load_archive(Archive([TarArchive(path) for path in paths]), strict_names=strict_names)


class TarArchive(ArchiveFile):
    """A tar file that is not compressed."""

    width = 2  # size, offset

    def members(self) -> Iterator[Member]:
        """See `ArchiveFile.members`; a long list is kept for the next time."""
        kept = read_kept(self)
        if kept is not None:
            yield from kept
            return
        index = KeptIndex(self)
        for member in self._found():
            index.add(member)
            yield member
        index.write()

    def _found(self) -> Iterator[Member]:
        with self.opened() as opened:
            last = 0
            read = Ahead(opened) if isinstance(self.stored, OnServer) else opened
            try:
                tar = tarfile.open(  # noqa: SIM115 - it closes nothing
                    fileobj=_Window(read),  # type: ignore[call-overload]
                    mode="r:",
                    encoding="utf-8",
                    errors="surrogateescape",
                )
                for info in _infos(tar):
                    last = info.offset_data
                    if info.size < 0 or tar.offset <= info.offset:
                        raise self._damaged(info.offset)
                    if info.isreg() and info.offset_data + info.size > self.size:
                        raise InputError(
                            f"{self.path} is truncated: it ends inside {info.name!r}. Copy it "
                            "again."
                        )
                    yield _member(info)
            except _BROKEN as error:
                if isinstance(error, InputError):
                    raise
                if "unexpected end" in str(error):
                    raise self._truncated() from error
                raise self._damaged(last) from error
            self._check_end(read, tar.offset)

    def read(self, numbers: Sequence[int]) -> bytes:
        """See `ArchiveFile.read`."""
        size, offset = numbers
        with self.opened() as read:
            return read_all(read, size, offset)

    def _check_end(self, read: Reader, offset: int) -> None:
        """Tell an end from a damaged header, at which tarfile ends without a word."""
        block = read(_BLOCK, offset)
        if any(block) and len(block) == _BLOCK:
            raise self._damaged(offset)
        if any(block):
            raise self._truncated()
        if len(block) < _BLOCK:
            self.notes.append(f"{self.path} has no end mark: it may be truncated")
        elif any(read(20 * _BLOCK, offset)):
            self.notes.append(
                f"{self.path}: what lies behind its end mark, at byte {offset}, is left out"
            )

    def _truncated(self) -> InputError:
        return InputError(f"{self.path} is truncated: it ends inside a header. Copy it again.")

    def _damaged(self, offset: int) -> InputError:
        return InputError(
            f"{self.path} is damaged: behind byte {offset} there is no header of a member. Copy it "
            "again, or unpack what is whole and give that folder."
        )


def _infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them, a kilobyte each
        yield info


def _member(info: tarfile.TarInfo) -> Member:
    if info.isdir():
        return Member(info.name, "folder")
    if info.issym():
        target = posixpath.join(posixpath.dirname(info.name), info.linkname)
        return Member(info.name, "link", target=target)
    if info.islnk():
        return Member(info.name, "link", target=info.linkname)
    if info.isreg() and not info.issparse():
        return Member(info.name, "file", (info.size, info.offset_data))
    return Member(info.name, "other")


class _Window:
    """What tarfile reads through: it keeps a damaged header from asking for gigabytes."""

    def __init__(self, read: Reader):
        self._read = read
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_METADATA:
            raise tarfile.ReadError(f"metadata of {size} bytes")
        data = self._read(size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset < 0 or whence:
            raise tarfile.ReadError("a negative offset")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Keep what it reads through, which is not its own."""
