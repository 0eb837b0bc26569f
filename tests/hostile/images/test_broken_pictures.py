"""Damage that a decoder passes over in silence, and folders of broken files."""

import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from extract.config import ExtractConfig
from extract.decoding.reasons import Reason
from extract.images import ImageFailure, Transform, load_image
from extract.run import run
from features.datasets import load_dataset
from features.index import read_index
from tests.extract.test_run import contents
from tests.hostile.images.pictures import TIFF_TYPES, UNSIGNED, chunk, encode, png, tiff

SIDE = 48
RAMP = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.uint8)
COLOR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


def look(tmp_path, raw, name="x.png"):
    (tmp_path / name).write_bytes(raw)
    return load_image(tmp_path / name, Transform(SIDE))[0].numpy().transpose(1, 2, 0)


def failure(tmp_path, raw, name="x.png"):
    with pytest.raises(ImageFailure) as caught:
        look(tmp_path, raw, name)
    return caught.value.message


@pytest.mark.parametrize("kind", ["gray", "color", "alpha", "16 bits", "palette", "interlaced"])
def test_a_changed_bit_of_a_png_is_never_another_picture(tmp_path, kind):
    layers = {"alpha": [RAMP], "color": []}.get(kind, [])
    picture = Image.fromarray(np.dstack([COLOR, *layers]) if kind in ("color", "alpha") else RAMP)
    raw = encode(picture.quantize(16) if kind == "palette" else picture, "PNG")
    if kind == "16 bits":
        raw = png(RAMP.astype(np.uint16) * 500, color=0)
    if kind == "interlaced":  # one pass is enough for a decoder's way through them
        header = raw[16:28] + b"\1"
        lines = zlib.compress(b"".join(_pass(*step) for step in PASSES))
        raw = raw[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    expected, rng, taken = look(tmp_path, raw), np.random.default_rng(0), 0
    start, end = raw.index(b"IDAT") + 4, raw.index(b"IEND") - 4
    for place in rng.integers(start, end, 60).tolist():
        broken = bytearray(raw)
        broken[place] ^= 1 << int(rng.integers(8))
        try:
            assert np.array_equal(look(tmp_path, bytes(broken)), expected)
            taken += 1
        except ImageFailure as error:
            assert "PNG" in error.message or "truncated" in error.message
    assert taken < 20


PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


def _pass(left, top, across, down):
    return b"".join(b"\0" + line.tobytes() for line in RAMP[top::down, left::across])


def test_a_png_of_which_only_a_checksum_is_wrong_is_taken(tmp_path):
    raw = bytearray(encode(COLOR, "PNG"))
    raw[raw.index(b"IEND") - 8] ^= 1  # the last byte but three of the data's checksum
    assert np.array_equal(look(tmp_path, bytes(raw)), COLOR)


def test_a_png_in_many_chunks_is_checked_in_each(tmp_path):
    raw = encode(COLOR, "PNG")
    start, end = raw.index(b"IDAT"), raw.index(b"IEND") - 4
    data = raw[start + 4 : end - 4]
    cuts = [data[i : i + 8] for i in range(0, len(data), 8)]
    head, tail = raw[: start - 4], raw[end:]
    whole = head + b"".join(chunk(b"IDAT", cut) for cut in cuts) + tail
    assert np.array_equal(look(tmp_path, whole), COLOR)
    swapped = [cuts[0], cuts[2], cuts[1], *cuts[3:]]  # each checksum right, the stream's wrong
    raw = head + b"".join(chunk(b"IDAT", cut) for cut in swapped) + tail
    assert failure(tmp_path, raw)


DNG = (50706, 1, [1, 4, 0, 0])
RAW_FILES = {
    "a DNG": (DNG,),
    "a thumbnail of its parts": ((254, 4, [1]), (330, 4, [8, 8])),
    "both": (DNG, (254, 4, [1]), (330, 4, [8, 8])),
}
OTHER_TIFFS = {
    "a reduced image alone": ((254, 4, [1]),),
    "a page": ((254, 4, [2]),),
    "a pyramid": ((254, 4, [0]), (330, 4, [8, 8])),
}


@pytest.fixture
def byte_tags(monkeypatch):
    monkeypatch.setitem(TIFF_TYPES, 1, "B")


@pytest.mark.parametrize("name", ["x.tif", "x.tiff", "x.jpg", "x"])
@pytest.mark.parametrize("kind", RAW_FILES)
def test_a_camera_raw_file_under_another_name(tmp_path, byte_tags, kind, name):
    raw = tiff(COLOR, UNSIGNED, *RAW_FILES[kind])
    assert failure(tmp_path, raw, name).startswith("camera raw files are not read")


@pytest.mark.parametrize("kind", OTHER_TIFFS)
def test_other_tiff_files_are_read(tmp_path, kind):
    assert np.array_equal(look(tmp_path, tiff(COLOR, UNSIGNED, *OTHER_TIFFS[kind]), "x.tif"), COLOR)


def broken_folder(folder):
    """Make files that fail in every way that needs no special machine."""
    (folder / "images").mkdir(parents=True)
    jpeg, picture = encode(COLOR, "JPEG"), encode(COLOR, "PNG")
    files = {
        "empty.png": b"",
        "cut.png": picture[:-40],
        "flipped.png": picture[:100] + bytes([picture[100] ^ 4]) + picture[101:],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "hole.jpg": jpeg[:-300] + bytes(200) + jpeg[-100:],
        "noise.gif": np.random.default_rng(0).bytes(500),
        "page.jpg": b"<html>",
        "pointer.png": b"version https://git-lfs.github.com/spec/v1\n",
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "dark.tif": tiff(RAMP.astype(np.uint16), UNSIGNED),
        "nan.tif": tiff(np.full((4, 4), np.nan, dtype=np.float32), 3),
        "cut.webp": encode(COLOR, "WEBP")[:60],
        "cut.avif": encode(COLOR, "AVIF")[:200],
        "cut.jp2": encode(COLOR, "JPEG2000")[:120],
        "cut.tif": encode(COLOR, "TIFF")[:900],
        "cut.bmp": encode(COLOR, "BMP")[:500],
        "good.png": picture,
        "good.jpg": jpeg,
    }
    for name, raw in files.items():
        (folder / "images" / name).write_bytes(raw)
    return folder


def test_two_runs_on_broken_files_end_with_the_same_bytes(tiny_backbone, tmp_path):
    data = broken_folder(tmp_path / "data")
    config = ExtractConfig(
        backbone=tiny_backbone, weights="random:0", batch_size=2, shard_rows=5, max_failures=1.0
    )
    whole = contents(run(replace(config, workers=1), load_dataset(data), tmp_path / "one"))
    assert contents(run(replace(config, workers=4), load_dataset(data), tmp_path / "two")) == whole
    run(replace(config, retry_failed=True), load_dataset(data), tmp_path / "one")
    assert contents(tmp_path / "one") == whole
    rows = {row.id: row for row in read_index(tmp_path / "one")}
    assert {name for name, row in rows.items() if row.status == "ok"} == {"good.png", "good.jpg"}
    texts = [re.sub(r"\\{.*?\\}", ".+", re.escape(reason.value[1])) for reason in Reason]
    known = re.compile("|".join(texts))
    for row in rows.values():
        assert row.status == "ok" or known.fullmatch(row.message), row
        assert "0x" not in row.message and str(tmp_path) not in row.message
