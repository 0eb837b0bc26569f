"""Pictures in the page: theirs, small, bounded; what is missing is said once."""

import base64
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from classify.report.command import MOST_PICTURES, report
from classify.report.pictures import SIDE, Thumbnails
from classify.report.pictures_part import log_losses
from classify.results import read_results
from classify.sweep import sweep
from features.errors import InputError
from features.index import IndexRow
from tests.caches import write_labeled_cache
from tests.classify.report.test_page import Page
from tests.features.sources.archives import archive, make_zip


def row(path, id_=None):
    return IndexRow(0, id_ or path, path, 0, "", "ok", "")


def decoded(source):
    assert source.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


@pytest.fixture(scope="module")
def page(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("pictures") / "report.html"
    report([place.sweep], cache=place.cache, data=place.data, out=out, jobs=1, pictures=7)
    return Page(out)


def test_each_picture_is_that_of_its_name(page, place):
    shown = [(one["alt"].removeprefix("picture "), one["src"]) for one in page.all("img")]
    assert 14 < len(shown) <= 21
    for name, source in shown:
        with Image.open(place.data / "images" / name) as original:
            expected = np.array(original)[0, 0].astype(int)
        np.testing.assert_allclose(np.array(decoded(source))[0, 0].astype(int), expected, atol=4)


def test_doubtful_labels_are_those_of_the_audit(page, place, tmp_path):
    from classify.audit.command import audit
    from classify.training import fit

    _, lines = read_results(place.sweep)
    best = [one["C"] for one in lines if one["selected"] and one["learner"] == "l2"]
    fit(place.cache, tmp_path / "m", learner="l2", C=max(set(best), key=best.count))
    found = [one for one in audit(place.cache, model=tmp_path / "m") if "confidence" in one]
    head, *rows = page.table("The most doubtful labels")
    text = " ".join(page.texts)
    if "Predictions of l2" in text:
        assert [row[:2] for row in rows[:5]] == [[x["image"], x["label"]] for x in found[:5]]
    confidences = [float(row[head.index("probability of that")]) for row in rows]
    assert confidences == sorted(confidences) and confidences[-1] < 0.5


@pytest.mark.usefixtures("undrawn")
def test_missing_pictures_are_told_once_and_cost_no_row(place, tmp_path, capsys):
    data = shutil.copytree(place.data, tmp_path / "data")
    for image in sorted((data / "images").iterdir())[::2]:
        image.unlink()
    (data / "images" / "01.png").write_bytes(b"no picture")
    out = report([place.sweep], cache=place.cache, data=data, out=tmp_path / "r.html", jobs=1)
    page = Page(out)
    said = [line for line in capsys.readouterr().err.splitlines() if "pictures are not" in line]
    assert len(said) == 1 and str(data) in said[0]
    assert page.texts.count(said[0]) == 1
    assert 0 < len(page.all("img")) < len([a for t, a in page.elements if a.get("class") == "name"])


@pytest.mark.usefixtures("undrawn")
def test_without_data_and_without_pictures_there_are_none(place, tmp_path):
    out = tmp_path / "r.html"
    page = Page(report([place.sweep], cache=place.cache, out=out, jobs=1))
    assert not page.all("img") and "Worst mistakes" in page.texts
    page = Page(
        report([place.sweep], cache=place.cache, data=place.data, out=out, pictures=0, jobs=1)
    )
    assert not page.all("img") and "Worst mistakes" not in page.texts
    assert page.table("The most doubtful labels")


def test_a_folder_that_is_none_is_one_line(place, tmp_path):
    with pytest.raises(
        InputError, match=r"gone is no folder or archive: give --data what the cache"
    ):
        report([place.sweep], cache=place.cache, out=tmp_path / "r", data=tmp_path / "gone")


def make(path, mode, form, **options):
    rng = np.random.default_rng(0)
    shape = {"RGBA": (300, 700, 4), "LA": (300, 700, 2)}.get(mode, (300, 700, 3))
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 4000, (300, 700)).astype(np.uint16))
    elif mode == "F":
        image = Image.fromarray(rng.random((300, 700), dtype=np.float32))
    else:
        array = rng.integers(0, 255, shape).astype(np.uint8)
        image = Image.fromarray(array).convert(mode)
    image.save(path, form, **options)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", "JPEG"), ("CMYK", "JPEG"), ("L", "JPEG"), ("RGBA", "PNG"), ("LA", "PNG"), ("P", "GIF"),
     ("1", "PNG"), ("I;16", "PNG"), ("I;16", "TIFF"), ("F", "TIFF"), ("RGB", "WEBP")],
)  # fmt: skip
def test_every_kind_of_picture_becomes_a_small_rgb(tmp_path, mode, form):
    make(tmp_path / "a", mode, form)
    with decoded(Thumbnails(tmp_path).of(row("a"))) as small:
        assert small.mode == "RGB" and small.size == (SIDE, round(SIDE * 3 / 7))
        assert np.array(small).std() > 5  # it is not one color


