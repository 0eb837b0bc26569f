"""What a file opened by Pillow says about its samples: type, stated range, bytes in the file."""

import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from extract.decoding import png
from extract.decoding.ranges import FULL_16, Samples
from extract.decoding.reasons import ImageFailure, Reason

DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED = 0, 1, 2  # values of TIFF tags
_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = 258, 262, 274, 339
_CHANNELS, _PLANAR, _COLOR_MAP = 277, 284, 320
_WIDTH, _HEIGHT, _STRIPS, _ROWS_PER_STRIP, _TILES = 256, 257, 273, 278, 324
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_FLOAT = 3
_SEPARATE = 2  # planes of a color each
#: TIFF's SampleFormat in words.
_KINDS = {
    _UNSIGNED: "integers",
    _SIGNED: "signed integers",
    _FLOAT: "floats",
    5: "complex integers",
    6: "complex floats",
}
_MIN, _MAX, _SMIN, _SMAX = 280, 281, 340, 341
_SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 330, 50706
#: A raw mode of Pillow whose samples have their bytes the other way round.
_SWAPPED = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}


def samples_of(image: Image.Image, raw: bytes) -> Samples:
    """Say how an image that is not loaded yet stores its samples.

    Raises
    ------
    ImageFailure
        Pillow would misread them.
    """
    tags = _tags(image)
    signed = _first(tags, _SAMPLE_FORMAT, _UNSIGNED) == _SIGNED
    if signed and image.mode in ("L", "LA"):  # Pillow reads negative samples as bright ones
        raise Reason.VARIANT.failure(format="TIFF")
    inverted = image.mode in DEEP_MODES and _first(tags, _PHOTOMETRIC) == _WHITE_IS_ZERO
    if image.mode == "F":
        return Samples("floats", None, _tiff_range(tags, None), inverted=inverted)
    if image.format in ("PPM", "JPEG2000"):  # Pillow has scaled them to 16 bits
        return Samples("16-bit integers", 65535.0, FULL_16)
    if image.mode == "I" and not is_sixteen(image):
        full = float(2**31 - 1 if signed else 2**32 - 1)
        return Samples("32-bit integers", full, _tiff_range(tags, 32), inverted=inverted)
    full = 32767.0 if signed else 65535.0
    bits = png.significant_bits(raw) if image.format == "PNG" else None
    return Samples("16-bit integers", full, _tiff_range(tags, 16), bits, inverted)


