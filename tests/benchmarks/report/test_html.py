"""The HTML page: whole, escaped, self-contained, and telling labels apart without colour."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from benchmarks.report.html import THUMBNAIL, Example, write_page
from benchmarks.report.svg import format_score, learning_curve

NASTY = "<script>alert(1)</script>&\"'"
PICTURE = "data:image/jpeg;base64,"
VOID = {"meta", "img", "line", "circle", "rect", "polyline", "br"}


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
    assert "url(" not in text
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
    # title twice, summary, learner, metric, stage, fact twice; the curve's name, axis and tip;
    # the picture's title and its two labels
    assert shown.count(NASTY) == 14
    alts = [attributes["alt"] for tag, attributes in structure.elements if tag == "img"]
    assert alts == [NASTY]


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


def centres(svg):
    """Circles of the first learner, without the one in the legend."""
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    return [(float(x), float(y)) for x, y in found][1:]


def test_the_curve_is_logarithmic_in_size_and_linear_in_value():
    svg = learning_curve({"a": [(10, 0.2, 0.0), (20, 0.4, 0.0), (40, 0.6, 0.1)]}, metric="AP")
    (x0, y0), (x1, y1), (x2, y2) = centres(svg)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert x1 > x0
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y1


@pytest.mark.parametrize("mean", [0.0, 0.137, 0.5, 1.0])
@pytest.mark.parametrize("std", [0.0, 0.013, 0.4, math.nan])
def test_points_and_bars_stay_inside_the_plot(mean, std):
    svg = learning_curve({"a": [(10, mean, std), (30, 0.5, std)]}, metric="AP")
    parse(svg)
    heights = [float(y) for y in re.findall(r'\b(?:c?y|y1|y2)="([\d.-]+)"', svg)]
    assert min(heights) >= 0
    assert max(heights) <= 300


def test_one_size_alone_can_be_drawn():
    assert len(centres(learning_curve({"a": [(10, 0.5, 0.1)]}, metric="AP"))) == 1


def test_learners_differ_without_colour():
    line = [(10, 0.5, 0.1), (20, 0.6, 0.1)]
    first, second = learning_curve({"a": line, "b": line}, metric="AP").split('class="series s1"')[
        :2
    ]
    assert "circle" in first
    assert "dasharray" not in first
    assert "rect" in second
    assert "dasharray" in second


def test_format_score():
    assert format_score((1.0, 0.0)) == "1.000 ± .000"
    assert format_score((math.nan, 0.1)) == "-"
