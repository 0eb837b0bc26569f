"""Leave the metadata out of a WebP file whose chunks can't all be read, and find data unread.

Source: RFC 9649 (the container and the lossless code) and RFC 6386 (the lossy code).
"""

import io
from collections.abc import Iterator

from PIL import Image

START = b"RIFF"
_KEPT = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
_METADATA_FLAGS = 0x2C  # in VP8X: color profile, EXIF, XMP
_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"
_FRAME_HEADER = 16  # bytes of ANMF in front of its chunks
_LOSSY_HEADER = 10
_SHORTEST_CUT = 8  # bytes; encoders write fewer than the decoder does not need


def without_metadata(raw: bytes) -> bytes:
    """Keep the chunks that pixels depend on.

    Parameters
    ----------
    raw : bytes
        A file that starts with `START`; another RIFF file than WebP gives bytes that are no image.

    Returns
    -------
    bytes
    """
    parts = []
    for kind, chunk in _chunks(raw, 12):
        if kind == b"VP8X" and len(chunk) > 8:
            parts.append(chunk[:8] + bytes([chunk[8] & ~_METADATA_FLAGS]) + chunk[9:])
        elif kind in _KEPT:
            parts.append(chunk)
    return _file(b"".join(parts))


def leaves_data_unread(raw: bytes, run: int) -> bool:
    """Tell whether the first frame needs less data than it has, where some of them are zeros.

    Zeros alone prove nothing: fast encoders write thousands for a plain picture. But a code of
    zeros is the shortest there is, so that pixels invented from them end before the data do, while
    a sound encoder ends with what the decoder needs last.

    Parameters
    ----------
    raw : bytes
        A file that was decoded.
    run : int
        So many zeros in a row are worth a look, and so many bytes are left out for it.

    Returns
    -------
    bool
        False also where it can't be known, as of a lossless picture of noise.
    """
    kind, data = _first_frame(raw)
    if bytes(run) not in data:
        return False
    shorter = []
    head = int.from_bytes(data[:3], "little")
    first = _LOSSY_HEADER + (head >> 5) if kind == _LOSSY else 0  # end of the first partition
    cut = min(run, (len(data) - first) // 2)
    if cut >= _SHORTEST_CUT:
        shorter.append(data[:-cut])
    if kind == _LOSSY and data.find(bytes(run), _LOSSY_HEADER, first) >= 0:
        cut = min(run, (first - _LOSSY_HEADER) // 2)
        head = (head & 31) | (head >> 5) - cut << 5
        shorter.append(head.to_bytes(3, "little") + data[3 : first - cut] + data[first:])
    return any(_is_decoded(kind, one) for one in shorter)


def _chunks(raw: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind of each chunk and the whole of it."""
    while place + 8 <= len(raw):
        size = int.from_bytes(raw[place + 4 : place + 8], "little")
        end = place + 8 + size + size % 2
        yield raw[place : place + 4], raw[place:end]
        place = end


def _first_frame(raw: bytes) -> tuple[bytes, bytes]:
    for kind, chunk in _chunks(raw, 12):
        if kind == b"ANMF":
            return _first_frame(bytes(12) + chunk[8 + _FRAME_HEADER :])
        if kind in (_LOSSY, _LOSSLESS):
            return kind, chunk[8 : 8 + int.from_bytes(chunk[4:8], "little")]
    return b"", b""


def _is_decoded(kind: bytes, data: bytes) -> bool:
    chunk = kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
    try:
        Image.open(io.BytesIO(_file(chunk)), formats=("WEBP",)).load()
    except Exception:  # the decoder asks for what was left out
        return False
    return True


def _file(chunks: bytes) -> bytes:
    body = b"WEBP" + chunks
    return START + len(body).to_bytes(4, "little") + body
