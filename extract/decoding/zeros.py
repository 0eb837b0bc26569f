"""Find zeros that stand for data which a copy left out.

A download that was interrupted in a file of the final size, or a hole that a repair left, is zeros;
many decoders read them as data and invent pixels. Each rule here is a proof from the format, or,
for arithmetic codes, a run several times as long as any that sound encoders were seen to write.
Where black and zeros are the same bytes, as in a BMP file, nothing can be known.
"""

from collections.abc import Callable

from PIL import Image

from extract.decoding import isobmff, jpeg, tiff, webp
from extract.decoding.reasons import ImageFailure, Reason

RUN = 64  # zeros in compressed data that are worth a closer look
_RUN_LENGTH_CODES = ("packbits", "sgi_rle", "sun_rle", "pcx")  # Pillow's names
_LONGEST_LITERAL = 256  # of run-length codes, in bytes; twice as long as any has
_QOI_END = bytes(7) + b"\1"
_QOI_START = 14
_PALETTE = 769  # bytes at the end of a PCX file
_NAL_CODECS = (b"hvc1", b"hev1", b"avc1", b"avc3", b"vvc1", b"lhv1")
_FORBIDDEN = 8  # zeros; three are not allowed in a NAL unit, and its length in front has three
_LONG_AV1 = 512  # bytes; 71 were the most, in 600 files
_LONG_JPEG2000 = 10240  # bytes; 2553 were the most, of stripes, and 18 of photographs
_CODESTREAM, _SIZES, _STYLE, _TILE = b"\xff\x4f\xff\x51", 0xFF51, 0xFF52, 0xFF90
_LARGEST_PRECINCT = 1 << 15  # pixels


class Layout:
    """How the pixels of an image lie in its file; Pillow forgets it while it loads them.

    Parameters
    ----------
    image : Image
        Not loaded yet.
    """

    def __init__(self, image: Image.Image):
        tiles = getattr(image, "tile", None) or []
        self.decoder = str(tiles[0][0]) if tiles else ""
        self.start = min((tile[2] for tile in tiles), default=0)
        self.strips = tiff.strips(image)


def damage(name: str, raw: bytes, layout: Layout) -> Reason | None:
    """Say whether zeros stand for data that the pixels depend on.

    Parameters
    ----------
    name : str
        Pillow's name of the format.
    raw : bytes
        A file that was decoded.
    layout : Layout
        Of the image.

    Returns
    -------
    Reason or None
    """
    try:
        if tiff.has_wrong_stream(raw, layout.strips, RUN) or any(
            map(jpeg.is_damaged, tiff.jpeg_files(raw, layout.strips))
        ):
            return Reason.TIFF_DAMAGED
        if bytes(_FORBIDDEN) in raw and _is_torn(name, raw, layout):
            return Reason.ZEROS
    except (ImageFailure, IndexError, KeyError, ValueError):  # of a form that isn't known
        return None
    return None


def _is_torn(name: str, raw: bytes, layout: Layout) -> bool:
    if name == "TIFF":
        return tiff.is_torn(raw, layout.strips, RUN)
    rules: dict[str, Callable[[bytes], bool]] = {
        "QOI": _is_torn_qoi,
        "WEBP": lambda raw: webp.leaves_data_unread(raw, RUN),
        "AVIF": _is_torn_item,
        "HEIF": _is_torn_item,
        "JPEG2000": _is_torn_jpeg2000,
    }
    if layout.decoder in _RUN_LENGTH_CODES:
        end = len(raw)
        if layout.decoder == "pcx" and raw[-_PALETTE] == 12:
            end -= _PALETTE
        return raw.find(bytes(_LONGEST_LITERAL), layout.start, end) >= 0
    return name in rules and rules[name](raw)


def _is_torn_qoi(raw: bytes) -> bool:
    """Tell whether zeros come before the end mark; two of them are not allowed to be two pixels."""
    place = raw.find(bytes(RUN), _QOI_START)
    if place >= 0:
        return raw.find(_QOI_END, _QOI_START, place) < 0
    return len(raw) - len(raw.rstrip(b"\0")) >= _FORBIDDEN


def _is_torn_item(raw: bytes) -> bool:
    for codec, extents in isobmff.main_items(raw):
        if codec in _NAL_CODECS:
            if any(raw.find(bytes(_FORBIDDEN), *extent) >= 0 for extent in extents):
                return True
        elif codec == b"av01" and extents:
            # Its last byte holds the one bit that ends the data.
            first, end = extents[-1]
            if raw[max(first, end - RUN) : end] == bytes(RUN):
                return True
            if any(raw.find(bytes(_LONG_AV1), *extent) >= 0 for extent in extents):
                return True
    return False


def _is_torn_jpeg2000(raw: bytes) -> bool:
    """Tell whether there are more zeros than a tile has packets: an empty one is a zero."""
    place = raw.find(_CODESTREAM) + 2
    components = packets = 0
    while (marker := int.from_bytes(raw[place : place + 2], "big")) != _TILE:
        if marker == _SIZES:
            ends = (int.from_bytes(raw[place + at : place + at + 4], "big") for at in (6, 10))
            if max(ends) > _LARGEST_PRECINCT:
                return False
            components = int.from_bytes(raw[place + 38 : place + 40], "big")
        elif marker == _STYLE:
            if raw[place + 4] & 1:  # precincts of sizes of its own
                return False
            layers = int.from_bytes(raw[place + 6 : place + 8], "big")
            packets = layers * (raw[place + 9] + 1)
        elif marker < 0xFF00:
            return False
        place += 2 + int.from_bytes(raw[place + 2 : place + 4], "big")
    return raw.find(bytes(_LONG_JPEG2000 + packets * components), place) >= 0
