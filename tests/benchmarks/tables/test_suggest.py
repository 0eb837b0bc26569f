"""``tables suggest`` on a small made-up cache: what its lines hold, resuming, the page."""

import shutil

import numpy as np
import pytest

from benchmarks.tables.reading import read_task
from benchmarks.tables.suggest.report import METHODS, gains, page
from benchmarks.tables.suggest.run import suggest
from classify.feature_scaler import FeatureScaler
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.results import read_results
from classify.selection.candidates import mean_square
from features.errors import InputError
from features.splits import random_split
from tests.caches import halved_problem, write_problem

N, NAMES = 90, ("sky", "sea", "sand")
OPTIONS = {"start": 20, "batch": 8, "rounds": 3, "seeds": 2, "jobs": 1}


@pytest.fixture(scope="module")
def problem():
    return halved_problem(N)


@pytest.fixture(scope="module")
def cache(problem, tmp_path_factory):
    X, Y = problem
    return write_problem(tmp_path_factory.mktemp("suggest"), NAMES, Y, {"net/pool": X})


@pytest.fixture(scope="module")
def run(cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    suggest([cache], out, **OPTIONS)
    return out, *read_results(out / "suggest.jsonl")


def _line(lines, method, seed, number):
    key = (method, seed, number)
    return next(one for one in lines if (one["method"], one["seed"], one["round"]) == key)


def test_every_method_starts_alike_and_labels_as_many(run):
    _, _, lines = run
    assert len(lines) == len(METHODS) * 2 * 4
    for seed in (0, 1):
        starts = [_line(lines, name, seed, 0) for name in METHODS]
        assert len({(one["example_ap"], one["map"]) for one in starts}) == 1
        for name in METHODS:
            labeled = [_line(lines, name, seed, number)["labeled"] for number in range(4)]
            assert labeled == [20, 28, 36, 44]


def test_random_picks_are_a_fit_of_the_first_rows_of_an_order(run, problem):
    X, Y = problem
    part = random_split(N, 1)
    rows = np.random.default_rng(1).permutation(part.train)[:36]
    scaler = FeatureScaler("sqrt-max").fit(X[rows])
    C = 1e4 / mean_square(X[rows], "sqrt-max", [12])
    tagger = LogisticTagger("l2", C=C).fit(scaler.transform(X[rows]), Y[rows])
    scores = tagger.decision_function(scaler.transform(X))[part.test]
    for name in ("example_ap", "map"):
        expected = METRICS[name].function(Y[part.test], scores)
        assert _line(run[2], "random", 1, 2)[name] == pytest.approx(expected, abs=1e-12)


def test_another_run_adds_nothing_and_more_processes_change_nothing(run, cache, tmp_path):
    before = (run[0] / "suggest.jsonl").read_bytes()
    suggest([cache], run[0], **OPTIONS)
    assert (run[0] / "suggest.jsonl").read_bytes() == before
    suggest([cache], tmp_path / "two", **{**OPTIONS, "jobs": 2})
    assert (tmp_path / "two" / "suggest.jsonl").read_bytes() == before


def test_the_page_has_paired_differences(run):
    _, header, lines = run
    text = page(header, lines)
    found = gains(lines, "margin", "map")
    expected = [
        np.mean([
            _line(lines, "margin", seed, k)["map"] - _line(lines, "random", seed, k)["map"]
            for k in (1, 2, 3)
        ])
        for seed in (0, 1)
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert f"{np.mean(expected):+.4f} ± {np.std(expected, ddof=1):.4f} over 2 seeds" in text
    assert (run[0] / "suggest.md").read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 9}, "9 rounds label 92 images, and 60 are there to train on"),
        ({"start": 0}, "start"),
        ({"batch": 1.5}, "batch"),
        ({"seeds": 0}, "seeds"),
    ],
)
def test_bad_plans_are_refused(cache, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        suggest([cache], tmp_path / "out", **{**OPTIONS, **options})
    assert not (tmp_path / "out").exists()


def test_one_cache_twice_is_refused_and_layers_of_one_name_are_not(problem, cache, tmp_path):
    X, Y = problem
    with pytest.raises(InputError, match="hold the same features of the same images: give one"):
        suggest([cache, cache], tmp_path / "out", **OPTIONS)
    assert not (tmp_path / "out").exists()
    other = write_problem(tmp_path / "other", NAMES, Y, {"net/pool": X[:, :7]})
    task = read_task([cache, other])
    assert task.layer_widths == [12, 7] and task.X.shape == (N, 19)
    suggest([cache, other], tmp_path / "out", **OPTIONS | {"seeds": 1, "rounds": 1})


def test_a_cache_without_its_shards_is_named(cache, tmp_path):
    copy = shutil.copytree(cache, tmp_path / "copy")
    (copy / "shard-00000.h5").unlink()
    with pytest.raises(InputError, match="no row of .*copy holds features"):
        suggest([copy], tmp_path / "out", **OPTIONS)
