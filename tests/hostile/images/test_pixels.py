"""Pictures as tools, cameras and accidents leave them: right pixels, or a failed row that says why.

Expected pixels are numpy arrays that these tests wrote into the files themselves.
"""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from extract.images import Transform
from features.errors import InputError
from tests.hostile.images.pictures import UNSIGNED, chunk, encode, png, tiff
from tests.hostile.images.pixels import COLOR, DEEP, DEEP_COLOR, GRAY, SIDE, gray, look

ALPHA = np.where(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 3, 255, 0).astype(np.uint8)
ALPHA[5] = 100


def over(colors, alpha, background):
    """Compose as a weighted mean, in float64."""
    share = alpha[..., None] / 255
    return np.rint(colors * share + np.array(background) * (1 - share))


RGBA = np.concatenate([COLOR, ALPHA[..., None]], axis=-1)
KEYED = png(GRAY, color=0, before=chunk(b"tRNS", struct.pack(">H", int(GRAY[4, 4]))))
PALETTE = Image.fromarray(GRAY).convert("P")
PALETTE.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
TRANSPARENT = {
    "RGBA PNG": (encode(RGBA, "PNG"), COLOR, ALPHA),
    "RGBA WebP": (encode(RGBA, "WEBP", lossless=True, exact=True), COLOR, ALPHA),
    "RGBA TIFF": (tiff(RGBA, UNSIGNED, (338, 3, [2])), COLOR, ALPHA),
    "RGBA TGA": (encode(RGBA, "TGA"), COLOR, ALPHA),
    "gray with alpha": (png(np.stack([GRAY, ALPHA], -1), color=4), gray(GRAY), ALPHA),
    "16-bit RGBA": (png(RGBA.astype(np.uint16) * 257, color=6), COLOR, ALPHA),
    "16-bit gray with alpha": (
        png(np.stack([GRAY, ALPHA], -1).astype(np.uint16) * 257, color=4), gray(GRAY), ALPHA),
    "gray with a key": (KEYED, gray(GRAY), np.where(GRAY[4, 4] == GRAY, 0, 255)),
    "16-bit gray with a key": (
        png(DEEP, color=0, before=chunk(b"tRNS", struct.pack(">H", int(DEEP[4, 4])))),
        gray(GRAY), np.where(GRAY[4, 4] == GRAY, 0, 255)),
    "16-bit color with a key": (
        png(DEEP_COLOR, color=2, before=chunk(b"tRNS", DEEP_COLOR[4, 4].astype(">u2").tobytes())),
        COLOR, np.where((COLOR[4, 4] == COLOR).all(-1), 0, 255)),
    "palette with a key": (
        encode(PALETTE, "PNG", transparency=7), gray(GRAY), np.where(GRAY == 7, 0, 255)),
    "palette with alpha": (
        encode(PALETTE, "PNG", transparency=bytes(range(256))), gray(GRAY), GRAY),
    "GIF": (encode(PALETTE, "GIF", transparency=7), gray(GRAY), np.where(GRAY == 7, 0, 255)),
}  # fmt: skip


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_transparent_pixels_are_composed_on_the_background(tmp_path, kind):
    raw, colors, alpha = TRANSPARENT[kind]
    name = "x.tga" if kind.endswith("TGA") else "x.png"
    on_white, _ = look(tmp_path, raw, name)
    assert np.abs(on_white - over(colors, alpha, (255, 255, 255))).max() <= 1
    on_blue, _ = look(tmp_path, raw, name, background="#102030")
    assert np.abs(on_blue - over(colors, alpha, (0x10, 0x20, 0x30))).max() <= 1


def test_the_rules_are_in_the_record():
    record = Transform(background="navy", white_level=4095).record()
    assert record["colour"] == "RGB, transparency on #000080"
    assert record["white_level"] == 4095 and "stated range" in record["depth"]
    assert "white_level" not in Transform().record()
    # What only decides which images are taken is told by each row's status.
    assert Transform(accept_damaged=True, max_pixels=9).record() == Transform().record()
    with pytest.raises(InputError, match="'background' option must be a color.* Got 'chess'"):
        Transform(background="chess")
    with pytest.raises(InputError, match="'white_level' option must be a float"):
        Transform(white_level=float("nan"))


def inks(pixels):
    """RGB by the usual formula from CMYK in 0 ... 255."""
    cyan_to_yellow, black = pixels[..., :3].astype(float), pixels[..., 3:].astype(float)
    return (255 - cyan_to_yellow) * (255 - black) / 255


CMYK = np.stack([GRAY, GRAY[::-1], np.full_like(GRAY, 60), GRAY.T // 4], axis=-1)


def test_inks_plain_and_inverted_as_adobe_writes_them(tmp_path):
    plain = tiff(CMYK, UNSIGNED, photometric=5)
    assert np.abs(look(tmp_path, plain)[0] - inks(CMYK)).max() <= 1
    # Pillow writes the Adobe marker and inverted inks, as Photoshop does.
    inverted = encode(Image.frombytes("CMYK", (SIDE, SIDE), CMYK.tobytes()), "JPEG", quality=100)
    assert b"Adobe" in inverted
    assert np.abs(look(tmp_path, inverted)[0] - inks(CMYK)).mean() < 2


def test_small_depths_and_two_gray_bytes(tmp_path):
    bits = GRAY > 128
    assert np.array_equal(look(tmp_path, encode(Image.fromarray(bits), "PNG"))[0], gray(bits * 255))
    assert np.array_equal(
        look(tmp_path, encode(Image.fromarray(bits), "TIFF"))[0], gray(bits * 255)
    )
    opaque = np.stack([GRAY, np.full_like(GRAY, 255)], -1)
    assert np.array_equal(look(tmp_path, png(opaque, color=4))[0], gray(GRAY))
    packed = np.packbits(bits.astype(np.uint8), axis=1)
    white_zero = tiff(packed, UNSIGNED, photometric=0, bits=1).replace(
        struct.pack("<HHII", 256, 4, 1, 4), struct.pack("<HHII", 256, 4, 1, SIDE)
    )
    assert np.array_equal(look(tmp_path, white_zero)[0], gray(~bits * 255))


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG", "AVIF"])
def test_of_several_frames_the_first_is_taken(tmp_path, kind):
    frames = [Image.new("RGB", (SIDE, SIDE), color) for color in ("red", "lime", "blue")]
    raw = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(raw)) as image:
        assert image.n_frames == 3
    assert np.abs(look(tmp_path, raw)[0] - (255, 0, 0)).max() <= 2
