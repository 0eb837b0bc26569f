"""The pictures that these tests show, and how they are read."""

import io

import numpy as np
import pytest
from PIL import Image

from extract.decoding.reasons import ImageFailure
from extract.images import Transform, read_image
from tests.hostile.damage import overwrite
from tests.hostile.images.pictures import chunk, encode

SIDE = 32
RNG = np.random.default_rng(0)
#: What the files below show: every gray value, and colors, at the size that nothing is resized to.
GRAY = np.sort(RNG.integers(0, 256, SIDE * SIDE)).reshape(SIDE, SIDE).astype(np.uint8)
GRAY[0, 0], GRAY[-1, -1] = 0, 255
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY.T], axis=-1)
DEEP = (GRAY.astype(np.uint32) * 257).astype(np.uint16)  # 0 ... 65535
TWELVE = (GRAY.astype(np.uint32) * 4095 // 255).astype(np.uint16)  # 0 ... 4095
DEEP_COLOR = (COLOR.astype(np.uint32) * 257).astype(np.uint16)
TWELVE_COLOR = (COLOR.astype(np.uint32) * 4095 // 255).astype(np.uint16)
SBIT_12 = chunk(b"sBIT", b"\x0c")
SMAX = (340, 3, [0]), (341, 3, [4095])
JPEG = encode(COLOR, "JPEG", quality=95, subsampling=0)
PHOTO = encode(RNG.integers(0, 256, (200, 300, 3), dtype=np.uint8), "JPEG", quality=90)
PROGRESSIVE = encode(Image.open(io.BytesIO(PHOTO)), "JPEG", progressive=True)


def look(tmp_path, raw, name="x.png", **options):
    """Read bytes as an image: (pixels as int (h, w, 3), LoadedImage)."""
    path = tmp_path / name
    overwrite(path, raw)
    loaded = read_image(path, Transform(SIDE, **options))
    return loaded.pixels.permute(1, 2, 0).numpy().astype(int), loaded


def failure(tmp_path, raw, name="x.png", **options):
    with pytest.raises(ImageFailure) as caught:
        look(tmp_path, raw, name, **options)
    return caught.value


def gray(values):
    return np.repeat(values[..., None], 3, axis=-1).astype(int)
