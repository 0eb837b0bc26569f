"""Read one image file into a square of pixels, or give the reason why it can't be used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from extract.backbones import Preparation
from extract.backbones.preparation import prepare
from extract.config import BACKGROUND, MAX_PIXELS, RESIZES
from extract.decoding import budget, jpeg, pillow, ranges, sources
from extract.decoding.reasons import ImageFailure, Reason
from features.errors import InputError, check_choice, check_number
from features.schema import Status
from features.sources.base import Source
from features.sources.folder import Folder

__all__ = ["ImageFailure", "LoadedImage", "Transform", "load_image", "read_image"]

MIN_SIZE = 32  # pixels: the networks halve their input five times
JPEG_BYTES_PER_PIXEL = 12  # of the coefficients of a progressive file, the array, and its copy
FILES = Folder(Path())  # of absolute paths, and of those that the working folder begins
LOST_ORIENTATION = "its metadata are malformed: taken as upright"


@dataclass(frozen=True)
class Transform:
    """How a file becomes pixels.

    Parameters
    ----------
    size : int
        Side of the result, in pixels.
    resize : {"warp", "resize256_crop224", "own"}
        `warp` scales the whole image to the square. `resize256_crop224` warps to 256/224 of the
        size and cuts out the center, as Caffe's VGG16 did. `own` is `preparation`.
    scaled_decode : bool
        Let the JPEG decoder shrink a large photo by 2, 4 or 8 while both sides stay at least
        twice the size: three to five times faster on camera photos, pixels differ slightly.
    background : str
        Color that transparent pixels are composed on: a name, or ``#rrggbb``.
    white_level : float, optional
        Value of white in samples of more than 8 bits whose file does not state their range.
    accept_damaged : bool
        Take a file of which parts had to be invented, with `Status.DAMAGED`.
    max_pixels : int
        An image of more pixels fails.
    preparation : Preparation, optional
        The transform of the network's library.

    Raises
    ------
    InputError
        Unknown `resize` or color, `own` without a `preparation`, a size below `MIN_SIZE`, or a
        number out of its range.
    """

    size: int = 224
    resize: str = "warp"
    scaled_decode: bool = False
    background: str = BACKGROUND
    white_level: float | None = None
    accept_damaged: bool = False
    max_pixels: int = MAX_PIXELS
    preparation: Preparation | None = None

    def __post_init__(self) -> None:
        check_choice("resize", self.resize, RESIZES)
        if self.resize == "own" and self.preparation is None:
            raise InputError(
                "--resize own is the transform of a library's network, torchvision/NAME, timm/NAME "
                "or open_clip/NAME. Give --resize warp for others."
            )
        check_number("size", self.size, whole=True, low=MIN_SIZE)
        check_number("max_pixels", self.max_pixels, whole=True, low=1)
        if self.white_level is not None:
            check_number("white_level", self.white_level, low=0, above=True)
        _color(self.background)

    def record(self) -> dict[str, Any]:
        """Describe for the manifest what changes the pixels of an image that is taken.

        Which images are taken (`accept_damaged`, `max_pixels`) is told by the status of each row.
        """
        white = {} if self.white_level is None else {"white_level": float(self.white_level)}
        scaling: dict[str, Any] = {"interpolation": "bilinear, antialiased, uint8"}
        if self.resize == "own" and self.preparation:
            scaling = {
                "interpolation": f"{self.preparation.interpolation}, antialiased, Pillow",
                "fit": self.preparation.fit,
                "scaled": self.preparation.scaled,
            }
        return {
            "decoder": "simplejpeg, Pillow",
            "orientation": "EXIF applied",
            # A stored key: another spelling refuses old caches.
            "colour": "RGB, transparency on #{:02x}{:02x}{:02x}".format(*_color(self.background)),
            "depth": ranges.RULE,
            **white,
            **scaling,
            "size": self.size,
            "resize": self.resize,
            "scaled_decode": self.scaled_decode,
        }


class LoadedImage(NamedTuple):
    """What became of a file that can be used.

    Attributes
    ----------
    pixels : Tensor of uint8, shape (3, size, size)
        RGB.
    digest : str
        Hex SHA-256 of the file.
    status : Status
        OK, or DAMAGED if parts of the pixels are invented.
    message : str
        What is to be said about it; empty for most.
    """

    pixels: Tensor
    digest: str
    status: Status = Status.OK
    message: str = ""


def load_image(
    path: str | Path, transform: Transform, source: Source = FILES
) -> tuple[Tensor, str]:
    """Read a file as `read_image` does; return its pixels and its hex SHA-256."""
    loaded = read_image(path, transform, source)
    return loaded.pixels, loaded.digest


def read_image(path: str | Path, transform: Transform, source: Source = FILES) -> LoadedImage:
    """Read, decode and resize one file.

    Parameters
    ----------
    path : str or Path
        Any format of `features.inputs.image_kinds`. Gray, palette, CMYK, transparent and deep
        images are converted; of several frames the first is taken.
    transform : Transform
        The size of the result, and how the image becomes it.
    source : Source
        Where `path` is.

    Returns
    -------
    LoadedImage

    Raises
    ------
    ImageFailure
        The file can't be read or decoded to its end, its samples have no known range, or it has
        more than `max_pixels`.
    """
    with sources.reading(source, str(path), transform.max_pixels) as raw:
        digest = hashlib.sha256(raw).hexdigest()
        try:
            if not raw:
                raise Reason.EMPTY.failure()
            return _decoded(raw, PurePosixPath(path).suffix.lower(), digest, transform)
        except MemoryError as error:
            failure = Reason.MEMORY.failure()
            raise ImageFailure(failure.status, failure.message, digest) from error
        except ImageFailure as failure:
            raise ImageFailure(failure.status, failure.message, digest) from failure


def _decoded(raw: bytes, suffix: str, digest: str, transform: Transform) -> LoadedImage:
    settings = pillow.Settings(
        _color(transform.background),
        transform.white_level,
        transform.max_pixels,
        transform.accept_damaged,
    )
    if not raw.startswith(jpeg.START):
        return pillow.decode(
            raw, suffix, settings,
            lambda pixels, turn, damage: _finished(pixels, turn, digest, transform, damage),
        )  # fmt: skip
    orientation = _jpeg_orientation(raw)
    raw, width, height, colors = jpeg.header(raw)
    if width * height > transform.max_pixels:
        raise Reason.PIXELS.failure(width=width, height=height, limit=transform.max_pixels)
    shrink = _shrink(width, height, transform) if transform.scaled_decode else 1
    inks, damage = colors in ("CMYK", "YCCK"), None
    with budget.PIXELS.hold(width * height * JPEG_BYTES_PER_PIXEL):
        if colors:
            # Inks are converted by Pillow; here they are decoded, small, to find damage.
            pixels, damage = jpeg.decode(
                raw, "CMYK" if inks else "RGB", shrink=8 if inks else shrink
            )
            if damage and not transform.accept_damaged:
                raise damage.failure()
            if not inks:
                return _finished(pixels, orientation, digest, transform, damage)
    # A missing end marker has been judged above; Pillow, unlike libjpeg, refuses it.
    return pillow.decode(
        jpeg.tidied(raw) + (jpeg.END if inks else b""), suffix, settings,
        lambda pixels, *_: _finished(pixels, orientation, digest, transform, damage),
    )  # fmt: skip


def _jpeg_orientation(raw: bytes) -> int:
    block = jpeg.exif(raw)
    return 1 if block is None else pillow.exif_orientation(lambda: _parsed(block))


def _parsed(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def _shrink(width: int, height: int, transform: Transform) -> int:
    """Choose by how much the JPEG decoder divides the sides."""
    own = transform.preparation if transform.resize == "own" else None
    margin = 2 * (own.scaled if own else transform.size)
    return next((n for n in (8, 4, 2) if min(width, height) // n >= margin), 1)


def _finished(
    pixels: np.ndarray,
    orientation: int,
    digest: str,
    transform: Transform,
    damage: Reason | None = None,
) -> LoadedImage:
    image = _resize(_upright(pixels, orientation), transform)
    status = Status.DAMAGED if damage else Status.OK
    notes = [damage.value[1].partition("; ")[0]] if damage else []
    notes += [LOST_ORIENTATION] if not orientation else []
    return LoadedImage(image, digest, status, "; ".join(notes))


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (height, width, 3) pixels as EXIF's orientation says; 0 and 1 leave them."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels


def _resize(array: np.ndarray, transform: Transform) -> Tensor:
    """Scale (height, width, 3) pixels, and cut, to (3, size, size)."""
    if transform.resize == "own" and transform.preparation:
        return prepare(
            Image.fromarray(np.ascontiguousarray(array)), transform.preparation, transform.size
        )
    pixels = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    cut = transform.resize == "resize256_crop224"
    side = round(transform.size * 256 / 224) if cut else transform.size
    pixels = F.resize(
        pixels, [side, side], interpolation=InterpolationMode.BILINEAR, antialias=True
    )
    return F.center_crop(pixels, [transform.size, transform.size]) if cut else pixels


def _color(text: str) -> tuple[int, int, int]:
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise InputError(
            f"The 'background' option must be a color, such as white or #ffffff. Got {text!r}."
        ) from error
