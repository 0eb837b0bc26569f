"""What becomes of every kind of file that calls itself an image."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from extract.images import MAX_PIXELS, ImageFailure, Transform, load_image
from features.errors import InputError
from features.schema import Status

SIDE = 32
RNG = np.random.default_rng(0)
GRAY = np.kron(RNG.integers(0, 256, (4, 6)), np.ones((12, 12))).astype(np.uint8)
COLOR = np.stack([GRAY, GRAY.T.reshape(GRAY.shape), 255 - GRAY], axis=-1)


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(mode="RGB"):
    return Image.fromarray(COLOR).convert(mode)


JPEG = encode(picture(), "JPEG", quality=95)
PNG = encode(picture(), "PNG")


def png_of_size(width, height):
    """A PNG header that promises more pixels than anybody wants."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(picture(), "JPEG", quality=95, exif=exif)


def deep(mode):
    values = (GRAY.astype(np.uint32) * 257).astype(np.uint16)
    if mode == "I;16":
        return encode(Image.fromarray(values), "PNG")
    return encode(Image.fromarray(values.astype(np.int32)), "TIFF")


def animation(kind):
    frames = [picture(), Image.new("RGB", picture().size)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def transparent_palette():
    return encode(picture("P"), "PNG", transparency=0)


READABLE = {
    "plain.jpg": JPEG,
    "progressive.jpg": encode(picture(), "JPEG", quality=95, progressive=True),
    "gray.jpg": encode(picture("L"), "JPEG", quality=95),
    "cmyk.jpg": encode(picture("CMYK"), "JPEG", quality=95),
    "rotated.jpg": rotated(6),
    "mirrored.jpg": rotated(2),
    "trailing_junk.jpg": JPEG + b"junk" * 9,
    "plain.png": PNG,
    "gray.png": encode(picture("L"), "PNG"),
    "bilevel.png": encode(picture("1"), "PNG"),
    "palette.png": encode(picture("P"), "PNG"),
    "transparent_palette.png": transparent_palette(),
    "alpha.png": encode(picture("RGBA"), "PNG"),
    "gray_alpha.png": encode(picture("LA"), "PNG"),
    "deep.png": deep("I;16"),
    "deep.tiff": deep("I"),
    "float.tiff": encode(Image.fromarray(GRAY.astype(np.float32)), "TIFF"),
    "animated.gif": animation("GIF"),
    "animated.png": animation("PNG"),
    "plain.bmp": encode(picture(), "BMP"),
    "plain.webp": encode(picture(), "WEBP", lossless=True),
    "jpeg_called.png": JPEG,
    "png_called.jpg": PNG,
    "größe ñ 写真.jpg": JPEG,
    "one_pixel.png": encode(Image.new("RGB", (1, 1), (9, 9, 9)), "PNG"),
    "thin.png": encode(Image.new("RGB", (1, 400)), "PNG"),
}
BROKEN = {
    "empty.jpg": (b"", Status.UNDECODABLE, "the file is empty"),
    "text.jpg": (b"not an image at all", Status.UNDECODABLE, "cannot identify"),
    "page.jpg": (b"<html>404</html>" * 50, Status.UNDECODABLE, "it is an HTML page"),
    "half.jpg": (JPEG[: len(JPEG) // 2], Status.UNDECODABLE, "truncated"),
    "header_only.jpg": (JPEG[:200], Status.UNDECODABLE, ""),
    "half.png": (PNG[: len(PNG) // 2], Status.UNDECODABLE, "truncated"),
    "half_cmyk.jpg": (READABLE["cmyk.jpg"][:2500], Status.UNDECODABLE, "truncated"),
    "half.webp": (READABLE["plain.webp"][:60], Status.UNDECODABLE, ""),
    "zeros.jpg": (bytes(4000), Status.UNDECODABLE, "cannot identify"),
    "bomb.png": (png_of_size(60000, 60000), Status.TOO_LARGE, ""),
    "large.png": (png_of_size(9500, 9500), Status.TOO_LARGE, "9500 x 9500 pixels, more than"),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_readable_image_is_converted(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(READABLE[name])
    pixels, digest = load_image(path, Transform(SIDE))
    assert pixels.shape == (3, SIDE, SIDE) and pixels.dtype == torch.uint8
    assert len(digest) == 64


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_has_a_status_and_a_line(tmp_path, name):
    raw, status, text = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(ImageFailure) as caught:
        load_image(path, Transform(SIDE))
    assert caught.value.status == status
    assert text in caught.value.message and "\n" not in caught.value.message
    assert len(caught.value.digest) == 64


def test_what_is_no_readable_file_is_unreadable(tmp_path, monkeypatch):
    (tmp_path / "folder.jpg").mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(JPEG)
    secret.chmod(0)
    for path, text in [
        (tmp_path / "folder.jpg", "it is a folder"),
        (tmp_path / "gone.jpg", "there is no such file"),
        (secret, "no permission to read it"),
    ]:
        if path == secret and os.access(secret, os.R_OK):  # root may read anything
            monkeypatch.setattr("os.open", _forbid)
        with pytest.raises(ImageFailure, match=text) as caught:
            load_image(path, Transform(SIDE))
        assert caught.value.status == Status.UNREADABLE
        assert caught.value.digest == ""


def _forbid(path, flags):
    raise PermissionError(13, "Permission denied")


def load(raw, tmp_path, **options):
    path = tmp_path / "x"
    path.write_bytes(raw)
    return load_image(path, Transform(SIDE, **options))[0].numpy().astype(int)


def warped(image):
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1).astype(int)


@pytest.mark.parametrize("raw", [JPEG, PNG], ids=["jpeg", "png"])
def test_pixels_are_those_of_pillow(tmp_path, raw):
    expected = warped(Image.open(io.BytesIO(raw)))
    assert np.abs(load(raw, tmp_path) - expected).max() <= 1


def test_orientation_is_honored_by_both_decoders(tmp_path):
    turned = Image.open(io.BytesIO(JPEG)).transpose(Image.Transpose.ROTATE_270)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(io.BytesIO(JPEG))
    for raw in (rotated(6), encode(upright, "PNG", exif=exif)):
        assert np.abs(load(raw, tmp_path) - warped(turned)).mean() < 4


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    expected = warped(Image.fromarray(GRAY))
    for mode in ("I;16", "I"):
        assert np.abs(load(deep(mode), tmp_path) - expected).max() <= 2


def test_opaque_alpha_changes_nothing_and_the_first_frame_is_taken(tmp_path):
    assert np.abs(load(READABLE["alpha.png"], tmp_path) - warped(picture())).max() <= 1
    assert np.abs(load(READABLE["animated.png"], tmp_path) - warped(picture())).max() <= 1


def test_scaled_decoding_is_close_and_only_for_large_photos(tmp_path):
    smooth = Image.fromarray(COLOR).resize((512, 400), Image.Resampling.BICUBIC)
    large = encode(smooth, "JPEG", quality=95)
    exact, scaled = load(large, tmp_path), load(large, tmp_path, scaled_decode=True)
    assert 0 < np.abs(exact - scaled).mean() < 2
    assert np.array_equal(load(JPEG, tmp_path), load(JPEG, tmp_path, scaled_decode=True))


def test_the_crop_takes_the_center(tmp_path):
    image = Image.new("RGB", (256, 256))
    image.paste((255, 255, 255), (16, 16, 240, 240))
    path = tmp_path / "x.png"
    image.save(path)
    pixels, _ = load_image(path, Transform(224, "resize256_crop224"))
    assert (pixels == 255).all()


def test_bad_settings_name_what_is_allowed():
    with pytest.raises(
        InputError, match="'resize' option must be one of warp, resize256_crop224, own. Got 'crop'"
    ):
        Transform(resize="crop")
    with pytest.raises(
        InputError, match="'size' option must be an int in the range \\[32, inf\\). Got 8"
    ):
        Transform(8)
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS
