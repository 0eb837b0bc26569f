"""Suggestions: margins, diversity, which rows take part, the file, refusals."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import normalize

from classify.__main__ import main
from classify.decisions.rules import Rule
from classify.model_files import load_model, save_model
from classify.suggest.choose import (
    candidates,
    choose,
    cluster_picks,
    farthest_first,
    image_margins,
    top_margins,
)
from classify.suggest.command import margins_of, suggest
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError
from tests.caches import write_cache, write_data, write_labeled_cache

N, LABELED = 60, 24
NAMES = ("red", "green", "blue", "odd")
IDS = [f"{row:02}.jpg" for row in range(N)]


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (N, 12)).astype(np.float32)
    Y = (X[:, :4] + rng.normal(size=(N, 4)) / 3 > [0.8, 0.9, 1.0, 0.7]).astype(np.int8)
    Y[LABELED:] = -1
    return X, Y


@pytest.fixture(scope="module")
def cache(problem, tmp_path_factory):
    X, Y = problem
    folder = tmp_path_factory.mktemp("suggest")
    data = write_data(folder / "data", IDS, NAMES, Y)
    return write_labeled_cache(folder / "cache", data, {"net/low": X[:, :5], "net/high": X[:, 5:]})


@pytest.fixture(scope="module")
def model(cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fit(cache, path, learner="l2", scaling="sqrt-max", C=30.0)
    return path


def _places(found):
    return [IDS.index(one.image) for one in found]


def test_margins_are_the_least_distances_to_the_threshold(cache, model, problem):
    scores = load_model(model).scores(FeatureCache(cache).read())
    expected = np.abs(1 / (1 + np.exp(-scores.astype(float))) - 0.5)
    found = suggest(cache, model=model, count=10, method="margin")
    rows = LABELED + np.argsort(expected[LABELED:].min(axis=1), kind="stable")[:10]
    assert _places(found) == rows.tolist()
    assert [one.rank for one in found] == list(range(1, 11))
    np.testing.assert_allclose([one.margin for one in found], expected[rows].min(axis=1), rtol=1e-6)
    for one, row in zip(found, rows, strict=True):
        assert one.labels == tuple(NAMES[k] for k in np.argsort(expected[row])[:3])


@pytest.mark.parametrize("rule", ["f1", "recall:0.9", "top:2", "zero"])
@pytest.mark.parametrize("calibration", ["platt", "isotonic", "none"])
def test_a_margin_of_zero_is_where_the_decision_turns(cache, tmp_path, rule, calibration):
    path = tmp_path / "m.safetensors"
    options = {"thresholds": rule, "calibration": calibration, "jobs": 1}
    fit(cache, path, learner="l2", scaling="max", C=1.0, **options)
    trained = load_model(path)
    scores = np.random.default_rng(1).normal(size=(40, 4)) * 2
    cells = margins_of(trained, scores)
    assert cells.shape == scores.shape and (cells >= 0).all() and (cells <= 1).all()
    if calibration == "isotonic" or rule.startswith("top"):
        return
    thresholds = trained.decisions.thresholds if trained.decisions else np.zeros(4)
    np.testing.assert_allclose(margins_of(trained, thresholds[None]), 0, atol=1e-12)
    nearer = margins_of(trained, (scores + thresholds) / 2)
    assert (nearer <= cells + 1e-12).all()


def test_of_the_k_best_labels_the_margin_is_to_the_next_one(cache, model):
    trained = load_model(model)
    P = np.array([[0.9, 0.5, 0.3, 0.1]])
    np.testing.assert_allclose(top_margins(P, 2), [[0.5, 0.1, 0.1, 0.3]])
    np.testing.assert_array_equal(top_margins(P, 4), np.ones((1, 4)))
    decided = replace(trained, decisions=_top(2))
    scores = np.log(P / (1 - P))
    np.testing.assert_allclose(margins_of(decided, scores), [[0.5, 0.1, 0.1, 0.3]])


def _top(k):
    from classify.models import Decisions

    return Decisions(Rule("top", k), np.zeros(4))


@pytest.mark.parametrize("method", ["margin+diversity", "margin", "diversity"])
def test_only_unlabeled_images_are_chosen_each_once(cache, model, method, capsys):
    found = suggest(cache, model=model, count=100, method=method)
    assert sorted(_places(found)) == list(range(LABELED, N))
    assert (
        f"{N - LABELED} images are there to choose, 100 were asked for" in capsys.readouterr().err
    )
    everything = suggest(cache, model=model, count=N, method=method, all=True)
    assert sorted(_places(everything)) == list(range(N))


def test_labels_say_which_images_are_labeled(cache, model, tmp_path):
    labels = tmp_path / "labels.csv"
    rows = "".join(f"{name},1,0,,1\n" for name in IDS[6:])
    labels.write_text(f"image,{','.join(NAMES)}\n{rows}{IDS[0]},,,,\n")
    found = suggest(cache, model=model, labels=labels, count=6)
    assert sorted(_places(found)) == list(range(6))


@pytest.mark.parametrize("method", ["margin+diversity", "diversity"])
def test_a_cache_without_labels_is_all_unlabeled(problem, model, tmp_path, method):
    X, Y = problem
    data = write_data(tmp_path / "data", IDS, NAMES, Y)
    (data / "labels.csv").unlink()
    bare = write_cache(tmp_path / "bare", data, {"net/low": X[:, :5], "net/high": X[:, 5:]})
    if FeatureCache(bare).labels is not None:
        pytest.fail("the cache has labels")
    assert len(suggest(bare, model=model, count=7, method=method)) == 7


def test_the_file_is_csv_and_replaced_only_if_it_is_ours(cache, model, tmp_path, capsys):
    out = tmp_path / "next.csv"
    words = ["suggest", str(cache), "--model", str(model), "--count", "5"]
    main(words)
    printed = capsys.readouterr().out
    main([*words, "--out", str(out)])
    main([*words, "--out", str(out)])
    assert out.read_text() == printed
    lines = list(csv.DictReader(printed.splitlines()))
    assert [line["rank"] for line in lines] == list("12345")
    assert all(line["image"] in IDS and line["label_3"] in NAMES for line in lines)
    labels = tmp_path / "labels.csv"
    labels.write_text("image,red\n")
    with pytest.raises(InputError, match="is not a file of suggestions"):
        main([*words, "--out", str(labels)])
    assert labels.read_text() == "image,red\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count"),
        ({"pool": 0}, "pool"),
        ({"method": "coreset"}, "one of margin\\+diversity, margin, diversity. Got 'coreset'"),
    ],
)
def test_bad_numbers_and_names_are_refused(cache, model, options, message):
    with pytest.raises(InputError, match=message):
        suggest(cache, model=model, **options)


def test_what_gives_no_margin_or_no_image_is_refused(cache, model, problem, tmp_path):
    X, Y = problem
    Y = np.where(Y < 0, 0, Y)
    data = write_data(tmp_path / "data", IDS, NAMES, Y)
    whole = write_labeled_cache(tmp_path / "c", data, {"net/low": X[:, :5], "net/high": X[:, 5:]})
    with pytest.raises(InputError, match="all 60 images .* have labels: .*--all"):
        suggest(whole, model=model)
    orders = tmp_path / "orders.safetensors"
    fit(cache, orders, learner="pairwise")
    with pytest.raises(InputError, match="only orders labels.*--thresholds f1"):
        suggest(cache, model=orders)
    with pytest.raises(InputError, match="\\.csv file, not to"):
        suggest(cache, model=model, out=tmp_path / "next.txt")
    other = write_labeled_cache(tmp_path / "o", data, {"net/low": X, "net/high": X})
    with pytest.raises(InputError, match="other features"):
        suggest(other, model=model)


def test_a_blend_is_diverse_in_the_features_of_all_its_members(cache, model, tmp_path):
    trained = load_model(model)
    (member,) = trained.members
    path = tmp_path / "blend.safetensors"
    save_model(path, replace(trained, members=[member, replace(member, weight=0.5)]))
    one, two = (suggest(cache, model=m, count=8, method="diversity") for m in (model, path))
    assert _places(one) == _places(two)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 12), m=st.integers(0, 5))
def test_farthest_first_is_the_greedy_k_center_choice(seed, count, m):
    rng = np.random.default_rng(seed)
    rows, centers = rng.normal(size=(9, 3)), rng.normal(size=(m, 3))
    chosen = farthest_first(rows, count, centers)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, 9)
    unit, done = normalize(rows), list(normalize(centers)) if m else []
    for row in chosen.tolist():
        if done:
            left = [r for r in range(9) if not any(unit[r] is one for one in done)]
            nearest = [min(np.sum((unit[r] - one) ** 2) for one in done) for r in left]
            assert nearest[left.index(row)] == pytest.approx(max(nearest), abs=1e-9)
        done.append(unit[row])


def test_clusters_give_one_row_each_and_prefer_the_unsure():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(3), 20, axis=0) + rng.normal(size=(60, 3)) / 50
    margins = rng.uniform(size=60)
    chosen = cluster_picks(groups, margins, 3)
    assert sorted((chosen // 20).tolist()) == [0, 1, 2]
    assert (np.diff(margins[chosen]) >= 0).all()
    # With all weight on one row of each group, its cluster's center is that row.
    sharp = np.ones(60)
    sharp[[7, 33, 58]] = 0
    assert sorted(cluster_picks(groups, sharp, 3).tolist()) == [7, 33, 58]
    equal = cluster_picks(np.ones((6, 2)), np.zeros(6), 4)
    assert len(set(equal.tolist())) == 4


def test_candidates_are_the_least_sure():
    margins = np.array([0.4, 0.1, 0.3, 0.2, 0.5])
    assert candidates(margins, 1, "margin").tolist() == [1]
    assert candidates(margins, 1, "margin+diversity", pool=3).tolist() == [1, 3, 2]
    assert sorted(candidates(margins, 1, "diversity").tolist()) == [0, 1, 2, 3, 4]
    assert choose("margin", np.empty((5, 0)), margins, 2, np.empty((0, 0))).tolist() == [1, 3]
    assert image_margins(np.array([[0.2, 0.1], [0.3, 0.4]])).tolist() == [0.1, 0.3]
