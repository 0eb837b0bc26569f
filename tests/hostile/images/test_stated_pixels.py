"""What a format says about its pixels, where Pillow takes them otherwise: right, or a reason."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.hostile.images.pictures import UNSIGNED, encode, tiff
from tests.hostile.images.pixels import (
    COLOR,
    DEEP_COLOR,
    SIDE,
    TWELVE_COLOR,
    failure,
    look,
)

OPAQUE, CLEAR = (np.full((SIDE, SIDE, 1), value, np.uint8) for value in (255, 0))


@pytest.mark.parametrize("rows", [None, 5])
@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_16_bits_are_read_as_such(tmp_path, order, rows):
    """As GDAL writes bands; Pillow takes each byte for a sample."""
    options = {"order": order, "rows": rows, "planar": True}
    pixels, _ = look(tmp_path, tiff(DEEP_COLOR, UNSIGNED, **options), "x.tif")
    assert np.array_equal(pixels, COLOR)
    twelve = tiff(TWELVE_COLOR, UNSIGNED, **options)
    assert "--white-level states it" in failure(tmp_path, twelve, "x.tif").message
    pixels, _ = look(tmp_path, twelve, "x.tif", white_level=4095.0)
    assert np.abs(pixels - COLOR).max() <= 1


def test_planes_of_8_bits_and_of_inks(tmp_path):
    plain = tiff(COLOR, UNSIGNED, rows=3, planar=True)
    assert np.array_equal(look(tmp_path, plain, "x.tif")[0], COLOR)
    inks = np.concatenate([65535 - DEEP_COLOR, DEEP_COLOR[..., :1] * 0], axis=-1)
    raw = tiff(inks, UNSIGNED, photometric=5, planar=True)
    assert "variant that is not read" in failure(tmp_path, raw, "x.tif").message


def test_dark_16_bit_colors_in_several_strips(tmp_path):
    raw = tiff(TWELVE_COLOR, UNSIGNED, rows=4)
    pixels, _ = look(tmp_path, raw, "x.tif", white_level=4095.0)
    assert np.abs(pixels - COLOR).max() <= 1


@pytest.mark.parametrize("kind", [1, 4])
def test_the_page_that_is_no_reduced_copy_and_no_mask_is_taken(tmp_path, kind):
    small, whole, out = Image.fromarray(COLOR[::4, ::4]), Image.fromarray(COLOR), io.BytesIO()
    whole.encoderinfo = {"tiffinfo": {254: 0}}
    small.save(out, "TIFF", tiffinfo={254: kind}, save_all=True, append_images=[whole])
    assert np.array_equal(look(tmp_path, out.getvalue(), "x.tif")[0], COLOR)
    alone = encode(small, "TIFF", tiffinfo={254: kind})  # of nothing that is there
    assert abs(look(tmp_path, alone, "x.tif")[0].mean() - COLOR.mean()) < 8


def targa(alpha, *, bits, kind=None):
    """Write a TGA file of 32 bits a pixel, perhaps with an extension that says what alpha is."""
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, SIDE, SIDE, 32, 0x20 | bits)
    raw = head + np.concatenate([COLOR[..., ::-1], alpha], axis=-1).tobytes()
    if kind is None:
        return raw
    area = bytes(494) + bytes([kind])
    return raw + area + struct.pack("<II", len(raw), 0) + b"TRUEVISION-XFILE.\0"


def bitmap(alpha):
    """Write a BMP file of version 5, as screenshots and clipboards are: with a mask of alpha."""
    data = np.concatenate([COLOR[..., ::-1], alpha], axis=-1)[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, SIDE, SIDE, 1, 32, 3, len(data), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs"
    head = head.ljust(124, b"\0")
    return b"BM" + struct.pack("<IHHI", 138 + len(data), 0, 0, 138) + head + data


OPAQUE_ALL_THE_SAME = {
    "x.tga": targa(CLEAR, bits=0),
    "zero.tga": targa(CLEAR, bits=8),
    "ignored.tga": targa(CLEAR, bits=8, kind=1),
    "kept.tga": targa(np.full_like(CLEAR, 90), bits=8, kind=2),
    "x.bmp": bitmap(CLEAR),
    "solid.bmp": bitmap(OPAQUE),
}


@pytest.mark.parametrize("name", OPAQUE_ALL_THE_SAME)
def test_a_fourth_byte_that_is_no_alpha(tmp_path, name):
    assert np.array_equal(look(tmp_path, OPAQUE_ALL_THE_SAME[name], name)[0], COLOR)


def test_alpha_that_is_meant_is_composed(tmp_path):
    half = np.concatenate([OPAQUE[:16], CLEAR[16:]])
    for name, raw in (
        ("a.tga", targa(half, bits=8)),
        ("b.tga", targa(half, bits=8, kind=3)),
        ("c.bmp", bitmap(half)),
    ):
        pixels, _ = look(tmp_path, raw, name)
        assert np.array_equal(pixels[:16], COLOR[:16]) and (pixels[16:] == 255).all()
    assert (look(tmp_path, encode(np.concatenate([COLOR, CLEAR], axis=-1), "PNG"))[0] == 255).all()


def photoshop(values, *, merged=True, mode=3, layers=b""):
    """Write a PSD file: its merged image, and what it says about that."""
    height, width, count = values.shape
    said = struct.pack(">IB", 1, merged) + b"\0"
    resource = b"8BIM" + struct.pack(">HHI", 1057, 0, len(said)) + said
    return (
        b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, 8, mode) + bytes(4)
        + struct.pack(">I", len(resource)) + resource
        + struct.pack(">I", len(layers)) + layers + bytes(2)
        + np.moveaxis(values, -1, 0).tobytes()
    )  # fmt: skip


def layer_count(number):
    return struct.pack(">Ih", 2, number)


def test_a_photoshop_file_without_its_merged_image_is_not_white(tmp_path):
    assert np.array_equal(look(tmp_path, photoshop(COLOR), "x.psd")[0], COLOR)
    white = np.full_like(COLOR, 255)
    failed = failure(tmp_path, photoshop(white, merged=False), "x.psd")
    assert "without their merged image; save it with maximized compatibility" in failed.message
    assert (look(tmp_path, photoshop(white), "x.psd")[0] == 255).all()
    stated, _ = look(tmp_path, photoshop(COLOR, merged=False), "x.psd")  # another program's
    assert np.array_equal(stated, COLOR)
    assert "multichannel" in failure(tmp_path, photoshop(COLOR, mode=7), "x.psd").message


@pytest.mark.parametrize("layers", [b"", layer_count(1)])
def test_a_stored_selection_of_a_photoshop_file_is_no_transparency(tmp_path, layers):
    values = np.concatenate([COLOR, CLEAR], axis=-1)
    assert np.array_equal(look(tmp_path, photoshop(values, layers=layers), "x.psd")[0], COLOR)
    clear, _ = look(tmp_path, photoshop(values, layers=layer_count(-1)), "x.psd")
    assert (clear == 255).all()


def test_around_the_first_frame_of_a_gif_is_background(tmp_path):
    part = Image.fromarray(COLOR[:16, :16]).quantize(64)
    raw = bytearray(encode(part, "GIF"))
    raw[6:10] = struct.pack("<HH", SIDE, SIDE)
    shown, _ = look(tmp_path, bytes(raw), "x.gif", background="#010203")
    assert np.array_equal(shown[:16, :16], np.asarray(part.convert("RGB")))
    assert (shown[16:] == (1, 2, 3)).all() and (shown[:, 16:] == (1, 2, 3)).all()


def test_too_many_samples_print_nothing(tmp_path, capfd):
    many = np.repeat(COLOR[..., :1], 13, axis=-1)
    failure(tmp_path, tiff(many, UNSIGNED, photometric=1), "x.tif")
    assert capfd.readouterr() == ("", "")


NO_PICTURES = {
    "a GIMP file; export it to a PNG or JPEG file": b"gimp xcf v011\0",
    "a video": b"\x1aE\xdf\xa3" + bytes(99),
    "a git-annex pointer": b"/annex/objects/SHA256E-s1--ab.jpg\n",
    "a DVC pointer": b"outs:\n- md5: ab\n  path: x.jpg\n",
    "nothing but zeros": bytes(3000),
    "a text, such as a server's message": b'{"error": "not found"}',
    "a companion file of macOS": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff",
    "a DICOM file": bytes(128) + b"DICM\x02\x00",
    "an OpenEXR file": b"\x76\x2f\x31\x01\x02\x00\x00\x00\xff",
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_named(tmp_path, kind):
    assert f"it is {kind}" in failure(tmp_path, NO_PICTURES[kind], "x.jpg").message


@pytest.mark.parametrize(
    "raw",
    [b"/9j/4AAQSkZJRgABAQ==", b"iVBORw0KGgoAAAANSUhEUg==", b"data:image/webp;base64,UklGRg=="],
)
def test_a_picture_in_base64_is_named(tmp_path, raw):
    assert "it is an image in base64; decode it" in failure(tmp_path, raw, "x.jpg").message
