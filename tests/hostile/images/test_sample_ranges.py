"""Deep samples are scaled by their range, or the row fails and says why."""

import numpy as np
import pytest
from PIL import Image

from features.schema import Status
from tests.hostile.images.pictures import FLOAT, SIGNED, UNSIGNED, chunk, encode, png, tiff
from tests.hostile.images.pixels import (
    COLOR,
    DEEP,
    DEEP_COLOR,
    GRAY,
    SBIT_12,
    SMAX,
    TWELVE,
    TWELVE_COLOR,
    failure,
    gray,
    look,
)

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
    "floats that a resampling left beyond 0 and 1": tiff(
        (GRAY / 255 * 1.003 - 0.0015).astype(np.float32), FLOAT
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
    "floats up to 1.5": tiff((GRAY / 255 * 1.5).astype(np.float32), FLOAT),
    "floats that mark what is missing": tiff(
        np.where(GRAY < 9, -9999, GRAY / 255).astype(np.float32), FLOAT
    ),
    "14 bits in 16": png(DEEP >> 2, color=0),
    "8 bits in 16": png(GRAY.astype(np.uint16), color=0),
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
