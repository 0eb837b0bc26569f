"""The page: what it holds, that nothing in it leads out, hostile names, whose file is replaced."""

import re
import shlex
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from classify.__main__ import main
from classify.report.command import report
from classify.results import read_results
from classify.sweep import sweep
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError
from tests.caches import write_data, write_labeled_cache
from tests.classify.report.conftest import NAMES, N, small_set
from tests.classify.report.test_lines import other_file

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """What a browser reads: elements with their attributes, and tables as lists of texts."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements, self.open, self.tables, self.texts = [], [], {}, []
        self.feed(self.source)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, data):
        if "caption" in self.open:
            self.caption += data
        elif {"th", "td"} & {*self.open}:
            self.rows[-1][-1] += data
        elif not {"style", "script"} & {*self.open}:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def table(self, start):
        (found,) = [rows for caption, rows in self.tables.items() if caption.startswith(start)]
        return found


@pytest.fixture(scope="module")
def page(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "report.html"
    return Page(report([place.sweep], cache=place.cache, data=place.data, out=out, jobs=1))


def test_it_has_its_sections_and_every_link_leads_to_one(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"].removeprefix("#") for attributes in page.all("a")]
    assert {"summary", "comparisons", "labels", "reliability", "together", "layers"} <= {*links}
    assert {*links} <= {*ids}


def test_references_inside_drawings_lead_to_their_own_ids(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    named = re.findall(r'url\(#([^)]+)\)|(?:href|labelledby)="#?([\w-]+)"', page.source)
    assert named
    assert {one or other for one, other in named} <= ids


def test_it_needs_no_network(page):
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:)\w""", page.source)
    assert "default-src 'none'" in page.source


def test_tables_and_drawings_say_what_they_are(page):
    assert all("scope" in attributes for attributes in page.all("th"))
    assert len(page.tables) == len(page.all("table")) and all(page.tables)
    drawings = page.all("svg")
    assert drawings and all(one["role"] == "img" for one in drawings)
    assert all(one["aria-labelledby"] for one in drawings)
    assert "#010203" not in page.source and "mathdefault" not in page.source


def test_the_numbers_are_those_of_the_lines(page, place):
    _, lines = read_results(place.sweep)
    values = [one["map"] for one in lines if one["selected"] and one["learner"] == "l2"]
    head, *rows = page.table("Metrics of each way to train")
    (row,) = [row for row in rows if row[0] == "l2, none"]
    expected = f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
    assert row[head.index("map ↑")] == expected
    assert row[1] == "5"


def test_too_few_splits_are_told(page):
    text = " ".join(page.texts)
    assert "With 5 splits no p is below 0.062" in text
    assert "can't bring an adjusted p below 0.05: that takes 6, or fewer comparisons" in text


def test_labels_are_counted_as_they_are(page, place):
    Y = FeatureCache(place.cache).labels
    head, *rows = page.table("Counts and measures of each label")
    assert [row[0] for row in rows] == NAMES
    assert [int(row[head.index("present")]) for row in rows] == (Y == 1).sum(axis=0).tolist()
    for row in rows:
        hits, predicted, present = (int(row[head.index(one)]) for one in
                                    ("hits", "predicted", "present"))  # fmt: skip
        assert row[head.index("precision")] == f"{hits / predicted:.3f}"
        assert row[head.index("recall")] == f"{hits / present:.3f}"


def test_layers_are_those_of_the_cache(page):
    head, *rows = page.table("Weights of each layer")
    assert [row[:2] for row in rows] == [["net/low", "4"], ["net/high", "4"]]
    used = [int(row[head.index("weights that are not 0")]) for row in rows]
    assert used[1] > used[0]  # labels depend on the second layer alone
    assert sum(float(row[-1].rstrip("%")) for row in rows) == pytest.approx(100, abs=0.2)


def test_the_manifest_is_whole(page, place):
    rows = dict(page.table("The cache and its manifest")[1:])
    cache = FeatureCache(place.cache)
    assert rows["sha256 of the manifest"] == cache.manifest_hash
    assert rows["index.sha256"] == cache.manifest["index"]["sha256"]
    assert rows["images with features"] == str(N)


