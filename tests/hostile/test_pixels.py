"""Pictures as tools, cameras and accidents leave them: right pixels, or a failed row that says why.

Expected pixels are numpy arrays that these tests wrote into the files themselves.
"""

import importlib.util
import io
import os
import re
import socket
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extract.decoding import budget, jpeg
from extract.decoding.reasons import ImageFailure, Reason
from extract.images import Transform, read_image
from features.errors import InputError
from features.schema import Status
from tests.hostile.pictures import FLOAT, SIGNED, UNSIGNED, chunk, encode, exif, png, tiff

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
    path.write_bytes(raw)
    loaded = read_image(path, Transform(SIDE, **options))
    return loaded.pixels.permute(1, 2, 0).numpy().astype(int), loaded


def failure(tmp_path, raw, name="x.png", **options):
    with pytest.raises(ImageFailure) as caught:
        look(tmp_path, raw, name, **options)
    return caught.value


def gray(values):
    return np.repeat(values[..., None], 3, axis=-1).astype(int)


DEEP_FILES = {
    "16-bit PNG": png(DEEP, color=0),
    "16-bit TIFF": tiff(DEEP, UNSIGNED),
    "16-bit TIFF, big endian": tiff(DEEP, UNSIGNED, order=">"),
    "16-bit TIFF, zero is white": tiff(65535 - DEEP, UNSIGNED, photometric=0),
    "16-bit PGM": b"P5 32 32 65535\n" + DEEP.astype(">u2").tobytes(),
    "12-bit PGM": b"P5 32 32 4095\n" + TWELVE.astype(">u2").tobytes(),
    "16-bit JPEG 2000": encode(DEEP, "JPEG2000"),
    "12 bits in a TIFF that says so": tiff(TWELVE, UNSIGNED, *SMAX),
    "12 bits in a big-endian TIFF that says so": tiff(TWELVE, UNSIGNED, *SMAX, order=">"),
    "12 bits by MaxSampleValue": tiff(TWELVE, UNSIGNED, (281, 3, [4095])),
    "12 bits in a PNG that says so": png(TWELVE, color=0, before=SBIT_12),
    "12 bits in a PNG, scaled": png(TWELVE << 4 | TWELVE >> 8, color=0, before=SBIT_12),
    "samples from 1000 to 3000": tiff(
        (1000 + GRAY.astype(float) * 2000 / 255).round().astype(np.uint16),
        UNSIGNED, (340, 3, [1000]), (341, 3, [3000]),
    ),
    "signed 16 bits": tiff((DEEP >> 1).astype(np.int16), SIGNED),
    "32-bit unsigned": tiff(DEEP.astype(np.uint32) * 65537, UNSIGNED),
    "32-bit signed": tiff((DEEP.astype(np.int64) * 32768).astype(np.int32), SIGNED),
    "16 bits in 32": tiff(DEEP.astype(np.int32), SIGNED),
    "8 bits in 32": tiff(GRAY.astype(np.int32), SIGNED),
    "32 bits that state 0 to 1000": tiff(
        (GRAY.astype(float) * 1000 / 255).round().astype(np.int32), SIGNED, (341, 4, [1000])
    ),
    "floats from 0 to 1": tiff((GRAY / 255).astype(np.float32), FLOAT),
    "floats, big endian": tiff((GRAY / 255).astype(np.float32), FLOAT, order=">"),
    "floats, zero is white": tiff((1 - GRAY / 255).astype(np.float32), FLOAT, photometric=0),
    "floats that state -2 to 7": tiff(
        (GRAY / 255 * 9 - 2).astype(np.float32), FLOAT, (340, 11, [-2.0]), (341, 11, [7.0])
    ),
    "8 bits in floats": tiff(GRAY.astype(np.float32), FLOAT),
    "floats of a PFM": b"Pf\n32 32\n-1.0\n" + (GRAY[::-1] / 255).astype("<f4").tobytes(),
}  # fmt: skip


@pytest.mark.parametrize("kind", DEEP_FILES)
def test_deep_gray_samples_are_scaled_by_their_range(tmp_path, kind):
    pixels, loaded = look(tmp_path, DEEP_FILES[kind])
    assert loaded.status == Status.OK and loaded.message == ""
    assert np.abs(pixels - gray(GRAY)).max() <= 1


