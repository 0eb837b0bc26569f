"""The closed list of reasons why an image fails.

A decoder's own text never reaches a cache: it may hold addresses or paths, and then two runs would
not end with the same bytes.
"""

from enum import Enum

from features.errors import with_article
from features.schema import Status


class ImageFailure(Exception):
    """An image that can't be used: a `Status` and one line.

    Parameters
    ----------
    status : Status
        What kind of failure.
    message : str
        What was wrong with the file.
    digest : str
        Hex SHA-256 of the bytes; empty if they could not be read.
    """

    def __init__(self, status: Status, message: str, digest: str = ""):
        super().__init__(message)
        self.status = status
        self.message = " ".join(message.split())
        self.digest = digest


class Reason(Enum):
    """Why an image fails: a status, and a text with places for facts about the file."""

    MISSING = Status.UNREADABLE, "there is no such file"
    FOLDER = Status.UNREADABLE, "it is a folder"
    FORBIDDEN = Status.UNREADABLE, "no permission to read it"
    SPECIAL = Status.UNREADABLE, "it is a FIFO, a socket or a device, not a file"
    IO_ERROR = Status.UNREADABLE, "reading it failed with {code}"

    ENCRYPTED = (
        Status.UNREADABLE,
        "encrypted in its archive; make the archive again without a password",
    )
    METHOD = (
        Status.UNREADABLE,
        "compressed in its archive by {method}, which is not read; store it, or deflate it",
    )
    MEMBER = Status.UNREADABLE, "damaged in its archive"
    CHECKSUM = Status.UNREADABLE, "damaged in its archive: size or checksum are others"
    ARCHIVE_ENDS = Status.UNREADABLE, "the archive ends before it does"

    SERVER = Status.UNREADABLE, "its server answered with status {code}"
    SLOW = Status.UNREADABLE, "its server did not answer in time"
    BROKEN_OFF = Status.UNREADABLE, "the connection to its server ended before it did"
    CHANGED = Status.UNREADABLE, "it has another size than when it was listed"

    NULL = Status.UNREADABLE, "its row has no bytes"

    EMPTY = Status.UNDECODABLE, "the file is empty"
    OTHER_KIND = Status.UNDECODABLE, "cannot identify an image: it is {kind}"
    UNKNOWN = Status.UNDECODABLE, "cannot identify an image format that is read"
    CAMERA_RAW = (
        Status.UNDECODABLE,
        "camera raw files are not read; develop it to a JPEG, PNG or TIFF file",
    )
    NO_HEIF = (
        Status.UNDECODABLE,
        "a HEIC or HEIF file needs `pip install 'multilabel-from-cache[photos]'`",
    )
    VARIANT = Status.UNDECODABLE, "{a_format} file that is damaged or of a variant that is not read"
    SAMPLES = (
        Status.UNDECODABLE,
        "a TIFF file with {kind} of {bits} bits in {channels} samples per pixel, which are not "
        "read; floats are, of 32 bits in one sample. Convert it, for instance to 16-bit integers",
    )
    PARTS = (
        Status.UNDECODABLE,
        "a TIFF file of whose {total} strips or tiles only {count} are there; copy it again "
        "whole, or convert it to one that has all",
    )
    NOT_MERGED = (
        Status.UNDECODABLE,
        "a Photoshop file of layers without their merged image; save it with maximized "
        "compatibility, or export it to a JPEG or PNG file",
    )
    TRUNCATED = Status.UNDECODABLE, "truncated: the file ends before its image does"
    DAMAGED = Status.UNDECODABLE, "damaged: its {format} data can't be decoded"
    JPEG_TRUNCATED = (
        Status.UNDECODABLE,
        "truncated JPEG data: the rest of the image would be invented; --accept-damaged takes it",
    )
    JPEG_DAMAGED = (
        Status.UNDECODABLE,
        "damaged JPEG data: parts of the image would be invented; --accept-damaged takes it",
    )
    ZEROS = (
        Status.UNDECODABLE,
        "zeros stand for parts of its data, as after an interrupted copy: parts of the image would "
        "be invented; copy it again, or --accept-damaged takes it",
    )
    TIFF_DAMAGED = (
        Status.UNDECODABLE,
        "damaged TIFF data: parts of the image would be invented; --accept-damaged takes it",
    )
    COLORS = Status.UNDECODABLE, "its colors ({mode}) can't be converted to RGB"
    NOT_FINITE = Status.UNDECODABLE, "it has samples that are not finite"
    NO_RANGE = (
        Status.UNDECODABLE,
        "samples from {low:g} to {high:g} of {kind} without a stated range: which value is white "
        "can't be known; --white-level states it",
    )

    PIXELS = Status.TOO_LARGE, "{width} x {height} pixels, more than --max-pixels {limit}"
    BOMB = Status.TOO_LARGE, "more pixels than --max-pixels {limit}"
    BYTES = Status.TOO_LARGE, "{size} bytes, more than any image of --max-pixels {limit} has"
    MEMORY = Status.TOO_LARGE, "there was too little memory to decode it"

    def failure(self, **facts: object) -> ImageFailure:
        """Make the exception, with the facts that the text has places for."""
        status, text = self.value
        a_format = with_article(str(facts.get("format")))
        return ImageFailure(status, text.format(**facts, a_format=a_format))
