"""The HTML page: whole, escaped, self-contained, and telling labels apart without color."""

import base64
import io
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchmarks.report.html import (
    THUMBNAIL,
    Example,
    Picture,
    format_score,
    write_page,
    write_picture_rows,
)
from benchmarks.report.plots import Curve, Panel, curves_svg

NASTY = "<script>alert(1)</script>&\"'"
PICTURE = "data:image/jpeg;base64,"
VOID = {"meta", "img", "br", "hr"}


class Structure(HTMLParser):
    """Collects tags, attributes and text, and checks that what opens is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def parse(text):
    structure = Structure()
    structure.feed(text)
    structure.close()
    assert not structure.open
    return structure


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a&b.png"
    Image.fromarray(np.full((900, 600, 3), 128, np.uint8)).save(path)
    return path


def page(tmp_path, picture, **changes):
    content = {
        "title": "A page",
        "summary": "What it is.",
        "metrics": {"L1LR": {"AP": (0.9, 0.01)}, "LR": {"AP": (0.95, 0.02), "loss": (0.1, 0.0)}},
        "stages": {"render": 1.25, "extract": 50.0},
        "curve": {"L1LR": [(25, 0.6, 0.05), (100, 0.8, 0.02)], "LR": [(25, 0.7, math.nan)]},
        "curve_metric": "AP",
        "examples": [Example("first", picture, ("grass", "ring"), ("ring", "moon"))],
        "facts": {"weights": "random:0"},
    }
    path = write_page(tmp_path / "index.html", **(content | changes))
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_needs_nothing_else(tmp_path, picture):
    text = page(tmp_path, picture)
    structure = parse(text)
    tags = {tag for tag, _ in structure.elements}
    assert not tags & {"script", "link", "iframe", "object", "base"}
    for _, attributes in structure.elements:
        assert "href" not in attributes
        assert attributes.get("src", PICTURE).startswith(PICTURE)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}  # of the chart's own parts
    assert set(re.findall(r'href="(.)', text)) <= {"#"}
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in (
        structure.elements
    )


def test_all_that_is_given_is_shown_and_nothing_is_markup(tmp_path, picture):
    text = page(
        tmp_path,
        picture,
        title=NASTY,
        summary=NASTY,
        metrics={NASTY: {NASTY: (0.5, 0.1)}},
        stages={NASTY: 1.0},
        curve={NASTY: [(10, 0.5, 0.1)]},
        curve_metric=NASTY,
        examples=[Example(NASTY, picture, [NASTY], [NASTY + "2"])],
        facts={NASTY: NASTY},
    )
    structure = parse(text)
    assert "script" not in {tag for tag, _ in structure.elements}
    shown = "".join(structure.words)
    # title twice, summary, learner, metric, stage, fact twice; the curve's name and axis; the
    # picture's title and its two labels
    assert shown.count(NASTY) == 13
    alts = [attributes["alt"] for tag, attributes in structure.elements if tag == "img"]
    assert alts == [NASTY]
    labels = [attributes.get("aria-label") for _, attributes in structure.elements]
    assert f"{NASTY} against the number of training images" in labels


def test_rows_of_pictures_are_escaped_and_embedded(tmp_path, picture):
    one = Picture(NASTY, picture, NASTY)
    path = write_picture_rows(
        tmp_path / "rows.html", title="t", summary="s", rows=[[one, one], [one]]
    )
    structure = parse(path.read_text(encoding="utf-8"))
    images = [attributes for tag, attributes in structure.elements if tag == "img"]
    assert [image["alt"] for image in images] == [NASTY] * 3
    assert all(image["src"].startswith(PICTURE) for image in images)
    assert "".join(structure.words).count(NASTY) == 6
    assert [tag for tag, _ in structure.elements].count("hr") == 2


def test_labels_are_told_apart_in_words(tmp_path, picture):
    words = [w.strip() for w in parse(page(tmp_path, picture)).words]
    assert words[words.index("first") + 1 :][:5:2] == [
        "✓ ring",
        "○ missed: grass",
        "✕ wrong: moon",
    ]


def test_the_table_has_a_dash_where_there_is_no_score(tmp_path, picture):
    text = page(tmp_path, picture)
    rows = re.findall(r'<tr><th scope="row">(AP|loss)</th>(.*?)</tr>', text)
    assert rows == [
        ("AP", "<td>.900 ± .010</td><td>.950 ± .020</td>"),
        ("loss", "<td>-</td><td>.100 ± .000</td>"),
    ]


def test_pictures_are_small_jpegs(tmp_path, picture):
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page(tmp_path, picture))
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "JPEG"
        assert image.size == (213, THUMBNAIL[1])


def test_sections_without_content_are_left_out(tmp_path, picture):
    text = page(
        tmp_path, picture, examples=[], facts={}, stages={}, curve={"L1LR": [(25, math.nan, 0.0)]}
    )
    assert re.findall("<h2>(.*?)</h2>", text) == ["Scores"]


def test_a_missing_picture_leaves_the_old_page(tmp_path, picture):
    before = page(tmp_path, picture)
    with pytest.raises(FileNotFoundError):
        page(tmp_path, picture, examples=[Example("gone", tmp_path / "gone.jpg", (), ())])
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before


SVG = "{http://www.w3.org/2000/svg}"


def drawn_lines(svg):
    """Points of each learner's line in the plot, without error bars, axes and legend."""
    paths = [path for path in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    lines = [p for p in paths if p.get("clip-path") and "linecap: square" in p.get("style")]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", line.get("d"))]
        for line in lines
    ]


def chart(**curves):
    curves = {name: Curve(*zip(*line, strict=True)) for name, line in curves.items()}
    return curves_svg(Panel("", curves, {}, ylabel="A.P. $x$", log=True))


def test_the_curve_is_logarithmic_in_size_and_linear_in_value():
    (line,) = drawn_lines(chart(a=[(10, 0.2, 0.0), (20, 0.4, 0.0), (40, 0.6, 0.1)]))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert x1 > x0
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y1


def test_text_of_the_curve_is_text_and_the_same_numbers_give_the_same_bytes():
    points = [(10, 0.137, math.nan), (30, 0.5, 0.4)]
    svg = chart(a=points)
    assert svg == chart(a=points)
    words = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert {"10", "30", "training images", "A.P. $x$", "a"} <= set(words)
    parse(svg)


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
def test_one_size_alone_can_be_drawn(mean):
    assert len(drawn_lines(chart(a=[(10, mean, 0.1)]))[0]) == 1


def test_learners_differ_without_color():
    """Each has a marker of its own."""
    line = [(10, 0.5, 0.1), (20, 0.6, 0.1)]
    svg = ElementTree.fromstring(chart(a=line, b=line))
    shapes = {path.get("id"): path.get("d") for path in svg.iter(f"{SVG}path") if path.get("id")}
    first, second = (
        shapes[group.find(f".//{SVG}use").get("{http://www.w3.org/1999/xlink}href")[1:]]
        for group in svg.iter(f"{SVG}g")
        if any("linecap: square" in path.get("style") for path in group.findall(f"{SVG}path"))
        and group.find(f".//{SVG}use") is not None
    )
    assert first != second


def test_format_score():
    assert format_score((1.0, 0.0)) == "1.000 ± .000"
    assert format_score((math.nan, 0.1)) == "-"
