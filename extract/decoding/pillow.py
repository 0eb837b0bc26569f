"""Decode what Pillow reads: a closed list of formats, transparency, deep samples, metadata."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from extract.decoding import (
    alpha,
    budget,
    libtiff,
    png,
    psd,
    ranges,
    samples,
    sources,
    tiff,
    webp,
    zeros,
)
from extract.decoding.reasons import ImageFailure, Reason
from features.inputs.image_kinds import BY_NAME_ONLY, CAMERA_RAW, heif_is_read, pillow_formats

# Pillow tells of odd metadata, which this module handles, and of sizes, which it checks itself.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr

T = TypeVar("T")
Finish = Callable[[np.ndarray, int, Reason | None], T]
ORIENTATION = 0x0112  # tag of EXIF
BYTES_PER_PIXEL = 20  # of Pillow's image, its conversions and the array, at the worst moment

if heif_is_read():
    from pillow_heif import register_heif_opener

    register_heif_opener()


class Settings(NamedTuple):
    """What decides how samples become pixels.

    Attributes
    ----------
    background : tuple of 3 int
        What transparent pixels are composed on, RGB.
    white_level : float or None
        What is white in samples of more than 8 bits whose file does not state it.
    max_pixels : int
        Of an image.
    accept_damaged : bool
        Hand pixels on of which parts are invented.
    """

    background: tuple[int, int, int]
    white_level: float | None
    max_pixels: int
    accept_damaged: bool = False


def decode(raw: bytes, suffix: str, settings: Settings, finish: Finish[T]) -> T:
    """Decode the first frame of a file, and hand its pixels on while memory is held for them.

    Parameters
    ----------
    raw : bytes
        The file.
    suffix : str
        How its name ends, in lower case; formats without a signature are tried by name only.
    settings : Settings
    finish : callable
        Gets RGB pixels as they are stored, uint8 (height, width, 3), and their orientation: from 1
        to 8, as in EXIF, or 0 if it can't be read; and why parts of them are invented, if they are.

    Returns
    -------
    object
        What `finish` returns.

    Raises
    ------
    ImageFailure
        With its reason.
    """
    if suffix in CAMERA_RAW:  # most of them are TIFF files of thumbnails
        raise Reason.CAMERA_RAW.failure()
    if settings.max_pixels > (Image.MAX_IMAGE_PIXELS or settings.max_pixels):
        Image.MAX_IMAGE_PIXELS = settings.max_pixels
    failure: ImageFailure | None = None
    for data, metadata in _attempts(raw):
        try:
            return _decode(data, suffix, settings, finish, metadata=metadata)
        except ImageFailure as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _attempts(raw: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield the file as it is, and then without what no pixel depends on."""
    yield raw, True
    if raw.startswith(png.START):
        yield png.without_metadata(raw), True
    elif raw.startswith(webp.START):
        yield webp.without_metadata(raw), False
    elif raw[:2] in (b"II", b"MM"):
        yield raw, False


def _decode(raw: bytes, suffix: str, settings: Settings, finish: Finish[T], *, metadata: bool) -> T:
    with _open(raw, suffix, settings.max_pixels) as image:
        width, height = image.size
        if width * height > settings.max_pixels:
            raise Reason.PIXELS.failure(width=width, height=height, limit=settings.max_pixels)
        name = image.format or ""
        with budget.PIXELS.hold(width * height * BYTES_PER_PIXEL):
            try:
                if samples.is_camera_raw(image):
                    raise Reason.CAMERA_RAW.failure()
                orientation = 1 if metadata else _forget_metadata(image)
                layout = zeros.Layout(image)
                with libtiff.listening() as complaints:
                    pixels = _pixels(image, raw, suffix, settings)
                damage = Reason.TIFF_DAMAGED if complaints else zeros.damage(name, raw, layout)
                if damage and not settings.accept_damaged:
                    raise damage.failure()
                orientation = exif_orientation(image.getexif) if metadata else orientation
                return finish(pixels, orientation, damage)
            except ImageFailure:
                raise
            except MemoryError as error:
                raise Reason.MEMORY.failure() from error
            except Exception as error:  # a broken file can make a decoder raise any exception
                raise _failed(error, name) from error


def _forget_metadata(image: Image.Image) -> int:
    """Keep Pillow from reading a TIFF file's metadata; return its orientation, or 0 if unknown."""
    orientation = samples.tiff_orientation(image) if image.format == "TIFF" else 0
    image.getexif = Image.Exif  # type: ignore[method-assign]
    return orientation


