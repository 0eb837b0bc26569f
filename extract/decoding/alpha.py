"""Show images on a background where they are transparent, as their format means it.

Pillow takes every fourth channel for transparency.
"""

import numpy as np
from PIL import Image

from extract.decoding import psd
from extract.decoding.reasons import Reason

Box = tuple[int, int, int, int]
#: Formats of which programs often leave the fourth byte zero, and mean opaque pixels.
_OFTEN_ZERO = ("BMP", "DIB", "TGA", "DDS")
_ALPHA_BITS = 0x0F  # of byte 17 of a TGA file
_FOOTER, _SIGNATURE = 26, b"TRUEVISION-XFILE.\0"
_KIND_OF_ALPHA = 494  # place of a byte in the extension area of a TGA file
_USEFUL = (3, 4)  # its values for alpha: plain, and multiplied into the colors


def drawn(image: Image.Image) -> Box:
    """Give the part that the first frame of an image draws, which is not loaded yet."""
    tiles = getattr(image, "tile", None)
    return tiles[0].extents if image.format == "GIF" and tiles else (0, 0, *image.size)


def on_background(
    image: Image.Image, raw: bytes, background: tuple[int, int, int], box: Box | None = None
) -> np.ndarray:
    """Convert a loaded image to RGB.

    Parameters
    ----------
    image : Image
    raw : bytes
        The file.
    background : tuple of 3 int
        RGB.
    box : tuple of 4 int, optional
        What the frame draws, as `drawn` gives it; around it is background.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    ImageFailure
        Its colors can't be converted.
    """
    pixels = _composed(image, raw, background)
    if box is None or box == (0, 0, *image.size):
        return pixels
    left, top, right, bottom = box
    shown = np.full_like(pixels, background)
    shown[top:bottom, left:right] = pixels[top:bottom, left:right]
    return shown


def _composed(image: Image.Image, raw: bytes, background: tuple[int, int, int]) -> np.ndarray:
    if not (image.has_transparency_data and _is_meant(image, raw)):
        return np.array(_converted(image, "RGB"))
    layer = _converted(image, "RGBA")
    opacity = layer.getchannel("A")
    layer = layer.convert("RGB")
    if opacity.getextrema() != (255, 255):
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(layer, mask=opacity)
        layer = canvas
    return np.array(layer)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    try:
        return image.convert(mode)
    except ValueError as error:
        raise Reason.COLORS.failure(mode=image.mode) from error


def _is_meant(image: Image.Image, raw: bytes) -> bool:
    """Tell whether the alpha of an image says which of its pixels are transparent."""
    if image.mode not in ("RGBA", "LA", "RGBa", "La"):
        return True  # one color, or entries of a palette
    if image.format == "PSD":
        return psd.is_transparent(raw)
    if image.format == "TGA" and not _tga_states_alpha(raw):
        return False
    return image.format not in _OFTEN_ZERO or image.getchannel(image.mode[-1]).getextrema()[1] != 0


def _tga_states_alpha(raw: bytes) -> bool:
    if not raw[17] & _ALPHA_BITS:
        return False
    if not raw.endswith(_SIGNATURE):
        return True
    place = int.from_bytes(raw[-_FOOTER:][:4], "little")
    kind = raw[place + _KIND_OF_ALPHA : place + _KIND_OF_ALPHA + 1] if place else b""
    return not kind or kind[0] in _USEFUL
