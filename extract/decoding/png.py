"""The parts of a PNG file that Pillow does not tell: chunks, significant bits, missing rows."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from extract.decoding.reasons import ImageFailure, Reason

START = b"\x89PNG\r\n\x1a\n"
#: Chunks that pixels or their orientation depend on; the first frame of an animation is in IDAT.
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sBIT", b"eXIf", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip  # Adam7: first column, first row, and the steps between them
_BLOCK = 1 << 20


def _chunks(raw: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, first byte and end of every chunk; the last one may be cut off."""
    place = len(START)
    while place + 8 <= len(raw):
        end = place + 12 + int.from_bytes(raw[place : place + 4], "big")
        yield raw[place + 4 : place + 8], place, end
        place = end


def without_metadata(raw: bytes) -> bytes:
    """Leave out every chunk that no pixel depends on."""
    parts = [raw[first:end] for kind, first, end in _chunks(raw) if kind in _KEPT]
    return b"".join([START, *parts])


def significant_bits(raw: bytes) -> int | None:
    """Read how many bits of a color sample sBIT calls significant; None without that chunk."""
    for kind, first, end in _chunks(raw):
        if kind == b"sBIT":
            bits = raw[first + 8 : end - 4]
            colors = bits[:-1] if len(bits) in (2, 4) else bits  # the last one is of alpha
            return max(colors, default=None)
        if kind == b"IDAT":
            break
    return None


def fault(image: Image.Image, raw: bytes) -> ImageFailure | None:
    """Say whether a file that was decoded ended early, or has wrong data; None if it is sound."""
    # Rows are decoded in order, and missing ones are zero.
    last = image.crop((0, image.height - 1, image.width, image.height)).tobytes()
    if (not any(last) or image.info.get("interlace")) and not holds_all_rows(raw):
        return Reason.TRUNCATED.failure()
    return Reason.DAMAGED.failure(format="PNG") if is_damaged(raw) else None


def holds_all_rows(raw: bytes) -> bool:
    """Tell whether the image data unpack to as many bytes as the header promises.

    Pillow leaves the rows black that are missing when the compressed stream ends early.
    """
    header = raw[16:29]
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(color, 1)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    promised = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            promised += rows * (1 + -(-columns * bits // 8))
    return _unpacked(raw, promised) >= promised


def is_damaged(raw: bytes) -> bool:
    """Tell whether image data are proved wrong: by a chunk's checksum and that of the stream.

    Pillow looks at neither, and gives other pixels. A chunk whose checksum alone is wrong is sound.
    """
    view = memoryview(raw)
    for kind, first, end in _chunks(raw):
        if kind == b"IDAT" and end <= len(raw):
            stored = int.from_bytes(view[end - 4 : end], "big")
            if zlib.crc32(view[first + 4 : end - 4]) != stored:
                return not _is_whole_stream(raw)
    return False


def _is_whole_stream(raw: bytes) -> bool:
    stream = zlib.decompressobj()
    for kind, first, end in _chunks(raw):
        data = raw[first + 8 : end - 4] if kind == b"IDAT" else b""
        while data and not stream.eof:
            try:
                stream.decompress(data, _BLOCK)
            except zlib.error:
                return False
            data = stream.unconsumed_tail
    return stream.eof


def _unpacked(raw: bytes, enough: int) -> int:
    """Count the bytes of the unpacked image data, without keeping them."""
    stream, count = zlib.decompressobj(), 0
    for kind, first, end in _chunks(raw):
        data = raw[first + 8 : end - 4] if kind == b"IDAT" else b""
        while data and not stream.eof and count < enough:
            try:
                count += len(stream.decompress(data, _BLOCK))
            except zlib.error:
                return count
            data = stream.unconsumed_tail
    return count