def test_the_commands_on_the_page_make_it_anew(place, tmp_path):
    """The sweep and the page, from the lines of the page alone, have the same bytes."""
    swept = sweep(place.cache, tmp_path / "a sweep.jsonl", C=[1.0], splits=2, seed=5, jobs=1)
    out = report(
        [swept], cache=place.cache, data=place.data, out=tmp_path / "r.html", jobs=1, seed=3
    )
    first = (swept.read_bytes(), out.read_bytes())
    lines = [text for text in Page(out).texts if text.startswith("multilabel ")]
    sweeping, reporting = dict.fromkeys(lines)
    swept.unlink()
    out.unlink()
    main([*shlex.split(sweeping)[2:], "--jobs", "1"])
    main(shlex.split(reporting)[1:])
    assert (swept.read_bytes(), out.read_bytes()) == first


@pytest.mark.usefixtures("undrawn")
def test_a_model_predicts_instead(place, tmp_path):
    model = tmp_path / "m.safetensors"
    fit(place.cache, model, learner="l1", C=5.0, thresholds="top:1", calibration="isotonic")
    out = report([place.sweep], cache=place.cache, out=tmp_path / "r.html", model=model, jobs=1)
    page = Page(out)
    text = " ".join(page.texts)
    assert f"Predictions of the learners of {model}" in text and "by the rule top:1" in text
    assert "isotonic regression" in text and "The model keeps few weights" in text
    head, *rows = page.table("Counts and measures")
    assert sum(int(row[head.index("predicted")]) for row in rows) == N
    with pytest.raises(InputError, match="--learner names what predicts, and so does --model"):
        report([place.sweep], cache=place.cache, out=out, model=model, learner="l2, none")


@pytest.mark.usefixtures("undrawn")
def test_the_learner_can_be_named(place, tmp_path):
    options = {"cache": place.cache, "out": tmp_path / "r.html", "jobs": 1}
    out = report([place.sweep], learner="l1, none", **options)
    assert "Predictions of l1, none, C = " in out.read_text()
    with pytest.raises(InputError, match="The 'learner' option must be one of l., none, l., none"):
        report([place.sweep], learner="l1", **options)


def test_results_without_a_learner_that_can_be_trained_ask_for_a_model(place, tmp_path):
    lines = [{"learner": "other", "n_train": n, "seed": s, "map": 0.5 + s / 9} for n in (5, 9)
             for s in (0, 1)]  # fmt: skip
    path = other_file(tmp_path / "t.jsonl", place.cache, lines)
    options = {"cache": place.cache, "out": tmp_path / "r.html", "metric": "map", "jobs": 1}
    with pytest.raises(InputError, match="give --model FILE or results of `classify sweep`"):
        report([path], **options)
    page = Page(report([path, place.sweep], **options))
    assert "map against training images" in " ".join(page.texts)
    assert "No two ways" not in page.source and "other" in page.source


@pytest.mark.usefixtures("undrawn")
def test_bags_are_predicted_as_bags(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (40, 8))
    Y = (X[:, [0, 4]] > 0.8).astype(np.int8)
    data = write_data(tmp_path / "data", [f"{k}.jpg" for k in range(40)], NAMES[:2], Y)
    layers = {"net/pool": X}
    cache = write_labeled_cache(tmp_path / "cache", data, layers, pooling="quadrant_max")
    out = sweep(cache, tmp_path / "s.jsonl", learner=["ranklsim"], C=[1], splits=2, jobs=1)
    page = Page(report([out], cache=cache, out=tmp_path / "r.html", jobs=1, folds=2))
    assert "Predictions of ranklsim, none, C = 1 for all 40 images" in " ".join(page.texts)


