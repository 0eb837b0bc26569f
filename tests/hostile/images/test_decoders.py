"""What decoders are asked for: no other program, no endless file, memory within bounds."""

import importlib.util
import io
import os
import re
import socket
import struct
import threading

import numpy as np
import pytest
from PIL import Image

from classify.report.pictures import thumbnail
from extract.decoding import budget, jpeg
from extract.decoding.reasons import ImageFailure, Reason
from extract.images import Transform, read_image
from features.annotations.msrc import read_msrc
from features.errors import InputError
from features.schema import Status
from tests.hostile.images.pictures import UNSIGNED, encode, png, tiff
from tests.hostile.images.pixels import (
    COLOR,
    DEEP,
    GRAY,
    JPEG,
    PHOTO,
    PROGRESSIVE,
    SIDE,
    failure,
    look,
)


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


def test_no_other_command_asks_a_decoder_that_starts_a_program(tmp_path, monkeypatch):
    """A picture of a page, and a picture of classes, are read as strictly as those of a cache."""

    def refuse(*args, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", refuse)
    monkeypatch.setattr("subprocess.check_call", refuse)
    monkeypatch.setattr("PIL.EpsImagePlugin.has_ghostscript", lambda: True)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    picture = tmp_path / "x.png"
    picture.write_bytes(script)
    assert thumbnail(picture) == ""
    picture.write_bytes(encode(COLOR, "PNG"))
    assert thumbnail(picture).startswith("data:image/jpeg")
    for name in ("images/a.bmp", "GroundTruth/a_GT.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(script)
    with pytest.raises(InputError, match="a_GT.bmp can't be read"):
        read_msrc(tmp_path / "GroundTruth", tmp_path / "images")


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
    for number in range(180):
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
    assert failures > 60


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
    from features.inputs.image_kinds import FORMATS, pillow_formats

    assert not {"EPS", "WMF", "PDF", "PALM"} & set(FORMATS)
    assert set(pillow_formats(".png")) < set(FORMATS)