def exif_orientation(read: Callable[[], Image.Exif]) -> int:
    """Read the orientation, from 1 to 8; 0 if the metadata are malformed."""
    try:
        found = read().get(ORIENTATION, 1) or 1  # phones write 0 for none
    except Exception:  # malformed metadata can make Pillow raise any exception
        return 0
    return found if isinstance(found, int) and 1 <= found <= 8 else 0


def _open(raw: bytes, suffix: str, max_pixels: int) -> Image.Image:
    """Read a header, with no decoder that could start another program."""
    formats = pillow_formats(suffix)
    try:
        image = Image.open(io.BytesIO(raw), formats=formats)
        return image if samples.is_camera_raw(image) else tiff.ready(image)
    except ImageFailure:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Reason.BOMB.failure(limit=max_pixels) from error
    except MemoryError as error:
        raise Reason.MEMORY.failure() from error
    except Exception as error:  # a broken file can make a decoder raise any exception
        for name in formats:
            accepts = Image.OPEN[name][1] if name in Image.OPEN else None
            if name not in BY_NAME_ONLY and accepts and accepts(raw[:16]) is True:
                known = samples.unread(raw) if name == "TIFF" else None
                raise known or Reason.VARIANT.failure(format=name) from error
        if isinstance(error, UnidentifiedImageError):
            raise sources.unidentified(raw) from error
        raise _failed(error, "image") from error


def _failed(error: Exception, name: str) -> ImageFailure:
    if isinstance(error, EOFError) or "truncated" in str(error) or "not enough" in str(error):
        return Reason.TRUNCATED.failure()
    return Reason.DAMAGED.failure(format=name)


def _pixels(image: Image.Image, raw: bytes, suffix: str, settings: Settings) -> np.ndarray:
    stored = samples.samples_of(image, raw)
    deep = image.mode in samples.DEEP_MODES
    sixteen = samples.is_sixteen(image) and not deep
    if failure := samples.missing_parts(image):
        raise failure
    drawn = alpha.drawn(image)
    image.load()
    if image.format == "PSD" and (failure := psd.unmerged(image, raw)):
        raise failure
    samples.mend_color_map(image)
    if image.format == "PNG" and (failure := png.fault(image, raw)):
        raise failure
    if deep:
        return _gray(image, stored, settings)
    if sixteen:
        return _color(image, raw, suffix, stored, settings)
    return alpha.on_background(image, raw, settings.background, drawn)


def _gray(image: Image.Image, stored: ranges.Samples, settings: Settings) -> np.ndarray:
    values = np.asarray(image)
    if stored.full == 2**32 - 1:
        values = values.view(np.uint32)  # Pillow keeps them in signed integers
    gray = ranges.to_bytes(values, stored, settings.white_level)
    pixels = np.repeat(gray[:, :, None], 3, axis=2)
    key = image.info.get("transparency")
    if isinstance(key, int):
        pixels[values == key] = settings.background
    return pixels


def _color(
    image: Image.Image, raw: bytes, suffix: str, stored: ranges.Samples, settings: Settings
) -> np.ndarray:
    """Convert an image of which Pillow gives the high byte of 16-bit samples."""
    high, key = np.asarray(image), image.info.get("transparency")
    if key is None and settings.white_level is None and _fills_sixteen_bits(high, stored):
        return alpha.on_background(image, raw, settings.background)
    with _open(raw, suffix, settings.max_pixels) as again:
        values = samples.sixteen_bits(again, high)
    colors, opacity = values[..., :3], values[..., 3:]
    limits = ranges.find_range(colors, stored, settings.white_level)
    pixels = ranges.scale(colors, limits)
    if isinstance(key, tuple):
        pixels[(colors == np.array(key)).all(axis=-1)] = settings.background
    if not opacity.size:
        return pixels
    limits = limits if opacity.max() <= limits[1] else ranges.FULL_16
    layer = np.concatenate([pixels, ranges.scale(opacity, limits)], axis=-1)
    return alpha.on_background(Image.fromarray(layer), raw, settings.background)


def _fills_sixteen_bits(high: np.ndarray, stored: ranges.Samples) -> bool:
    """Tell whether 16-bit colors are known to have the full range, from their high bytes alone."""
    if stored.stated or stored.significant:
        return stored.stated == ranges.FULL_16 or stored.significant == 16
    return not 0 < high[..., :3].max() < 64
