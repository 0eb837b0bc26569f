"""Zeros in place of data, as an interrupted copy or a repair leaves them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from extract.decoding import isobmff, jpeg, pillow
from extract.decoding.reasons import ImageFailure
from features.inputs.image_kinds import heif_is_read
from features.schema import Status
from tests.hostile.images.pictures import encode
from tests.hostile.images.pixels import failure, look

RNG = np.random.default_rng(5)
#: Coarse noise, which compresses as a photograph does.
PHOTO = Image.fromarray(RNG.integers(0, 256, (16, 20, 3), dtype=np.uint8)).resize((200, 160), 3)
PHOTO = Image.fromarray(
    np.clip(np.asarray(PHOTO) + RNG.integers(-20, 20, (160, 200, 3)), 0, 255).astype(np.uint8)
)
BLACK = Image.new("RGB", PHOTO.size)
HALF = PHOTO.copy()
HALF.paste(BLACK.crop((0, 0, 200, 120)), (0, 40))
CLEAR = PHOTO.copy()
CLEAR.putalpha(Image.fromarray(RNG.integers(0, 256, (160, 200), dtype=np.uint8)))
LINES = PHOTO.convert("1")


def tail(raw, count):
    return raw[:-count] + bytes(count)


def hole(raw, start, count):
    return raw[:start] + bytes(count) + raw[start + count :]


def rle(image, literal):
    """Give rows of colors as counts and values; `literal` marks the count of other values."""
    out = bytearray()
    for row in np.asarray(image).transpose(2, 0, 1).reshape(-1, image.width):
        out += bytes([literal | 100]) + row[:100].tobytes()
        out += bytes([literal | 100]) + row[100:].tobytes() + b"\0"
    return bytes(out)


def sgi():
    width, height = PHOTO.size
    rows, size = 3 * height, 203
    head = struct.pack(">hBBHHHHii", 474, 1, 1, 3, width, height, 3, 0, 255).ljust(512, b"\0")
    starts = [512 + 8 * rows + size * row for row in range(rows)]
    return head + struct.pack(f">{2 * rows}I", *starts, *[size] * rows) + rle(PHOTO, 0x80)


def kinds(image):
    """Encode an image in every format whose decoder reads zeros as data."""
    found = {
        "lossy.webp": encode(image, "WEBP"),
        "fast.webp": encode(image, "WEBP", method=0),
        "lossless.webp": encode(image, "WEBP", lossless=True),
        "moving.webp": encode(image, "WEBP", save_all=True, append_images=[BLACK]),
        "x.avif": encode(image, "AVIF", speed=9),
        "x.qoi": encode(image, "QOI"),
        "x.sgi": sgi() if image is PHOTO else encode(image, "SGI"),
        "x.pcx": encode(image, "PCX"),
        "flate.tif": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "packed.tif": encode(image, "TIFF", compression="packbits"),
        "jpeg.tif": encode(image, "TIFF", compression="jpeg"),
        "fax.tif": encode(image.convert("1"), "TIFF", compression="group4"),
        "old fax.tif": encode(image.convert("1"), "TIFF", compression="group3"),
        "x.jpg": encode(image, "JPEG"),
        "small tables.jpg": encode(image, "JPEG", optimize=True),
        "progressive.jpg": encode(image, "JPEG", progressive=True),
    }
    if heif_is_read():
        found["x.heic"] = encode(image, "HEIF")
    return found


KINDS = kinds(PHOTO)
SILENT = {
    **{("tail", name): tail(raw, 1024) for name, raw in KINDS.items()},
    **{("most", name): tail(raw, len(raw) * 3 // 4) for name, raw in KINDS.items()},
    **{("hole", name): hole(raw, len(raw) // 3, 1024) for name, raw in KINDS.items()},
}


@pytest.mark.parametrize("where", ["tail", "most", "hole"])
@pytest.mark.parametrize("name", KINDS)
def test_pixels_are_not_made_of_zeros(tmp_path, where, name):
    failed = failure(tmp_path, SILENT[where, name], name)
    assert failed.status == Status.UNDECODABLE and len(failed.digest) == 64
    if "--accept-damaged" in failed.message:  # else the decoder gives up
        _, loaded = look(tmp_path, SILENT[where, name], name, accept_damaged=True)
        assert loaded.status == Status.DAMAGED
        assert failed.message.startswith(loaded.message) and "would be invented" in loaded.message


def test_the_extra_for_heic_is_there_or_named():
    if not heif_is_read():
        pytest.skip("the extra `photos` (pillow-heif) is not installed")
    assert "copy it again, or --accept-damaged" in _message(KINDS["x.heic"], 200)


def _message(raw, count):
    with pytest.raises(ImageFailure) as caught:
        settings = pillow.Settings((255, 255, 255), None, 10**6)
        pillow.decode(tail(raw, count), ".heic", settings, lambda *_: None)
    return caught.value.message


SOUND = {
    **{("black", name): raw for name, raw in kinds(BLACK).items()},
    **{("half", name): raw for name, raw in kinds(HALF).items()},
    **{("photo", name): raw for name, raw in KINDS.items()},
    ("zeros behind", "x.qoi"): KINDS["x.qoi"] + bytes(4096),
    ("zeros behind", "x.jpg"): KINDS["x.jpg"] + bytes(4096),
    ("clear", "x.webp"): encode(CLEAR, "WEBP", method=0),
    ("clear", "x.avif"): encode(CLEAR, "AVIF", speed=9),
    ("stripes", "x.jp2"): encode(
        np.repeat((np.arange(160) // 2 % 2 * 255).astype(np.uint8)[:, None], 200, 1), "JPEG2000"
    ),
}


@pytest.mark.parametrize(("kind", "name"), SOUND)
def test_zeros_that_an_encoder_wrote_are_data(tmp_path, kind, name):
    assert look(tmp_path, SOUND[kind, name], name)[1].status == Status.OK


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_a_hole_of_as_many_blocks_as_were_there_is_found(options):
    raw = encode(PHOTO, "JPEG", quality=85, **options)
    start = raw.rindex(b"\xff\xda") + 20 if options.get("progressive") else raw.index(b"\xff\xda")
    for place in range(start + 20, len(raw) - 1100, (len(raw) - start) // 40):
        assert jpeg.decode(hole(raw, place, 1024), "RGB")[1], place


@pytest.mark.parametrize("change", ["ones", "swapped"])
def test_the_checksum_of_a_deflated_strip_is_asked(tmp_path, change):
    raw = KINDS["flate.tif"]
    expected = look(tmp_path, raw, "x.tif")[0]
    for place in range(500, len(raw) - 3000, len(raw) // 9):
        new = b"\xff" * 600 if change == "ones" else raw[place + 600 : place + 1200]
        broken = raw[:place] + new + raw[place + 600 :]
        try:
            assert np.array_equal(look(tmp_path, broken, "x.tif")[0], expected)
        except ImageFailure as error:
            assert "TIFF" in error.message


def test_what_hits_no_pixel_of_the_first_frame_is_no_damage(tmp_path):
    moving = encode(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(180)], duration=9)
    second = moving.index(b"ANMF", moving.index(b"ANMF") + 4)
    torn = hole(moving, second + 600, len(moving) - second - 600)
    assert look(tmp_path, torn, "x.webp")[1].status == Status.OK


def test_the_alpha_of_an_avif_file_is_data_of_its_picture(tmp_path):
    raw = encode(CLEAR, "AVIF", speed=9)
    color, alpha = sorted(isobmff.main_items(raw), key=lambda item: item.extents[0][0])[::-1]
    assert (color.codec, alpha.codec) == (b"av01", b"av01")
    ((first, end),) = alpha.extents
    assert "zeros stand" in failure(tmp_path, hole(raw, first + 100, 600), "x.avif").message
    assert end <= color.extents[0][0]


def test_a_stated_thumbnail_is_no_data_of_the_picture():
    if not heif_is_read():
        pytest.skip("the extra `photos` (pillow-heif) is not installed")
    import pillow_heif

    file = pillow_heif.from_pillow(PHOTO)
    file.add_from_pillow(PHOTO.resize((100, 80)))
    out = io.BytesIO()
    file.save(out)
    assert len(isobmff.main_items(out.getvalue())) == 1
