"""Make a TIFF file ready to be loaded: its first full image, and its planes of 16 bits as such.

What libtiff does not tell of damage is found here, too.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from PIL import Image, TiffImagePlugin

from extract.decoding.reasons import Reason

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SUBFILE, _BITS, _PLANAR = 254, 258, 284
_STARTS, _SIZES, _TILE_STARTS, _TILE_SIZES, _JPEG_TABLES = 273, 279, 324, 325, 347
_JPEG_START = b"\xff\xd8"
_NO_STEPS = 32  # zeros in tables of quantization and codes, of which no number may be zero
_FAX_END = "000000000001" * 2
_LONGEST_FILL = 4  # zeros behind the end of a fax, or the end's own, that hide no code
_SEPARATE = 2
_FIRST_PAGES = 16  # among which the image itself is looked for
_LONGEST_LITERAL = 256  # bytes of a run-length code that repeat nothing; twice as long as any
_BLOCK = 1 << 20


def ready(image: Image.Image) -> Image.Image:
    """Give an image as it was opened, with what Pillow misreads put right.

    Parameters
    ----------
    image : Image
        Just opened, of any format; no camera raw file.

    Returns
    -------
    Image
        The same; a TIFF file stands at the first page that is not, by its own statement, a reduced
        copy of another or a mask.

    Raises
    ------
    ImageFailure
        It has planes of 16 bits of colors that Pillow can't read.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _seek_full(image)
        _mend_planes(image)
    return image


def _seek_full(image: TiffImagePlugin.TiffImageFile) -> None:
    for page in range(_FIRST_PAGES):
        kind = image.tag_v2.get(_SUBFILE, 0)
        if not isinstance(kind, int) or not kind & (_REDUCED | _MASK):
            return
        try:
            image.seek(page + 1)
        except EOFError:  # all pages are copies: of what isn't there
            break
    image.seek(0)


def _mend_planes(image: Any) -> None:
    """Name the raw modes of uncompressed planes of 16 bits; Pillow takes their bytes for 8."""
    bits = image.tag_v2.get(_BITS, (1,))
    if image.tag_v2.get(_PLANAR) != _SEPARATE or image.use_load_libtiff or max(bits) != 16:
        return
    if image.mode not in ("RGB", "RGBA") or not all(len(tile.args[0]) == 1 for tile in image.tile):
        raise Reason.VARIANT.failure(format="TIFF")
    order = "L" if image.tag_v2.prefix == b"II" else "B"
    image.tile = [
        tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])) for tile in image.tile
    ]


class Strips(NamedTuple):
    """Where the data of a page lie.

    Attributes
    ----------
    parts : list of (int, int)
        First byte and end of its strips or tiles.
    compression : str
        Pillow's name of it.
    tables : bytes
        What all strips of JPEG data share.
    """

    parts: list[tuple[int, int]]
    compression: str
    tables: bytes = b""


def strips(image: Image.Image) -> Strips:
    """Find the strips or tiles of an image; of other formats there are none."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return Strips([], "")
    tags = image.tag_v2
    starts = tags.get(_STARTS) or tags.get(_TILE_STARTS)
    sizes = tags.get(_SIZES) or tags.get(_TILE_SIZES)
    if not isinstance(starts, tuple) or not isinstance(sizes, tuple):
        return Strips([], "")
    parts = [(start, start + size) for start, size in zip(starts, sizes, strict=False)]
    return Strips(parts, str(image.info.get("compression", "")), tags.get(_JPEG_TABLES, b""))


def jpeg_files(raw: bytes, strips: Strips) -> Iterator[bytes]:
    """Yield each strip of JPEG data as a file; the decoder's warnings do not reach Pillow."""
    for start, end in strips.parts if strips.compression == "jpeg" else ():
        yield strips.tables[:-2] + raw[start:end].removeprefix(_JPEG_START)


def has_wrong_stream(raw: bytes, strips: Strips, run: int) -> bool:
    """Tell whether the checksum of a strip is wrong, which libtiff does not ask.

    Parameters
    ----------
    raw : bytes
    strips : Strips
    run : int
        A stream with so many zeros in a row must also have its end.
    """
    if strips.compression not in ("tiff_deflate", "tiff_adobe_deflate"):
        return False
    for start, end in strips.parts:
        stream, data = zlib.decompressobj(), raw[start:end]
        try:
            while data and not stream.eof:
                stream.decompress(data, _BLOCK)
                data = stream.unconsumed_tail
        except zlib.error:
            return True
        if not stream.eof and raw.find(bytes(run), start, end) >= 0:
            return True
    return False


def is_torn(raw: bytes, strips: Strips, run: int) -> bool:
    """Tell whether zeros stand for data of a file that libtiff decoded.

    Parameters
    ----------
    raw : bytes
    strips : Strips
    run : int
        So many zeros in a row are worth a look.
    """
    if bytes(_NO_STEPS) in strips.tables:
        return True
    check = _CHECKS.get(strips.compression)
    return check is not None and any(
        raw.find(bytes(run), *part) >= 0 and check(raw[slice(*part)]) for part in strips.parts
    )


def _has_long_literal(data: bytes) -> bool:
    return bytes(_LONGEST_LITERAL) in data


def _is_torn_fax(data: bytes) -> bool:
    """Tell whether zeros, of which no code has so many, come before the mark of the end."""
    bits = [f"{byte:08b}" for byte in data[: data.index(bytes(_LONGEST_FILL))][-6:]]
    orders = "".join(bits), "".join(byte[::-1] for byte in bits)  # both values of FillOrder
    return not any(order.rstrip("0").endswith(_FAX_END) for order in orders)


_CHECKS: dict[str, Callable[[bytes], bool]] = {
    "packbits": _has_long_literal,
    "group4": _is_torn_fax,
}