def test_pictures_are_turned_as_their_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg", exif=exif)
    with decoded(Thumbnails(tmp_path).of(row("a.jpg"))) as small:
        assert small.size == (40, 80)


@pytest.mark.parametrize("path", ["../secret.png", "/secret.png", "sub/../../secret.png", ""])
def test_no_name_leads_out_of_the_folder(tmp_path, path):
    (tmp_path / "data").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    path = path.replace("/secret", f"{tmp_path}/secret") if path.startswith("/") else path
    thumbnails = Thumbnails(tmp_path / "data")
    assert thumbnails.of(row(path, path or "none")) == ""
    assert thumbnails.missing == [path or "none"]


def test_pipes_bombs_and_folders_are_missing(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    Image.new("1", (400, 400)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    thumbnails = Thumbnails(tmp_path)
    for name in ("pipe", "folder", "large.png", "large.png", "gone"):
        assert thumbnails.of(row(name)) == ""
    assert thumbnails.missing == ["pipe", "folder", "large.png", "gone"]


def test_the_worst_are_those_that_the_truth_surprises():
    Y = np.array([[1, 0], [1, 0], [-1, 1], [-1, -1]])
    P = np.array([[0.9, 0.1], [0.1, 0.1], [0.0, 0.0], [0.5, 0.5]])
    losses = log_losses(Y, P)
    assert np.argsort(-losses[:3]).tolist() == [2, 1, 0] and np.isnan(losses[3])
    assert np.isfinite(losses[2])


def test_the_page_of_5000_images_is_below_5_megabytes(tmp_path):
    """With as many pictures as can be asked for, of noise, which JPEG compresses worst."""
    rng = np.random.default_rng(0)
    n, names = 5000, [f"a label of some length, number {k}" for k in range(30)]
    X = rng.standard_normal((n, 12)).astype(np.float32)
    Y = (X @ rng.standard_normal((12, 30)) + rng.standard_normal((n, 30)) > 5).astype(np.int8)
    ids = [f"a folder/{k}.jpg" for k in range(n)]
    (tmp_path / "data" / "images" / "a folder").mkdir(parents=True)
    noise = rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.jpg", quality=95)
    for image in ids:
        os.link(tmp_path / "noise.jpg", tmp_path / "data" / "images" / image)
    quoted = [f'"{name}"' for name in names]
    lines = [",".join(["image", *quoted]), *(f"{i},{','.join(map(str, y))}" for i, y in
             zip(ids, Y, strict=True))]  # fmt: skip
    (tmp_path / "data" / "labels.csv").write_text("\n".join(lines))
    cache = write_labeled_cache(tmp_path / "cache", tmp_path / "data", {"net/pool": X})
    out = sweep(cache, tmp_path / "s.jsonl", learner=["l2"], C=[1], splits=2, select="none", jobs=1)
    page = report([out], cache=cache, data=tmp_path / "data", out=tmp_path / "r.html", jobs=1,
                  pictures=MOST_PICTURES, folds=2)  # fmt: skip
    assert page.read_text().count("<img") == 3 * MOST_PICTURES
    assert page.stat().st_size < 5_000_000


def test_pictures_of_an_archive_are_those_of_its_folder(tmp_path):
    (tmp_path / "data").mkdir()
    Image.new("RGB", (300, 200), "red").save(tmp_path / "data" / "a.png")
    path = archive(tmp_path / "data", tmp_path / "a.zip")
    shown = Thumbnails(path).of(row("a.png"))
    assert shown and shown == Thumbnails(tmp_path / "data").of(row("a.png"))
    damaged = Thumbnails(make_zip(tmp_path / "b.zip", [("a.png", b"x")]))
    assert damaged.of(row("a.png")) == "" and damaged.missing == ["a.png"]
