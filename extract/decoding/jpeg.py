"""Decode JPEG files, and find those of which the decoder has to invent parts.

libjpeg fills what is missing with gray and goes on with a warning. Pillow and torchvision drop the
warnings; simplejpeg, which decodes with the same library and gives the same pixels, reports the
first one. Faults that cost no pixel are mended and the file is decoded again.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import simplejpeg

from extract.decoding import jpeg_zeros
from extract.decoding.reasons import Reason

START = b"\xff\xd8\xff"
END = b"\xff\xd9"
_PREMATURE = "Premature end of JPEG file"
_BAD_PROFILE = "Corrupt JPEG data: bad ICC marker"
_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")
#: Warnings about parameters that cost no pixel.
_HARMLESS = (
    "Invalid SOS parameters for sequential JPEG",
    "Inconsistent progression sequence",
    "Warning: unknown JFIF revision number",
    "Unknown Adobe color transform code",
)
_SEGMENTS_KEPT = frozenset({0xE0, 0xEE})  # JFIF and Adobe: they say how colors are stored


class Header(NamedTuple):
    """What stands in front of the image data.

    Attributes
    ----------
    raw : bytes
        The file, without its metadata if they keep the decoder from reading it.
    width, height : int
        In pixels; both 0 if only Pillow can tell.
    colors : str
        `Gray`, `YCbCr`, `RGB`, `CMYK` or `YCCK`; empty for unusual sampling factors, which
        simplejpeg does not decode.
    """

    raw: bytes
    width: int
    height: int
    colors: str


def header(raw: bytes) -> Header:
    """Read the header.

    Raises
    ------
    ImageFailure
        The file ends before its image begins, or is of a kind that libjpeg does not read.
    """
    for data in (raw, tidied(raw)):
        try:
            height, width, colors, _ = simplejpeg.decode_jpeg_header(data, strict=False)
            return Header(data, width, height, colors)
        except (ValueError, KeyError) as error:
            if isinstance(error, KeyError) or "subsampling" in str(error):
                return Header(tidied(raw), 0, 0, "")
    raise _refused(raw)


def decode(raw: bytes, colors: str, *, shrink: int = 1) -> tuple[np.ndarray, Reason | None]:
    """Decode a file.

    Parameters
    ----------
    raw : bytes
        The file.
    colors : {"RGB", "CMYK", "GRAY"}
        What the samples are to be.
    shrink : {1, 2, 4, 8}
        Let the decoder divide both sides by this.

    Returns
    -------
    pixels : ndarray of uint8, shape (height, width, channels)
    damage : Reason or None
        Why parts of the pixels are invented, if they are.

    Raises
    ------
    ImageFailure
        Nothing can be decoded.
    """
    try:
        return _pixels(raw, colors, shrink, strict=True), _hole(raw)
    except ValueError as error:
        warning = str(error)
    for mended in _mended(raw, warning):
        try:
            return _pixels(mended, colors, shrink, strict=True), _hole(mended)
        except ValueError:
            continue
    try:
        pixels = _pixels(raw, colors, shrink, strict=False)
    except ValueError as error:
        raise _refused(raw) from error
    if warning.startswith(_HARMLESS):
        return pixels, None
    return pixels, Reason.JPEG_TRUNCATED if warning == _PREMATURE else Reason.JPEG_DAMAGED


def _hole(raw: bytes) -> Reason | None:
    return Reason.JPEG_DAMAGED if jpeg_zeros.has_hole(raw) else None


def is_damaged(raw: bytes) -> bool:
    """Tell whether the decoder has to invent parts of a file that can be decoded."""
    colors = simplejpeg.decode_jpeg_header(raw, strict=False)[2]
    inks = colors in ("CMYK", "YCCK")
    return decode(raw, "CMYK" if inks else "GRAY", shrink=8)[1] is not None


def _pixels(raw: bytes, colors: str, shrink: int, *, strict: bool) -> np.ndarray:
    smallest = {}
    if shrink > 1:
        height, width, *_ = simplejpeg.decode_jpeg_header(raw, strict=False)
        smallest = {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
    # The slow, exact settings, which are also libjpeg's defaults.
    return simplejpeg.decode_jpeg(
        raw, colors, fastdct=False, fastupsample=False, strict=strict, **smallest
    )


def _refused(raw: bytes) -> Exception:
    _, start = _scan(raw)
    return Reason.VARIANT.failure(format="JPEG") if start else Reason.TRUNCATED.failure()


def _mended(raw: bytes, warning: str) -> Iterator[bytes]:
    """Yield the file without a fault that may have caused the warning and cost no pixel."""
    if warning == _PREMATURE:  # all data may be there and the end marker alone be missing
        yield raw + END
        return
    found = _EXTRANEOUS.match(warning)
    if not found:
        if warning == _BAD_PROFILE:
            yield tidied(raw)
        return
    count, marker = int(found[1]), int(found[2], 16)
    if marker == END[1]:
        # Some cameras pad the data in front of the end marker. A decoder that lost its step
        # leaves bytes there too, but not the same one over and over.
        for place in re.finditer(re.escape(END), raw):
            padding = raw[place.start() - count : place.start()]
            if len(set(padding)) == 1:
                yield raw[: place.start() - count] + raw[place.start() :]
    else:
        yield tidied(raw)


def tidied(raw: bytes) -> bytes:
    """Drop metadata, and bytes between segments that belong to none, in front of the image data."""
    segments, start = _scan(raw)
    if not start:
        return raw
    kept = [
        raw[first:last]
        for marker, first, last in segments
        if marker in _SEGMENTS_KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE)
    ]
    return b"".join([raw[:2], *kept, raw[start:]])


def exif(raw: bytes) -> bytes | None:
    """Find the EXIF segment in front of the image data."""
    for marker, first, last in _scan(raw)[0]:
        if marker == 0xE1 and raw[first + 4 : first + 10] == b"Exif\0\0":
            return raw[first + 4 : last]
    return None


def _scan(raw: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """List (marker, first byte, end) of the segments, and where the image data starts, or 0."""
    segments: list[tuple[int, int, int]] = []
    place = 2
    while 0 <= (place := raw.find(b"\xff", place)) < len(raw) - 3:
        marker = raw[place + 1]
        if marker == 0xDA:
            return segments, place
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9:  # no marker, or one without length
            place += 1
            continue
        end = place + 2 + int.from_bytes(raw[place + 2 : place + 4], "big")
        segments.append((marker, place, end))
        place = end
    return segments, 0
