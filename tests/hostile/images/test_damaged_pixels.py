"""Files of which parts are missing or invented."""

import contextlib
import struct

import numpy as np
import pytest
from PIL import Image

from extract.decoding.reasons import ImageFailure, Reason
from features.schema import Status
from tests.hostile.images.pictures import UNSIGNED, encode, png, tiff
from tests.hostile.images.pixels import (
    COLOR,
    GRAY,
    JPEG,
    PHOTO,
    PROGRESSIVE,
    RNG,
    SIDE,
    failure,
    gray,
    look,
)


def hole(raw, start, length):
    return raw[:start] + bytes(length) + raw[start + length :]


N = len(PHOTO)
DAMAGED = {
    "half": PHOTO[: N // 2],
    "three quarters": PHOTO[: 3 * N // 4],
    "the last bytes": PHOTO[:-40],
    "an early end marker": PHOTO[: N // 2] + b"\xff\xd9",
    "zeros": hole(PHOTO, N // 2, 2000),
    "cut out": PHOTO[: N // 2] + PHOTO[N // 2 + 2000 :],
    "progressive, half": PROGRESSIVE[: len(PROGRESSIVE) // 2],
    "progressive, early end": PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9",
    "progressive, zeros": hole(PROGRESSIVE, len(PROGRESSIVE) // 2, 2000),
    "half and inks": encode(Image.fromarray(COLOR).resize((200, 200)).convert("CMYK"), "JPEG")[
        :-900
    ],
    "half and gray": encode(RNG.integers(0, 256, (99, 99), dtype=np.uint8), "JPEG")[:-1500],
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_jpeg_with_invented_parts_fails_unless_it_is_asked_for(tmp_path, kind):
    failed = failure(tmp_path, DAMAGED[kind], "x.jpg")
    assert failed.status == Status.UNDECODABLE and len(failed.digest) == 64
    assert "would be invented; --accept-damaged takes it" in failed.message
    _, loaded = look(tmp_path, DAMAGED[kind], "x.jpg", accept_damaged=True)
    assert loaded.status == Status.DAMAGED and "would be invented" in loaded.message
    assert failure(tmp_path, DAMAGED[kind], "x.jpg", scaled_decode=True).message == failed.message


HARMLESS = {
    "no end marker": JPEG[:-2],
    "junk behind the end": JPEG + b"junk" * 99,
    "zeros in front of the end": JPEG[:-2] + bytes(8) + JPEG[-2:],
    "fill bytes in front of the end": JPEG[:-2] + b"\xff" * 8 + JPEG[-2:],
    "junk between segments": JPEG[:20] + b"\x00" * 9 + JPEG[20:],
    "a second picture behind it": JPEG + JPEG,
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_jpeg_with_all_its_pixels_is_taken(tmp_path, kind):
    pixels, loaded = look(tmp_path, HARMLESS[kind], "x.jpg")
    assert loaded.status == Status.OK and loaded.message == ""
    assert np.array_equal(pixels, look(tmp_path, JPEG, "x.jpg")[0])
    assert np.abs(pixels - COLOR).mean() < 8


SHORT = {
    "PNG whose stream ends early": png(GRAY, color=0, rows=20),
    "color PNG whose stream ends early": png(COLOR, color=2, rows=31),
    "PNG cut off": encode(COLOR, "PNG")[:-80],
    "GIF cut off": encode(COLOR, "GIF")[:-80],
    "BMP cut off": encode(COLOR, "BMP")[:-9],
    "TIFF cut off": tiff(COLOR, UNSIGNED)[:-9],
    "WebP cut off": encode(COLOR, "WEBP", lossless=True)[:-80],
    "AVIF cut off": encode(COLOR, "AVIF")[:-80],
    "JPEG 2000 cut off": encode(COLOR, "JPEG2000")[:-80],
    "PPM cut off": b"P6 32 32 255\n" + COLOR.tobytes()[:-9],
    "TGA cut off": encode(COLOR, "TGA")[:-400],
}


@pytest.mark.parametrize("kind", SHORT)
def test_other_formats_that_end_early_fail(tmp_path, kind):
    name = "x.tga" if kind.startswith("TGA") else "x"
    assert failure(tmp_path, SHORT[kind], name).status == Status.UNDECODABLE
    assert failure(tmp_path, SHORT[kind], name, accept_damaged=True).status == Status.UNDECODABLE


def test_a_dark_last_row_is_no_missing_row(tmp_path):
    dark = GRAY.copy()
    dark[-3:] = 0
    assert np.array_equal(look(tmp_path, png(dark, color=0))[0], gray(dark))
    whole = encode(Image.fromarray(COLOR), "PNG")
    assert np.array_equal(look(tmp_path, whole)[0], COLOR)


@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_lzw", "group4", "jpeg"])
def test_the_library_of_tiff_files_writes_nothing_itself(tmp_path, capfd, compression):
    image = Image.fromarray(COLOR)
    image = image.convert("1") if compression == "group4" else image
    raw = encode(image, "TIFF", compression=compression)
    for start in range(8, len(raw), 200):
        damaged = raw[:start] + b"\xa7" * 100 + raw[start + 100 :]
        with contextlib.suppress(ImageFailure):
            look(tmp_path, damaged, "x.tif")
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize(("name", "article"), [("AVIF", "an"), ("SGI", "an"), ("TIFF", "a")])
def test_a_format_that_is_not_read_has_its_article(name, article):
    message = Reason.VARIANT.failure(format=name).message
    assert message.startswith(f"{article} {name} file that is damaged")


# Parts of a TIFF file


def patched(raw, tag, value):
    """Put another value in the place of a LONG of a little-endian TIFF file."""
    entry = struct.pack("<HHI", tag, 4, 1)
    at = raw.index(entry) + len(entry)
    return raw[:at] + struct.pack("<I", value) + raw[at + 4 :]


PARTS = {
    "a strip of two": (patched(tiff(GRAY, UNSIGNED), 278, SIDE // 2), 2, 1),
    "a strip of 32": (patched(tiff(GRAY, UNSIGNED), 278, 1), 32, 1),
    "a plane of three": (tiff(COLOR, UNSIGNED, (284, 3, [2])), 3, 1),
    "a sparse one": (patched(tiff(GRAY, UNSIGNED), 273, 0), 1, 0),
}


@pytest.mark.parametrize(("raw", "total", "count"), PARTS.values(), ids=PARTS)
def test_what_is_not_in_a_tiff_file_is_not_made_black(tmp_path, raw, total, count):
    message = failure(tmp_path, raw, "x.tif").message
    assert message == (
        f"a TIFF file of whose {total} strips or tiles only {count} are there; copy it again "
        "whole, or convert it to one that has all"
    )


@pytest.mark.parametrize("scale", [257, 1])
def test_color_maps_of_16_and_of_8_bits_give_the_same_colors(tmp_path, scale):
    ramp = [value * scale for value in range(256)]
    raw = tiff(GRAY, UNSIGNED, (320, 3, [*ramp, *ramp[::-1], *ramp]), photometric=3)
    pixels, _ = look(tmp_path, raw, "x.tif")
    np.testing.assert_array_equal(pixels, np.stack([GRAY, 255 - GRAY, GRAY], axis=-1))
