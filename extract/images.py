"""Read one image file into a square of pixels, or give the reason why it can't be used."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from extract.config import RESIZES
from features.errors import check_choice, check_number
from features.schema import Status

try:  # twice as fast as Pillow, but announced to leave torchvision
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:
    decode_jpeg = None

MAX_PIXELS = 89_478_485  # Pillow's limit: a larger image may be a decompression bomb
JPEG = b"\xff\xd8\xff"
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # 16 bits per pixel, PNG and TIFF
MIN_SIZE = 32  # pixels: the networks halve their input five times


@dataclass(frozen=True)
class Transform:
    """How a file becomes pixels; everything here is recorded in the manifest.

    Parameters
    ----------
    size : int
        Side of the result, in pixels.
    resize : {"warp", "resize256_crop224"}
        `warp` scales the whole image to the square. `resize256_crop224` warps to 256/224 of the
        size and cuts out the center, as Caffe's VGG16 did.
    scaled_decode : bool
        Let the JPEG decoder shrink a large photo by 2, 4 or 8 while both sides stay at least
        twice the size: three to five times faster on camera photos, pixels differ slightly.

    Raises
    ------
    InputError
        Unknown `resize`, or a size below `MIN_SIZE`.
    """

    size: int = 224
    resize: str = "warp"
    scaled_decode: bool = False

    def __post_init__(self) -> None:
        check_choice("resize", self.resize, RESIZES)
        check_number("size", self.size, whole=True, low=MIN_SIZE)

    def record(self) -> dict[str, Any]:
        """Describe the transform for the manifest."""
        return {
            "decoder": "torchvision, Pillow" if decode_jpeg else "Pillow",
            "orientation": "EXIF applied",
            "colour": "RGB, alpha dropped",  # a stored key: another spelling refuses old caches
            "interpolation": "bilinear, antialiased, uint8",
            "size": self.size,
            "resize": self.resize,
            "scaled_decode": self.scaled_decode,
        }


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


def load_image(path: Path, transform: Transform) -> tuple[Tensor, str]:
    """Read, decode and resize one file.

    Parameters
    ----------
    path : Path
        Any format that Pillow reads. Gray, palette, CMYK, alpha and 16-bit images are
        converted; of an animation the first frame is taken.
    transform : Transform
        The size of the result, and how the image is resized to it.

    Returns
    -------
    pixels : Tensor of uint8, shape (3, size, size)
        RGB.
    digest : str
        Hex SHA-256 of the file.

    Raises
    ------
    ImageFailure
        The file can't be read or decoded to its end, or has more than `MAX_PIXELS`.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ImageFailure(
            Status.UNREADABLE, f"{type(error).__name__}: {error.strerror}"
        ) from error
    digest = hashlib.sha256(raw).hexdigest()
    if not raw:
        raise ImageFailure(Status.UNDECODABLE, "the file is empty", digest)
    try:
        return _resize(_decode(raw, transform), transform), digest
    except ImageFailure as failure:
        raise ImageFailure(failure.status, failure.message, digest) from failure
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageFailure(Status.TOO_LARGE, str(error), digest) from error
    except Exception as error:
        # A broken file can make a decoder raise any exception, and must not end the job.
        message = f"{type(error).__name__}: {error}"
        raise ImageFailure(Status.UNDECODABLE, message, digest) from error


def _decode(raw: bytes, transform: Transform) -> Tensor:
    with Image.open(io.BytesIO(raw)) as image:  # reads the header only
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageFailure(
                Status.TOO_LARGE, f"{width} x {height} pixels, at most {MAX_PIXELS} are allowed"
            )
        plain = decode_jpeg and raw.startswith(JPEG) and image.mode in ("RGB", "L")
        if plain and not (transform.scaled_decode and _shrinks(image, transform)):
            buffer = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
            return decode_jpeg(buffer, mode=ImageReadMode.RGB, apply_exif_orientation=True)
        image.load()
        return _to_tensor(ImageOps.exif_transpose(image))


def _shrinks(image: Image.Image, transform: Transform) -> bool:
    """Ask the JPEG decoder to shrink the image; return whether it will."""
    before, margin = image.size, 2 * transform.size
    image.draft("RGB", (margin, margin))
    return image.size != before


def _to_tensor(image: Image.Image) -> Tensor:
    if image.mode in DEEP_MODES:
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep >> 8).clip(0, 255).astype(np.uint8))
    return F.pil_to_tensor(image.convert("RGB"))


def _resize(pixels: Tensor, transform: Transform) -> Tensor:
    cut = transform.resize == "resize256_crop224"
    side = round(transform.size * 256 / 224) if cut else transform.size
    pixels = F.resize(
        pixels, [side, side], interpolation=InterpolationMode.BILINEAR, antialias=True
    )
    return F.center_crop(pixels, [transform.size, transform.size]) if cut else pixels