DEEP_COLORS = {
    "PNG": png(DEEP_COLOR, color=2),
    "TIFF": tiff(DEEP_COLOR, UNSIGNED),
    "TIFF, big endian": tiff(DEEP_COLOR, UNSIGNED, order=">"),
    "12 bits in a PNG that says so": png(TWELVE_COLOR, color=2, before=chunk(b"sBIT", b"\x0c" * 3)),
    "12 bits in a TIFF that says so": tiff(TWELVE_COLOR, UNSIGNED, *SMAX),
    "12 bits in a big-endian TIFF": tiff(TWELVE_COLOR, UNSIGNED, *SMAX, order=">"),
    "12-bit PPM": b"P6 32 32 4095\n" + TWELVE_COLOR.astype(">u2").tobytes(),
    "compressed TIFF": encode(Image.fromarray(COLOR), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", DEEP_COLORS)
def test_deep_colors_are_scaled_by_their_range(tmp_path, kind):
    assert np.abs(look(tmp_path, DEEP_COLORS[kind])[0] - COLOR).max() <= 1


UNKNOWN_RANGES = {
    "12 bits in 16, PNG": png(TWELVE, color=0),
    "12 bits in 16, TIFF": tiff(TWELVE, UNSIGNED),
    "12 bits in 16, color PNG": png(TWELVE_COLOR, color=2),
    "12 bits in 16, color TIFF": tiff(TWELVE_COLOR, UNSIGNED),
    "10 bits in 16": png(TWELVE >> 2, color=0),
    "floats up to 1000": tiff((GRAY / 255 * 1000).astype(np.float32), FLOAT),
    "floats below zero": tiff((GRAY / 255 - 0.5).astype(np.float32), FLOAT),
    "32-bit integers up to 1000": tiff((GRAY.astype(np.int32) * 4), SIGNED),
    "negative integers": tiff(GRAY.astype(np.int32) - 128, SIGNED),
    "negative 16-bit integers": tiff(GRAY.astype(np.int16) * 200 - 100, SIGNED),
}


@pytest.mark.parametrize("kind", UNKNOWN_RANGES)
def test_a_range_that_can_not_be_known_fails_the_row(tmp_path, kind):
    failed = failure(tmp_path, UNKNOWN_RANGES[kind])
    assert failed.status == Status.UNDECODABLE
    assert "which value is white can't be known; --white-level states it" in failed.message


def test_a_white_level_of_the_user_settles_it(tmp_path):
    for kind in ("12 bits in 16, PNG", "12 bits in 16, TIFF"):
        pixels, _ = look(tmp_path, UNKNOWN_RANGES[kind], white_level=4095)
        assert np.abs(pixels - gray(GRAY)).max() <= 1
    for kind in ("12 bits in 16, color PNG", "12 bits in 16, color TIFF"):
        assert np.abs(look(tmp_path, UNKNOWN_RANGES[kind], white_level=4095)[0] - COLOR).max() <= 1
    pixels, _ = look(tmp_path, UNKNOWN_RANGES["floats up to 1000"], white_level=1000.0)
    assert np.abs(pixels - gray(GRAY)).max() <= 1
    # A file that states its range, and one of 8 bits, are not touched by it.
    for raw in (DEEP_FILES["floats that state -2 to 7"], encode(GRAY, "PNG")):
        assert np.abs(look(tmp_path, raw, white_level=300)[0] - gray(GRAY)).max() <= 1


def test_not_finite_samples_and_a_black_picture(tmp_path):
    values = (GRAY / 255).astype(np.float32)
    values[3, 3] = np.nan
    assert failure(tmp_path, tiff(values, FLOAT)).message == "it has samples that are not finite"
    for black in (np.zeros_like(DEEP), np.zeros(DEEP.shape, np.int32)):
        assert not look(tmp_path, tiff(black, UNSIGNED))[0].any()


UNIT = COLOR / 255
UNREAD = {
    "floats of 64 bits in 1 samples": tiff(UNIT[..., 0], FLOAT),
    "floats of 16 bits in 1 samples": tiff(UNIT[..., 0].astype("f2"), FLOAT),
    "floats of 32 bits in 3 samples": tiff(UNIT.astype("f4"), FLOAT),
    "floats of 64 bits in 3 samples": tiff(UNIT, FLOAT, order=">"),
    "floats of 32 bits in 4 samples": tiff(
        np.dstack([UNIT, UNIT[..., 0]]).astype("f4"), FLOAT, (338, 3, [2])
    ),
    "integers of 32 bits in 3 samples": tiff(COLOR.astype("u4"), UNSIGNED),
    "signed integers of 64 bits in 1 samples": tiff(GRAY.astype("i8"), SIGNED),
    "complex floats of 64 bits in 1 samples": tiff(UNIT[..., 0].astype("c8"), 6),
}


@pytest.mark.parametrize("kind", UNREAD)
def test_samples_that_no_decoder_reads_are_named(tmp_path, kind):
    failed = failure(tmp_path, UNREAD[kind], "x.tif")
    assert failed.status == Status.UNDECODABLE
    assert failed.message.startswith(f"a TIFF file with {kind} per pixel, which are not read")
    assert "16-bit integers" in failed.message and len(failed.message.encode()) <= 200


def test_other_tiff_files_that_are_not_opened_are_a_variant(tmp_path):
    damaged = tiff(COLOR, UNSIGNED).replace(b"\x06\x01\x03\0", b"\x06\x01\x63\0", 1)
    assert "of a variant that is not read" in failure(tmp_path, damaged, "x.tif").message
    assert "of a variant" in failure(tmp_path, tiff(UNIT, FLOAT)[:60], "x.tif").message


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


def app1(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_with(*segments):
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


ODD_EXIF = (
    b"Exif\0\0garbage",
    b"Exif\0\0II*\0\xff\xff\xff\xff",
    b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 50,
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x05\0\0\0\x1a\0\0\0\0abcd\0",
    b"Exif\0\0",
    b"Exif\0\0" + exif(99)[6:],
)
BOMB = zlib.compress(bytes(50_000_000), 9)
ODD_METADATA = {
    **{f"JPEG, EXIF {i}": jpeg_with(app1(block)) for i, block in enumerate(ODD_EXIF)},
    "JPEG, XMP": jpeg_with(app1(b"http://ns.adobe.com/xap/1.0/\0\xff\xfe<x")),
    "JPEG, color profile": jpeg_with(segment(0xE2, b"ICC_PROFILE\0\x09\x01" + b"\xff" * 30)),
    "JPEG, Photoshop block": jpeg_with(
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff\xff\xff\xff")
    ),
    "JPEG, short Adobe marker": jpeg_with(segment(0xEE, b"Adobe")),
    "JPEG, MPO index": jpeg_with(segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff")),
}
ODD_PNG_CHUNKS = {
    "text bomb": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "text bomb in iTXt": chunk(b"iTXt", b"Comment\0\x01\0\0\0" + BOMB),
    "many texts": b"".join(chunk(b"tEXt", b"k%d\0" % i + b"v" * 900_000) for i in range(80)),
    "profile": chunk(b"iCCP", b"icc\0\0" + b"\xff" * 40),
    "profile bomb": chunk(b"iCCP", b"icc\0\0" + BOMB),
    "EXIF": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "gamma": chunk(b"gAMA", b"\0"),
    "physical size": chunk(b"pHYs", b"\0"),
    "wrong checksum of a text": chunk(b"tEXt", b"k\0v")[:-1] + b"!",
    "chromaticity": chunk(b"cHRM", b"123"),
}


@pytest.mark.parametrize("kind", ODD_METADATA)
def test_odd_metadata_of_a_jpeg_cost_no_pixel(tmp_path, kind):
    pixels, loaded = look(tmp_path, ODD_METADATA[kind], "x.jpg")
    assert loaded.status == Status.OK
    assert loaded.message in ("", "its metadata are malformed: taken as upright")
    assert np.array_equal(pixels, look(tmp_path, JPEG, "x.jpg")[0])


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", ODD_PNG_CHUNKS)
def test_odd_metadata_of_a_png_cost_no_pixel(tmp_path, kind, place):
    raw = png(COLOR, color=2, **{place: ODD_PNG_CHUNKS[kind]})
    pixels, loaded = look(tmp_path, raw)
    assert loaded.status == Status.OK and np.array_equal(pixels, COLOR)
    turned = png(COLOR, color=2, before=chunk(b"eXIf", exif(3)[6:]), **(
        {"after": ODD_PNG_CHUNKS[kind]} if kind != "EXIF" else {}
    ))  # fmt: skip
    assert np.array_equal(look(tmp_path, turned)[0], COLOR[::-1, ::-1])


def test_odd_metadata_of_other_formats_cost_no_pixel(tmp_path):
    webp = encode(COLOR, "WEBP", lossless=True, exif=exif(3), icc_profile=b"\xff" * 9)
    assert np.array_equal(look(tmp_path, webp)[0], COLOR[::-1, ::-1])
    place = webp.find(b"EXIF")
    for length in (1, 99_999):
        odd = webp[: place + 4] + struct.pack("<I", length) + webp[place + 8 :]
        pixels, loaded = look(tmp_path, odd)
        assert np.array_equal(pixels, COLOR) and loaded.status == Status.OK
        assert loaded.message == "its metadata are malformed: taken as upright"
    for tag, value in ((34665, 0xFFFFFFF0), (34853, 9), (34675, 7), (700, 3)):
        odd = tiff(COLOR, UNSIGNED, (tag, 4, [value]), (274, 3, [3]))
        assert np.array_equal(look(tmp_path, odd)[0], COLOR[::-1, ::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_in_every_format(tmp_path, orientation):
    turned = {
        1: COLOR, 2: COLOR[:, ::-1], 3: COLOR[::-1, ::-1], 4: COLOR[::-1],
        5: COLOR.transpose(1, 0, 2), 6: np.rot90(COLOR, -1),
        7: COLOR[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(COLOR, 1),
    }[orientation]  # fmt: skip
    block = exif(orientation)
    for raw in (
        encode(COLOR, "PNG", exif=block),
        encode(COLOR, "WEBP", lossless=True, exif=block),
        tiff(COLOR, UNSIGNED, (274, 3, [orientation])),
    ):
        assert np.array_equal(look(tmp_path, raw)[0], turned)
    upright = look(tmp_path, JPEG, "x.jpg")[0]
    pixels, _ = look(tmp_path, jpeg_with(app1(block)), "x.jpg")
    assert np.abs(pixels - turned).mean() <= np.abs(upright - COLOR).mean() + 1e-9


def test_a_picture_that_is_postscript_starts_no_program(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", refuse)
    monkeypatch.setattr("os.system", refuse)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    binary = b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, len(script)) + bytes(18) + script
    for raw, name in ((script, "x.png"), (script, "x.eps"), (binary, "x.jpg")):
        assert "a PostScript file" in failure(tmp_path, raw, name).message
    wmf = b"\xd7\xcd\xc6\x9a\0\0" + bytes(40)
    assert failure(tmp_path, wmf, "x.png").message == "cannot identify an image format that is read"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n",
            "a Git LFS pointer",
        ),
        (b"\n<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
        (b"\0\0\0\x18ftypmp42" + bytes(40), "a video"),
        (b"\0\0\0\x18ftypcrx " + bytes(40), "camera raw files are not read"),
        (b"\xff\x0a" + bytes(40), "a JPEG XL file"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, raw, text):
    assert text in failure(tmp_path, raw, "x.jpg").message


def test_a_camera_raw_file_is_not_read_as_its_thumbnail(tmp_path):
    for name in ("x.NEF", "x.dng", "x.cr2"):
        assert "camera raw" in failure(tmp_path, tiff(COLOR, UNSIGNED), name).message
    assert np.array_equal(look(tmp_path, tiff(COLOR, UNSIGNED), "x.tif")[0], COLOR)


def test_what_is_no_file_fails_without_a_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    (tmp_path / "terminal.jpg").symlink_to("/dev/tty")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        expected = {
            "fifo": Reason.SPECIAL, "device": Reason.SPECIAL, "socket": Reason.SPECIAL,
            "terminal": Reason.SPECIAL, "folder": Reason.FOLDER, "dangling": Reason.MISSING,
            "round": Reason.MISSING, "absent": Reason.MISSING,
        }  # fmt: skip
        for name, reason in expected.items():
            with pytest.raises(ImageFailure) as caught:
                read_image(tmp_path / f"{name}.jpg", Transform(SIDE))
            assert (caught.value.status, caught.value.message) == reason.value, name


def test_large_pictures_name_the_option(tmp_path):
    for raw in (png(GRAY, color=0), JPEG, encode(GRAY, "GIF")):
        failed = failure(tmp_path, raw, max_pixels=1000)
        assert failed.status == Status.TOO_LARGE
        assert failed.message == "32 x 32 pixels, more than --max-pixels 1000"
        assert look(tmp_path, raw, max_pixels=1024)[1].status == Status.OK
    with open(tmp_path / "sparse.png", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ImageFailure, match="1099511627776 bytes, more than any image of --max-pix"):
        read_image(tmp_path / "sparse.png", Transform(SIDE))


def test_pixels_in_flight_are_bounded_over_all_threads(tmp_path, monkeypatch):
    """Eight threads decode pictures of which two fit the budget at a time."""
    raw = png(np.zeros((400, 400), np.uint8), color=0)
    (tmp_path / "x.png").write_bytes(raw)
    limit = 2 * 400 * 400 * 20
    small = budget.Budget(limit)
    monkeypatch.setattr(budget, "PIXELS", small)
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(5):
            read_image(tmp_path / "x.png", Transform(SIDE))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert small.held == 0 and 400 * 400 * 20 <= small.peak <= limit


def test_a_budget_lets_one_large_thing_through():
    one = budget.Budget(10)
    with one.hold(99):
        assert one.held == 10
    with pytest.raises(KeyError), one.hold(3):
        raise KeyError
    assert one.held == 0


def test_reasons_are_a_closed_list(tmp_path):
    """Two readings of any damaged file give one text, which is one of the list."""
    patterns = []
    for reason in Reason:
        parts = re.split(r"\{[^}]*\}", " ".join(reason.value[1].split()))
        patterns.append(re.compile(".*".join(map(re.escape, parts))))
    rng = np.random.default_rng(1)
    sound = [JPEG, *(encode(COLOR, kind) for kind in ("PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"))]
    sound += [
        encode(COLOR, "JPEG2000"),
        encode(COLOR, "TIFF", compression="tiff_lzw"),
        png(DEEP, color=0),
    ]
    failures = 0
    for number in range(300):
        raw = bytearray(sound[number % len(sound)])
        for place in rng.integers(0, min(len(raw), 300), 4):
            raw[place] = rng.integers(0, 256)
        raw = bytes(raw[: rng.integers(8, len(raw))]) if number % 3 == 0 else bytes(raw)
        said = set()
        for _ in range(2):
            try:
                said.add(look(tmp_path, raw)[1].message)
            except ImageFailure as failed:
                failures += 1
                said.add(failed.message)
                assert any(pattern.fullmatch(failed.message) for pattern in patterns)
        assert len(said) == 1
    assert failures > 100


@pytest.mark.skipif(not importlib.util.find_spec("pillow_heif"), reason="extra `photos` is absent")
def test_heic_is_read_with_the_extra(tmp_path):
    from pillow_heif import from_pillow

    path = tmp_path / "x.heic"
    from_pillow(Image.new("RGB", (SIDE, SIDE), (200, 30, 60))).save(path, quality=95)
    pixels = read_image(path, Transform(SIDE)).pixels.permute(1, 2, 0).numpy().astype(int)
    assert np.abs(pixels - (200, 30, 60)).max() <= 6


def test_jpeg_pixels_are_those_of_libjpeg(tmp_path):
    for raw in (JPEG, PHOTO, PROGRESSIVE, encode(GRAY, "JPEG")):
        pixels, damage = jpeg.decode(raw, "RGB")
        with Image.open(io.BytesIO(raw)) as image:
            assert damage is None and np.array_equal(pixels, np.asarray(image.convert("RGB")))
        with Image.open(io.BytesIO(raw)) as image:
            image.draft("RGB", (image.width // 2, image.height // 2))
            half, _ = jpeg.decode(raw, "RGB", shrink=2)
            assert np.array_equal(half, np.asarray(image.convert("RGB")))


def test_no_decoder_is_tried_that_is_not_listed():
    from features.image_kinds import FORMATS, pillow_formats

    assert not {"EPS", "WMF", "PDF", "PALM"} & set(FORMATS)
    assert set(pillow_formats(".png")) < set(FORMATS)
    assert Path(__file__).parent.name == "hostile"