def unread(raw: bytes) -> ImageFailure | None:
    """Say which samples a TIFF file has, if they are the reason why Pillow does not open it."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(raw[:8])
        file = io.BytesIO(raw)
        file.seek(tags.next)
        tags.load(file)
        form, bits = _first(tags, _SAMPLE_FORMAT, _UNSIGNED), _first(tags, _BITS, 1)
        channels = _first(tags, _CHANNELS, 1)
    except Exception:  # malformed tags can make Pillow raise any exception
        return None
    if form not in _KINDS or bits not in (8, 16, 24, 32, 64, 128) or channels not in range(1, 17):
        return None
    if form in (_UNSIGNED, _SIGNED) and (bits < 32 or (bits, channels) == (32, 1)):
        return None
    if (form, bits, channels) == (_FLOAT, 32, 1):
        return None
    return Reason.SAMPLES.failure(kind=_KINDS[form], bits=bits, channels=channels)


def missing_parts(image: Image.Image) -> ImageFailure | None:
    """Count the strips or tiles that a TIFF file lacks; Pillow leaves them black."""
    tags = _tags(image)
    across, down = _first(tags, _WIDTH), _first(tags, _HEIGHT)
    if _TILES in tags:
        places, step = tags[_TILES], (_first(tags, _TILE_WIDTH), _first(tags, _TILE_HEIGHT))
    else:
        places, step = tags.get(_STRIPS), (across, _first(tags, _ROWS_PER_STRIP, down))
    places = places if isinstance(places, tuple) else (places,)
    numbers = (across, down, *step, *places)
    if not all(isinstance(one, int) for one in numbers) or min(numbers[:4]) < 1:
        return None  # the decoder refuses it
    total = -(-across // step[0]) * -(-down // step[1])
    if _first(tags, _PLANAR, 1) == _SEPARATE:
        total *= _first(tags, _CHANNELS, 1)
    count = sum(1 for place in places if place)
    return Reason.PARTS.failure(total=total, count=count) if count < total else None


def mend_color_map(image: Image.Image) -> None:
    """Take a color map of 8 bits in a TIFF file as such; Pillow takes it for 16 and makes it black.

    So does libtiff's own conversion: no color of a map of 16 bits has a high byte.
    """
    colors = _tags(image).get(_COLOR_MAP)
    if image.mode == "P" and isinstance(colors, tuple) and 0 < max(colors) < 256:
        size = len(colors) // 3
        parts = (colors[start : start + size] for start in range(0, 3 * size, size))
        image.putpalette(bytes(one for color in zip(*parts, strict=True) for one in color))


def is_sixteen(image: Image.Image) -> bool:
    """Tell whether an image that is not loaded yet has 16 bits a sample in its file."""
    return ";16" in rawmode(image)


def rawmode(image: Image.Image) -> str:
    """Give how the samples lie in the file, as Pillow names it."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def sixteen_bits(image: Image.Image, high: np.ndarray) -> np.ndarray:
    """Read all 16 bits of color samples, of which Pillow gives the high byte only.

    Parameters
    ----------
    image : Image
        The same file again, not loaded yet.
    high : ndarray of uint8, shape (h, w, channels)
        The high bytes.

    Returns
    -------
    ndarray of uint16, shape (h, w, channels)

    Raises
    ------
    ImageFailure
        Pillow has no way to read the low bytes.
    """
    name = rawmode(image)
    kind, _, bytes_ = name.partition(";")
    if name == "LA;16B":  # two samples of two bytes lie as four samples of one byte do
        _retile(image, lambda _: "RGBA")
        four = np.asarray(image).astype(np.uint16)
        gray, alpha = four[..., 0] << 8 | four[..., 1], four[..., 2] << 8 | four[..., 3]
        return np.stack([gray, gray, gray, alpha], axis=-1)
    if kind not in ("RGB", "RGBA", "RGBX", "R") or bytes_ not in _SWAPPED:
        raise Reason.VARIANT.failure(format=image.format)
    _retile(image, lambda mode: f"{mode.partition(';')[0]};{_SWAPPED[bytes_]}")
    return high.astype(np.uint16) << 8 | np.asarray(image)


def _retile(image: Any, rename: Callable[[str], str]) -> None:
    image.tile = [
        tile._replace(args=(rename(tile.args[0]), *tile.args[1:]))
        if isinstance(tile.args, tuple)
        else tile._replace(args=rename(tile.args))
        for tile in image.tile
    ]
    image.load()


def is_camera_raw(image: Image.Image) -> bool:
    """Tell a camera raw file, whatever its name, from a TIFF file.

    It states a DNG version, or its first directory is a reduced copy of what others hold: the
    thumbnail.
    """
    tags = _tags(image)
    reduced = _first(tags, _SUBFILE, 0)
    return _DNG_VERSION in tags or (
        _SUB_DIRECTORIES in tags and isinstance(reduced, int) and bool(reduced & 1)
    )


def tiff_orientation(image: Image.Image) -> int:
    """Read a TIFF file's orientation from its first directory; 1 if it has none."""
    found = _first(_tags(image), _ORIENTATION, 1)
    return found if isinstance(found, int) else 1


def _tags(image: Image.Image) -> Mapping[int, Any]:
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _first(tags: Mapping[int, Any], tag: int, default: Any = None) -> Any:
    value = tags.get(tag, default)
    return value[0] if isinstance(value, tuple) and value else value


def _tiff_range(tags: Mapping[int, Any], bits: int | None) -> tuple[float, float] | None:
    """Read the range that a TIFF file states, if it does.

    TIFF 6.0 calls MaxSampleValue (281) statistics that do not affect the appearance; where it is
    the largest value of some number of bits, it says how deep the samples are.
    """
    low, high = _first(tags, _SMIN, 0), _first(tags, _SMAX)
    numbers = (int, float, TiffImagePlugin.IFDRational)
    if isinstance(low, numbers) and isinstance(high, numbers):
        stated = float(low), float(high)
        if np.isfinite(stated).all() and stated[0] < stated[1]:
            return stated
    if bits is None:
        return None
    depth = _first(tags, _BITS, bits)
    if isinstance(depth, int) and 8 < depth < 16:
        return 0.0, float(2**depth - 1)
    high = _first(tags, _MAX)
    if isinstance(high, int) and 255 < high < 2**bits - 1 and not high & (high + 1):
        return 0.0, float(high)
    return None
