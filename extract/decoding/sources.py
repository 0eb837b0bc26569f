"""Read the bytes of a regular file, and tell what is no image from how it begins."""

import errno
import os
import stat
from pathlib import Path

from extract.decoding.reasons import Reason

_OPEN_ERRORS = {
    errno.ENOENT: Reason.MISSING,
    errno.ENOTDIR: Reason.MISSING,
    errno.ELOOP: Reason.MISSING,
    errno.EISDIR: Reason.FOLDER,
    errno.EACCES: Reason.FORBIDDEN,
    errno.EPERM: Reason.FORBIDDEN,
    errno.ENXIO: Reason.SPECIAL,
}
#: How files begin that are often found under an image's name.
_OTHER_KINDS = (
    (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull`"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
    (b"%!ps", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"%pdf", "a PDF file"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89hdf", "an HDF5 file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cjxl ", "a JPEG XL file"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def open_regular(path: Path) -> tuple[int, int]:
    """Open a regular file for reading, and nothing that could block or has no end.

    Parameters
    ----------
    path : Path
        A file, or a link to one.

    Returns
    -------
    descriptor, size : int
        Of the open file, and its size in bytes. The caller closes it.

    Raises
    ------
    ImageFailure
        There is no such file, it can't be opened, or it is a folder, a FIFO, a socket or a device.
    """
    try:
        # A FIFO without a writer would block otherwise.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _failure(error) from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found.st_size
    os.close(descriptor)
    raise (Reason.FOLDER if stat.S_ISDIR(found.st_mode) else Reason.SPECIAL).failure()


def read_all(descriptor: int) -> bytes:
    """Read a file to its end and close it.

    Raises
    ------
    ImageFailure
        The disk reports an error.
    """
    try:
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError as error:
        raise _failure(error) from error


def _failure(error: OSError) -> Exception:
    reason = _OPEN_ERRORS.get(error.errno or 0, Reason.IO_ERROR)
    return reason.failure(code=errno.errorcode.get(error.errno or 0, "an unknown error"))


def kind_of(raw: bytes) -> str:
    """Say what a file is that begins so, if it is often found under another's name; or nothing.

    Examples
    --------
    >>> kind_of(b"<!DOCTYPE html>"), kind_of(b"data")
    ('an HTML page', '')
    """
    start = raw[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for begins, kind in _OTHER_KINDS if start.startswith(begins)), "")


def unidentified(raw: bytes) -> Exception:
    """Say what bytes are that no decoder recognizes."""
    if kind := kind_of(raw):
        return Reason.OTHER_KIND.failure(kind=kind)
    if raw[4:8] == b"ftyp":
        if raw[8:12] in _HEIF_BRANDS:
            return Reason.NO_HEIF.failure()
        if raw[8:11] == b"crx":
            return Reason.CAMERA_RAW.failure()
        return Reason.OTHER_KIND.failure(kind="a video or another ISO media file")
    return Reason.UNKNOWN.failure()
