"""``tables imcl`` on a small made-up cache: protocol, arithmetic, claims, kills, the page."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.tables.experiment import choose, fit_and_evaluate, try_setting
from benchmarks.tables.imcl import learners
from benchmarks.tables.imcl.learners import ABLATIONS, FIXED, IMCL, LOGISTIC, PARTIAL_LEARNERS
from benchmarks.tables.imcl.neighbors_page import neighbors_of
from benchmarks.tables.imcl.published import (
    OPEN_IMAGES,
    OPEN_IMAGES_ABLATION,
    OPEN_IMAGES_SENSITIVITY,
)
from benchmarks.tables.imcl.report import claims, gather, page
from benchmarks.tables.imcl.run import imcl
from benchmarks.tables.imcl.trials import (
    PLACE,
    PartialExperiment,
    method_of,
    read_partial_task,
)
from classify.logistic import LogisticTagger
from classify.metrics.label_based import mean_average_precision
from classify.results import ResultFile, read_results
from features.errors import InputError
from features.missing import hide
from tests.caches import write_data, write_labeled_cache

N, NAMES = 90, ("sky", "sea", "sand", "tree", "house", "boat")
QUICK = {"learners": ["lsep", "curriculum", IMCL], "jobs": 1}


METHODS = {one.name: one for one in PARTIAL_LEARNERS}


def _make(learner, setting, section="main", variant=""):
    method = method_of(METHODS, {"learner": learner, "section": section, "variant": variant})
    return method.make(**method.settings[setting])


def _problem():
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (N, 10)).astype(np.float32)
    scores = X @ rng.normal(size=(10, 6))
    return X, (scores > np.quantile(scores, 0.6, axis=0)).astype(np.int8)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set with images of one color, its cache, and a split file."""
    X, Y = _problem()
    folder = tmp_path_factory.mktemp("made")
    ids = [f"{row:03}.png" for row in range(N)]
    data = write_data(folder / "small", ids, NAMES, Y)
    for row, image in enumerate(ids):
        Image.new("RGB", (8, 8), (row, 100, 50)).save(data / "images" / image)
    parts = "".join(f"{image},{'test' if i % 3 == 0 else 'train'}\n" for i, image in enumerate(ids))
    (folder / "split.csv").write_text("image,split\n" + parts)
    return (
        data,
        write_labeled_cache(folder / "small.cache", data, {"net/low": X}),
        folder / "split.csv",
    )


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """The files that an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole")
    imcl(made[1], out=out, missing=[0.8, 0.4], masks=2, ablations_at=[0.8], data=made[0], **QUICK)
    return out


def test_lines_hold_every_fit(whole):
    header, lines = read_results(whole / "imcl.jsonl")
    main = {(one["learner"], one["rate"], one["seed"]) for one in lines if one["section"] == "main"}
    names = [LOGISTIC, *QUICK["learners"]]
    assert main == {(name, rate, seed) for name in names for rate in (0.8, 0.4) for seed in (0, 1)}
    others = {(one["section"], one["variant"]) for one in lines if one["section"] != "main"}
    assert others == {(one.section, one.name) for one in ABLATIONS if one.parameters}
    assert {one["rate"] for one in lines if one["section"] != "main"} == {0.8}
    assert set(header["settings"]) == set(names)


def test_a_line_follows_the_protocol(made, whole):
    X, Y = _problem()
    _, lines = read_results(whole / "imcl.jsonl")
    (line,) = [
        one
        for one in lines
        if (one["learner"], one["section"], one["rate"], one["seed"]) == (LOGISTIC, "main", 0.8, 1)
    ]
    order = np.random.default_rng(1).permutation(N)
    train, test = order[:60], order[60:]
    X = X / np.linalg.norm(X[train], axis=1).mean()
    hidden = hide(Y[train], 0.8, seed=1)
    tagger = LogisticTagger("l2", C=(10.0, 100.0, 1000.0)[line["setting"]]).fit(X[train], hidden)
    expected = mean_average_precision(Y[test], tagger.decision_function(X[test]))
    assert line["map"] == pytest.approx(expected, abs=1e-6)
    assert line["evaluable"] == 6 and line["map_zero"] == pytest.approx(line["map"])
    groups = [line[f"g{number}"] for number in range(1, 6)]
    assert (2 * groups[0] + sum(groups[1:])) / 6 == pytest.approx(line["map"])


def test_settings_are_chosen_without_hidden_cells_and_test_rows(made):
    source = read_partial_task(made[1])
    cell = {"learner": LOGISTIC, "rate": 0.6, "seed": 2, "setting": 1}
    before = try_setting(cell, PartialExperiment(source, METHODS))
    rows = source.split(2)
    changed = source.Y.copy()
    changed[rows.test] = 1 - changed[rows.test]
    hidden = hide(source.Y[rows.train], 0.6, seed=2) == -1
    changed[np.ix_(rows.train)] = np.where(hidden, 0, changed[rows.train])
    assert hide(changed[rows.train], 0.6, seed=2).tolist() == (
        hide(source.Y[rows.train], 0.6, seed=2).tolist()
    )
    assert try_setting(cell, PartialExperiment(replace(source, Y=changed), METHODS)) == before


def test_the_best_setting_is_chosen_and_the_first_of_equal_ones(whole):
    _, lines = read_results(whole / "selection.jsonl")
    _, results = read_results(whole / "imcl.jsonl")
    for line in results:
        mine = [
            one["score"]
            for one in lines
            if all(one[name] == line[name] for name in ("learner", "rate", "seed"))
        ]
        assert line["setting"] == np.argmax(np.nan_to_num(np.array(mine, dtype=float)))
    line = {"learner": "lsep", "rate": 0.9, "seed": 0}
    scores = [0.2, 0.7, 0.7, None]
    made_up = [{**line, "setting": s, "score": value} for s, value in enumerate(scores)]
    assert choose(made_up, PLACE, "map") == {("lsep", 0.9, 0): 1}


def test_a_setting_that_diverges_is_not_chosen(made, monkeypatch):
    def diverge(*_):
        raise InputError("training diverges")

    monkeypatch.setattr(LogisticTagger, "fit", diverge)
    cell = {"learner": LOGISTIC, "rate": 0.6, "seed": 0, "setting": 0}
    line = try_setting(cell, PartialExperiment(read_partial_task(made[1]), METHODS))
    assert line == {"score": None, "error": "training diverges"}
    result = {"learner": LOGISTIC, "section": "main", "variant": "", "rate": 0.6, "seed": 0}
    failed = fit_and_evaluate(
        {**result, "setting": 0}, PartialExperiment(read_partial_task(made[1]), METHODS)
    )
    assert failed["map"] is None and failed["error"] == "training diverges"
    with pytest.raises(InputError, match="no setting of logistic .* by map: training diverges"):
        choose([{**cell, **line}], PLACE, "map")


def test_every_learner_has_as_many_settings_and_can_be_fitted(made):
    assert {len(one.settings) for one in PARTIAL_LEARNERS} == {3}
    assert [one.title for one in PARTIAL_LEARNERS] == list(OPEN_IMAGES)
    source = read_partial_task(made[1])
    for one in PARTIAL_LEARNERS:
        cell = {"learner": one.name, "section": "main", "variant": "", "rate": 0.4}
        trial = {**cell, "seed": 0, "setting": 2}
        line = fit_and_evaluate(trial, PartialExperiment(source, METHODS, "stratified"))
        assert 0.3 < line["map"] <= 1


def test_ablations_are_what_the_published_tables_vary():
    graphs = [one.title for one in ABLATIONS if one.section == "graphs"]
    assert set(OPEN_IMAGES_ABLATION) <= set(graphs)
    for name, quoted in OPEN_IMAGES_SENSITIVITY.items():
        mine = [one.name for one in ABLATIONS if one.section == name]
        assert mine == [f"{value:g}" for value in quoted]
    model = _make(IMCL, 0, "graphs", FIXED)
    assert (model.image_graph, model.learn_graph, model.k) == ("fixed", False, 5)
    assert _make(IMCL, 2, "k", "7").k == 7


def test_quoted_groups_average_to_what_is_quoted():
    for name, quoted in OPEN_IMAGES.items():
        for numbers in quoted:
            assert len(numbers) in (0, 6)
            if numbers:
                assert np.mean(numbers[:5]) == pytest.approx(numbers[5], abs=0.011), name


def test_the_report_says_what_the_lines_say(whole):
    text = (whole / "imcl.md").read_text()
    assert page(*read_results(whole / "imcl.jsonl")) == text
    values = gather(read_results(whole / "imcl.jsonl")[1])
    maps = 100 * values[LOGISTIC, "main", "", 0.8]["map"]
    gains = 100 * values[IMCL, "main", "", 0.4]["map"] - (
        100 * values[LOGISTIC, "main", "", 0.4]["map"]
    )
    assert f"{maps.mean():.2f} ± {maps.std(ddof=1):.2f}" in text
    sign = "" if gains.mean() < 0 else "+"
    assert f"{sign}{gains.mean():.2f} ± {gains.std(ddof=1):.2f}" in text
    for words in ("76.72", "quoted", "86.26", "## IMCL, lambda_y, 80% missing", "## Claims"):
        assert words in text
    assert (whole / "imcl_gain.png").exists()


def _line(learner, value, seed=0, rate=0.9, section="main", variant=""):
    place = {"rate": rate, "seed": seed, "section": section, "variant": variant}
    return {"learner": learner, "map": value, "map_zero": value, "g1": value, **place}


@pytest.mark.parametrize(("baseline", "fixed", "expected"), [(0.5, 0.5, HOLDS), (0.7, 0.65, FAILS)])
def test_claims_come_from_numbers(baseline, fixed, expected):
    lines = [
        line
        for seed in (0, 1)
        for line in (
            _line(LOGISTIC, 0.4 + seed / 100, seed),
            _line("lsep", baseline, seed),
            _line(IMCL, 0.6, seed),
            _line(IMCL, fixed, seed, section="graphs", variant=FIXED),
        )
    ]
    found = {one.text: one for one in claims({}, lines)}
    assert {text: one.verdict for text, one in found.items()} == {
        "IMCL above Logistic, 90% missing": HOLDS,
        "IMCL above LSEP, 90% missing": expected,
        "learned similarities above fixed ones, 90% missing": expected,
    }
    numbers = found["IMCL above Logistic, 90% missing"].numbers
    assert numbers == "mAP (%) 60.00 and 40.50: +19.50 ± 0.71 over 2 seeds"


def test_one_mask_shows_nothing():
    (one,) = claims({}, [_line(LOGISTIC, 0.4), _line(IMCL, 0.5)])
    assert one.verdict == NOT_SHOWN
    assert claims({}, [_line(LOGISTIC, 0.4), _line(IMCL, 0.5, rate=0.2)]) == []


@pytest.mark.parametrize("stop", [5, 12, 14])
def test_a_stopped_run_goes_on_where_it_stopped(made, tmp_path, monkeypatch, stop):
    options = {"missing": [0.8, 0.4], "masks": 1, "learners": ["lsep"], "jobs": 1}
    imcl(made[1], out=tmp_path / "whole", **options)
    append, left = ResultFile.append, iter(range(stop))

    def stop_later(self, line):
        if next(left, None) is None:
            raise KeyboardInterrupt
        append(self, line)

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ResultFile, "append", stop_later)
        imcl(made[1], out=out, **options)
    counts = [path.read_bytes().count(b"\n") - 1 for path in out.iterdir()]
    assert sum(counts) == stop and len(counts) == (1 if stop < 12 else 2)
    newest = out / ("selection.jsonl" if stop < 12 else "imcl.jsonl")
    with newest.open("ab") as file:
        file.write(b'{"learner": "im')  # what a kill leaves of a line
    imcl(made[1], out=out, **options)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == expected


def test_a_split_file_is_kept_to_and_labels_without_a_positive_go(made, tmp_path):
    source = read_partial_task(made[1], split=made[2])
    assert source.split(0).test.tolist() == list(range(0, N, 3))
    assert source.split(5) is source.split(0)
    text = made[2].read_text()
    X, Y = _problem()
    Y[::3, 2] = 0
    data = write_data(tmp_path / "rare", source.ids, NAMES, Y)
    cache = write_labeled_cache(tmp_path / "rare.cache", data, {"net/low": X})
    rare = read_partial_task(cache, split=made[2])
    assert rare.label_names == ("sky", "sea", "tree", "house", "boat") and rare.Y.shape == (N, 5)
    (tmp_path / "split.csv").write_text(text.replace(",train", ",val"))
    validated = read_partial_task(made[1], split=tmp_path / "split.csv")
    assert validated.split(0).train.tolist() == source.split(0).train.tolist()
    (tmp_path / "split.csv").write_text(text.replace(",test", ",train"))
    with pytest.raises(InputError, match="leaves 90 training and 0 test images: both are needed"):
        read_partial_task(made[1], split=tmp_path / "split.csv")


def test_the_page_shows_test_images_and_their_neighbors(made, whole):
    html = (whole / "neighbors.html").read_text()
    assert html.count("test image: ") == 10
    assert html.count("<figure>") == html.count("data:image/jpeg") > 10
    assert "http" not in html.replace("http-equiv", "")


def test_neighbors_explain_a_row(made):
    source = read_partial_task(made[1])
    X, Y = source.X / 3, hide(source.Y, 0.5, 0)
    model = _make(IMCL, 1).fit(X, Y)
    found = neighbors_of(model, X, Y, X[:8])
    assert all(len(one) <= model.k for one in found) and sum(map(len, found)) > 8
    for neighbors in found:
        rows = [one.row for one in neighbors]
        assert len(set(rows)) == len(rows) and set(rows) <= set(range(N))
        assert all(one.label_weight >= 0 and one.feature_weight >= 0 for one in neighbors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": [1.0]}, r"'missing' option must be rates in the range \[0, 1\). Got 1.0"),
        ({"missing": []}, "'missing' option must have one value or more"),
        ({"missing": [-0.1]}, r"'missing' option must be a float in the range \[0, inf\)"),
        ({"jobs": 0}, "'jobs' option must be -1, or 1 or more. Got 0"),
        ({"masks": 0}, "'masks' option must be an int in the range .1, inf.. Got 0"),
        ({"scheme": "rows"}, "'scheme' option must be one of uniform, stratified. Got 'rows'"),
        ({"learners": ["SVM"]}, "'learners' option must be one of logistic, .* Got 'SVM'"),
        ({"layers": ["net/top"]}, "Got 'net/top'"),
    ],
)
def test_bad_options(made, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        imcl(made[1], out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_results_of_other_settings_are_refused(made, whole, monkeypatch):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(InputError, match="scheme: there uniform, here stratified"):
        imcl(made[1], out=whole, missing=[0.8], masks=2, scheme="stratified", **QUICK)
    first = PARTIAL_LEARNERS[0]
    other = replace(first, settings={number: {"C": 1.0} for number in range(3)})
    monkeypatch.setattr(learners, "PARTIAL_LEARNERS", (other, *PARTIAL_LEARNERS[1:]))
    with pytest.raises(InputError, match="settings.logistic: there"):
        imcl(made[1], out=whole, missing=[0.8], masks=2, **QUICK)
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
