"""Neighbors: equal to two libraries' answers, files and rows, the page, refusals."""

import csv

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from classify.__main__ import main
from classify.neighbors.command import neighbors
from classify.neighbors.search import nearest, unit_layers
from extract.config import ExtractConfig
from extract.run import run
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from tests.classify.report.conftest import small_set
from tests.classify.report.test_page import Page

WIDTHS = [3, 5]


def blocks_of(X, size):
    for start in range(0, len(X), size):
        yield np.arange(start, min(start + size, len(X))), X[start : start + size]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 17), st.integers(1, 50))
@settings(max_examples=30, deadline=None)
def test_the_search_is_that_of_two_libraries(seed, n, block, count):
    rng = np.random.default_rng(seed)
    X, asked = rng.normal(size=(n, 8)), rng.normal(size=(3, 8))
    rows, cosines = nearest(blocks_of(X, block), asked, WIDTHS, count)
    k = min(n, count)
    assert rows.shape == cosines.shape == (3, k)
    flat = faiss.IndexFlatIP(8)
    flat.add(unit_layers(X, WIDTHS))
    values, places = flat.search(unit_layers(asked, WIDTHS), k)
    np.testing.assert_allclose(cosines, values, atol=1e-6)
    np.testing.assert_array_equal(rows, places)
    other = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit_layers(X, WIDTHS))
    np.testing.assert_array_equal(
        rows, other.kneighbors(unit_layers(asked, WIDTHS), return_distance=False)
    )


def test_a_cosine_is_the_mean_of_the_layers_cosines():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8))
    a[3:] *= 1000
    parts = [slice(0, 3), slice(3, 8)]
    expected = np.mean([a[p] @ b[p] / np.linalg.norm(a[p]) / np.linalg.norm(b[p]) for p in parts])
    _, cosines = nearest(blocks_of(b[None], 1), a[None], WIDTHS, 1)
    assert cosines[0, 0] == pytest.approx(expected, abs=1e-6)


def test_equal_rows_stand_in_their_order_and_the_asked_row_is_left_out():
    X = np.repeat(np.eye(8)[:2], 5, axis=0)
    rows, _ = nearest(blocks_of(X, 3), X[[2, 7]], WIDTHS, 4, left_out=[2, -1])
    np.testing.assert_array_equal(rows, [[0, 1, 3, 4], [5, 6, 7, 8]])
    rows, _ = nearest(blocks_of(X, 3), X[[2, 7]], WIDTHS, 100, left_out=[2, -1])
    assert rows.shape == (2, 9)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return small_set(tmp_path_factory.mktemp("neighbors"))


def test_an_image_of_the_cache_is_asked_by_row_or_name(place):
    _, cache = place
    by_row = neighbors(cache, row=[5], count=3)
    assert by_row == neighbors(cache, image=["05.png"], count=3)
    assert [one.rank for one in by_row] == [1, 2, 3]
    assert all(one.question == "05.png" and one.row != 5 for one in by_row)
    assert by_row[0].cosine >= by_row[1].cosine >= by_row[2].cosine
    assert neighbors(cache, row=[5], count=3, layers=["net/low"]) != by_row


def test_the_screen_and_the_file_are_the_same_csv(place, tmp_path, capsys):
    _, cache = place
    words = ["neighbors", str(cache), "--row", "0", "7", "--count", "4"]
    main(words)
    printed = capsys.readouterr().out
    out = tmp_path / "near.csv"
    for _ in range(2):  # its own file is replaced
        main([*words, "--out", str(out)])
    assert out.read_text() == printed
    lines = list(csv.DictReader(printed.splitlines()))
    assert [line["question"] for line in lines] == ["00.png"] * 4 + ["07.png"] * 4


def test_the_page_shows_what_is_asked_and_found(place, tmp_path):
    data, cache = place
    out = tmp_path / "sheet.html"
    for _ in range(2):
        neighbors(cache, row=[3, 4], count=5, data=data, out=out)
    page = Page(out)
    pictures = [one["src"] for tag, one in page.elements if tag == "img"]
    assert len(pictures) == 2 * 6 and all(one.startswith("data:image/jpeg") for one in pictures)
    assert "blue <b>" in " ".join(page.texts) and "<b>" not in page.source
    neighbors(cache, row=[3], count=5, out=out)  # names only
    assert not [tag for tag, _ in Page(out).elements if tag == "img"]


@pytest.mark.usefixtures("tiny_backbone")
def test_a_file_gets_the_features_of_its_copy_in_the_cache(tmp_path, tiny_backbone):
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for k in range(6):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{k}.png")
    config = ExtractConfig(tiny_backbone, "random:3", size=32)
    cache = run(config, load_dataset(tmp_path / "data"), tmp_path / "cache")
    (tmp_path / "data" / "4.png").rename(tmp_path / "elsewhere.png")
    (found,) = neighbors(cache, image=[tmp_path / "elsewhere.png"], weights="random:3", count=1)
    assert (found.image, found.row) == ("4.png", 4)
    assert found.cosine == pytest.approx(1, abs=1e-5)
    sheet, data = tmp_path / "sheet.html", tmp_path / "data"
    asked = {"image": [tmp_path / "elsewhere.png"], "row": [0], "weights": "random:3"}
    neighbors(cache, data=data, out=sheet, count=2, **asked)
    assert "1 of" not in Page(sheet).source and "4.png" in Page(sheet).source
    with pytest.raises(InputError, match="weights_sha256"):
        neighbors(cache, image=[tmp_path / "elsewhere.png"], weights="random:4")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken.png can't be read: "):
        neighbors(cache, image=[tmp_path / "broken.png"], weights="random:3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing is asked: give --image FILE, --row N or --text WORDS"),
        (["--row", "60"], "Row 60 is outside the cache, which has rows 0 to 59"),
        (["--row", "-1"], "[0, 2147483647]. Got -1"),
        (["--image", "no.png"], "no.png is neither a file nor an image of "),
        (["--row", "0", "--count", "0"], "count"),
        (["--row", "0", "--layers", "net/mid"], "net/low"),
        (["--row", "0", "--out", "near.txt"], "a .csv file or an .html page, not to near.txt"),
        (["--row", "0", "--data", "nowhere"], "nowhere is no folder"),
    ],
)
def test_hostile_words_are_one_line(place, words, message):
    with pytest.raises(InputError) as error:
        main(["neighbors", str(place[1]), *words])
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["labels.csv", "report.html"])
def test_hostile_out_leaves_files_of_others(place, tmp_path, name):
    out = tmp_path / name
    out.write_text("image,red\n")
    with pytest.raises(InputError, match="is left as it is"):
        neighbors(place[1], row=[0], out=out)
    assert out.read_text() == "image,red\n"


def test_rows_without_features_are_neither_asked_nor_found(tmp_path):
    from tests.caches import write_cache

    data, _ = small_set(tmp_path, n=8)
    X = np.random.default_rng(0).normal(size=(8, 4))
    cache = write_cache(tmp_path / "holes", data, {"net/low": X}, failed=[2])
    assert 2 not in [one.row for one in neighbors(cache, row=[0], count=20)]
    with pytest.raises(InputError, match="Row 2 holds no features"):
        neighbors(cache, row=[2])
    with pytest.raises(InputError, match="Row 2 holds no features"):
        neighbors(cache, image=["02.png"])
    assert len(FeatureCache(cache)) == 8
