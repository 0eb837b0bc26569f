"""Malformed metadata cost no pixel."""

import struct
import zlib

import numpy as np
import pytest

from features.schema import Status
from tests.hostile.images.pictures import UNSIGNED, chunk, encode, exif, png, tiff
from tests.hostile.images.pixels import COLOR, JPEG, look


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
LONG = zlib.compress(bytes(900_000), 9)  # 80 of them are more than Pillow reads in a file
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
    "many texts": b"".join(chunk(b"zTXt", b"k%d\0\0" % i + LONG) for i in range(80)),
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


def test_no_orientation_is_no_malformed_one(tmp_path):
    """Phones write 0 where they know none, which EXIF does not define."""
    for name, raw in (
        ("a.jpg", encode(COLOR, "JPEG", exif=exif(0))),
        ("b.png", encode(COLOR, "PNG", exif=exif(0))),
        ("c.tif", tiff(COLOR, UNSIGNED, (274, 3, [0]))),
    ):
        assert look(tmp_path, raw, name)[1].message == ""
    assert (
        "taken as upright"
        in look(tmp_path, encode(COLOR, "JPEG", exif=exif(9)), "d.jpg")[1].message
    )
