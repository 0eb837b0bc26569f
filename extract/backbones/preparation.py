"""Do what a library's transform does with an image, up to the numbers from 0 to 255."""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from extract.backbones.records import Preparation


def prepare(image: Image.Image, how: Preparation, size: int) -> Tensor:
    """Scale an image and cut out its center.

    Parameters
    ----------
    image : Image
        RGB.
    how : Preparation
    size : int
        Side of the square, in pixels.

    Returns
    -------
    Tensor of uint8, shape (3, size, size)
    """
    scaled = F.resize(image, _sides(image, how), interpolation=InterpolationMode(how.interpolation))
    if how.fit == "border":
        scaled = _padded(scaled, size, how.fill)
    cut = F.center_crop(scaled, [size, size])
    return torch.from_numpy(np.array(cut).transpose(2, 0, 1).copy())


def _sides(image: Image.Image, how: Preparation) -> list[int]:
    """Give what torchvision's resize takes: one number for the shorter side, or height, width."""
    if how.fit == "squash":
        return [how.scaled, how.scaled]
    if how.fit == "border":
        ratio = max(image.height, image.width) / how.scaled
        return [max(1, round(image.height / ratio)), max(1, round(image.width / ratio))]
    return [how.scaled]


def _padded(image: Image.Image, size: int, fill: tuple[int, ...]) -> Image.Image:
    """Put an image into the middle of a square that is at least `size`; an odd rest goes after."""
    width, height = max(0, size - image.width), max(0, size - image.height)
    left, top = width // 2, height // 2
    return ImageOps.expand(image, (left, top, width - left, height - top), fill=fill)