@pytest.mark.usefixtures("undrawn")
def test_unknown_cells_are_no_obstacle(tmp_path):
    _, cache = small_set(tmp_path, unknown=True)
    out = sweep(
        cache, tmp_path / "s.jsonl", learner=["l2", "bce"], C=[1], splits=2, folds=2, jobs=1
    )
    page = Page(report([out], cache=cache, out=tmp_path / "r.html", jobs=1, folds=3))
    head, *rows = page.table("Counts and measures")
    unknown = (FeatureCache(cache).labels == -1).sum(axis=0)
    assert [int(row[head.index("unknown")]) for row in rows] == unknown.tolist()
    assert "layers" not in [attributes.get("id") for attributes in page.all("section")]


HOSTILE = ["<script>alert(1)</script>", "\"'&amp;--><b", "$x^2$ 漢字 \u202e", "a" * 300]


def test_hostile_names_are_text(tmp_path):
    ids = [f"{k:02} <img src=x onerror=alert(1)>'\"&.png" for k in range(40)]
    data, cache = small_set(tmp_path, n=40, names=HOSTILE, ids=ids)
    out = sweep(cache, tmp_path / "s & <i>.jsonl", C=[1.0], splits=2, folds=2, jobs=1)
    page = Page(report([out], cache=cache, data=data, out=tmp_path / "r.html", jobs=1, folds=3))
    assert len(page.all("script")) == 1
    assert not [a for a in page.all("img") if not a["src"].startswith("data:image/jpeg;base64,")]
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert [row[0] for row in page.table("Counts and measures")[1:]] == HOSTILE


@pytest.mark.usefixtures("undrawn")
def test_only_its_own_file_is_replaced(place, tmp_path):
    out = tmp_path / "mine.html"
    out.write_text("<!doctype html><html><body>mine</body></html>")
    with pytest.raises(InputError, match="is not a report that this program made, so it is left"):
        report([place.sweep], cache=place.cache, out=out)
    assert "mine" in out.read_text()
    out.unlink()
    report([place.sweep], cache=place.cache, out=out, jobs=1)
    link = tmp_path / "link.html"
    link.symlink_to(out)
    report([place.sweep], cache=place.cache, out=link, jobs=1)
    assert link.is_symlink()
    with pytest.raises(InputError, match="is not a report"):
        report([place.sweep], cache=place.cache, out=place.sweep)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"metric": "accuracy"},
            "The 'metric' option must be one of example_ap, .* Got 'accuracy'",
        ),
        ({"metric": "f2"}, "The 'metric' option"),
        ({"pictures": 41}, r"The 'pictures' option must be an int in the range \[0, 40\]"),
        ({"folds": 1}, "The 'folds' option"),
        ({"seed": -1}, "The 'seed' option"),
        ({"jobs": 0}, "The 'jobs' option"),
        ({"folds": 1000}, "The 'folds' option must be from 2 to the 60 rows"),
    ],
)
def test_bad_options_are_one_line(place, tmp_path, options, match):
    with pytest.raises(InputError, match=match):
        report([place.sweep], cache=place.cache, out=tmp_path / "r.html", **options)
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_library_names_the_extra(place, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf"The report needs the extra 'plots' \(.*{missing}.*pip install '.*\[plots\]'"
    with pytest.raises(InputError, match=message):
        report([place.sweep], cache=place.cache, out=tmp_path / "r.html")


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_where_the_page_is(place, tmp_path, capsys):
    out = tmp_path / "r.html"
    words = [str(place.sweep), "--cache", str(place.cache), "--out", str(out), "--jobs", "1"]
    main(["report", *words])
    assert capsys.readouterr().out == f"{out}\n"


def test_the_wheel_would_hold_every_template():
    from configparser import ConfigParser

    from classify.report.page import TEMPLATES

    config = ConfigParser()
    config.read(TEMPLATES.parents[2] / "setup.cfg")
    patterns = config["options.package_data"]["classify.report"].split()
    held = {path for pattern in patterns for path in TEMPLATES.parent.glob(pattern)}
    assert {path for path in TEMPLATES.iterdir() if path.is_file()} <= held
    assert "classify.report" in config["options"]["packages"].split()
