"""The audit: planted repeats, planted flips, rare labels, refusals; real bags where at hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from classify.__main__ import main
from classify.audit.command import audit, summary
from classify.audit.duplicates import all_pairs, near_pairs, same_files
from classify.audit.label_errors import out_of_fold, self_confidence, suspects
from classify.model_files import load_model
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError
from tests.caches import write_cache, write_data, write_labeled_cache

N = 90
NAMES = ["red", "green", "blue", "rare"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A cache whose rows 3 and 40 are nearly equal, with five flipped labels."""
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, 1.0, (N, 12))
    Y = (X[:, :4] > [0.8, 0.9, 1.0, 3.2]).astype(np.int8)
    X[40], Y[40] = 1.001 * X[3], Y[3]
    margin = np.abs(X[:, :3] - [0.8, 0.9, 1.0])
    margin[[3, 40]] = 0
    flips = [np.unravel_index(k, margin.shape) for k in np.argsort(-margin, axis=None)[:5]]
    for row, label in flips:
        Y[row, label] ^= 1
    folder = tmp_path_factory.mktemp("planted")
    ids = [f"{row:02}.jpg" for row in range(N)]
    data = write_data(folder / "data", ids, NAMES, Y)
    return write_labeled_cache(folder / "cache", data, {"net/pool": X}), {
        (ids[row], NAMES[label]) for row, label in flips
    }


@pytest.fixture(scope="module")
def model(planted, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fit(planted[0], path, learner="l2", scaling="max", C=10.0)
    return path


def test_planted_flips_come_first_with_and_without_a_model(planted, model):
    cache, flips = planted
    for options in ({}, {"model": model}):
        found = [one for one in audit(cache, **options) if one["kind"] == "doubtful label"]
        first = [(one["image"], one["label"]) for one in found[:10]]
        assert len(flips & set(first)) >= 4
        confidences = [one["confidence"] for one in found]
        assert confidences == sorted(confidences) and confidences[-1] < 0.5


def test_out_of_fold_scores_are_of_the_models_learner(planted, model):
    from classify.selection.candidates import Candidate
    from classify.selection.search import folded, try_one

    cache, _ = planted
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    scores = out_of_fold(load_model(model), X, Y, folds=3, seed=0)
    data = folded(X, Y, [12], metric="map", folds=3, seed=0, jobs=1)
    candidate = Candidate("l2", "max", 10.0)
    expected = try_one(candidate, data).scores[candidate]
    np.testing.assert_allclose(scores, expected, rtol=0.05, atol=0.1)


def test_repeats_and_parted_pairs_are_told(planted, model, tmp_path):
    cache, _ = planted
    split = tmp_path / "split.csv"
    parts = ["test" if row == 40 else "train" for row in range(N)]
    lines = [f"{row:02}.jpg,{part}" for row, part in enumerate(parts)]
    split.write_text("\n".join(["image,split", *lines]) + "\n")
    found = audit(cache, model=model, split=split, cosine=0.999)
    (pair,) = [one for one in found if one["kind"] == "near"]
    assert pair["images"] == ["03.jpg", "40.jpg"] and pair["cosine"] > 0.9999
    assert pair["parted"] and pair["split"] == ["train", "test"]


def test_rare_labels_are_counted(planted, model):
    cache, _ = planted
    Y = FeatureCache(cache).labels
    rare = [one for one in audit(cache, model=model) if one["kind"] == "rare label"]
    assert rare == [
        {"kind": "rare label", "label": "rare", "positive": int(Y[:, 3].sum()),
         "negative": int((Y[:, 3] == 0).sum())}
    ]  # fmt: skip


def test_equal_files_are_one_pair_each_and_not_near_as_well():
    pairs = same_files([0, 1, 2, 5], ["a", "b", "a", "a"])
    assert [(one.first, one.second) for one in pairs] == [(0, 2), (0, 5)]
    X = np.ones((4, 3))
    near = near_pairs(X, [0, 1, 2, 5])
    assert len(near) == 6
    kept = all_pairs(pairs, near)
    assert [(one.first, one.second) for one in kept[2:]] == [(0, 1), (1, 2), (1, 5)]


@settings(max_examples=20)
@given(st.integers(2, 40), st.floats(0.5, 1), st.integers(0, 99))
def test_near_pairs_are_all_pairs_above_the_cosine(n, cosine, seed):
    X = np.random.default_rng(seed).random((n, 3))
    Z = np.sqrt(X) / np.linalg.norm(np.sqrt(X), axis=1, keepdims=True)
    expected = {(i, j) for i in range(n) for j in range(i + 1, n) if Z[i] @ Z[j] >= cosine}
    found = near_pairs(X, list(range(n)), cosine)
    assert {(one.first, one.second) for one in found} == expected
    assert [one.cosine for one in found] == sorted((one.cosine for one in found), reverse=True)


def test_blocks_change_no_pair(monkeypatch):
    X = np.random.default_rng(0).random((30, 3))
    whole = near_pairs(X, list(range(30)), 0.95)
    monkeypatch.setattr("classify.audit.duplicates.BLOCK", 7)
    blocks = near_pairs(X, list(range(30)), 0.95)
    assert [one[:2] for one in blocks] == [one[:2] for one in whole]


def test_the_ranking_agrees_with_cleanlab():
    ranking = pytest.importorskip(
        "cleanlab.multilabel_classification.rank", reason="cleanlab is not installed"
    )
    rng = np.random.default_rng(0)
    P = rng.random((40, 5))
    Y = (rng.random(P.shape) < P).astype(np.int8)
    given_labels = [np.flatnonzero(row).tolist() for row in Y]
    theirs = ranking.get_label_quality_scores_per_class(given_labels, P)
    ours = np.where(Y == 1, P, 1 - P)
    np.testing.assert_allclose(ours, theirs)


def test_unknown_cells_are_no_suspects():
    Y = np.array([[1, 0], [-1, 1], [0, -1], [1, 0]], dtype=np.int8)
    confidence = self_confidence(np.array([[2.0, -1], [5, 1], [-2, 3], [-3, 2]]), Y)
    assert np.isnan(confidence[Y == -1]).all() and not np.isnan(confidence[Y != -1]).any()
    assert all(Y[one.row, one.label] == one.given for one in suspects(confidence, Y, 99, 1.1))
    assert len(suspects(confidence, Y, 99, 1.1)) == 6


def test_the_command_prints_a_summary_and_keeps_all_findings(planted, model, tmp_path, capsys):
    cache, _ = planted
    out = tmp_path / "audit.jsonl"
    main(["audit", str(cache), "--out", str(out), "--count", "30", "--cosine", "0.999"])
    text = capsys.readouterr().out
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert text == summary(found) + "\n"
    assert "1 pairs of nearly identical pictures\n  03.jpg = 40.jpg (cosine 1.0000)" in text
    # Its own file is replaced.
    main(["audit", str(cache), "--out", str(out), "--cosine", "0.999", "--model", str(model)])


def test_a_cache_without_labels_is_searched_for_repeats_only(tmp_path):
    data = write_data(tmp_path / "data", ["a", "b"], ["x"], np.array([[1], [0]]))
    cache = write_cache(tmp_path / "cache", data, {"net/pool": np.ones((2, 3))})
    assert [one["kind"] for one in audit(cache)] == ["near"]
    with pytest.raises(InputError, match="has no labels to check. Give --labels FILE"):
        audit(cache, model=tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cosine": 0.0}, "The 'cosine' option"),
        ({"count": -1}, "The 'count' option"),
        ({"folds": 1}, "The 'folds' option"),
        ({"model": "gone.safetensors"}, "gone.safetensors"),
        ({"split": "gone.csv"}, "gone.csv"),
    ],
)
def test_bad_options_are_one_line(planted, tmp_path, options, match):
    options = {n: tmp_path / v if n in ("model", "split") else v for n, v in options.items()}
    with pytest.raises(InputError, match=match):
        audit(planted[0], **options)


def test_planted_flips_of_msrc_are_found(msrc, tmp_path):
    """Regions' features are at hand without a network: the bags' means stand for the images."""
    from features.bags import read_bags

    path = msrc.parent / "miml" / "MSRC_MIML.mat"
    if not path.exists():
        pytest.skip(f"no {path}: set TAGGING_SHARED to the folder that holds it")
    found = read_bags(path)
    bags, Y = found.bags, found.Y
    X = np.array([np.concatenate([bag.mean(axis=0), bag.max(axis=0)]) for bag in bags])
    flips = np.random.default_rng(0).random(Y.shape) < 0.02
    noisy = np.where(flips, 1 - Y, Y).astype(np.int8)
    data = write_data(
        tmp_path / "data", [f"{k}.jpg" for k in range(len(Y))], found.label_names, noisy
    )
    cache = write_labeled_cache(tmp_path / "cache", data, {"net/regions": X})
    fit(cache, tmp_path / "m.safetensors", learner="l2", scaling="sqrt-max", C=10.0)
    scores = out_of_fold(load_model(tmp_path / "m.safetensors"), X, noisy, folds=5, seed=0)
    doubt = 1 - self_confidence(scores, noisy)
    assert roc_auc_score(flips.ravel(), doubt.ravel()) > 0.9


def test_an_audit_that_finds_nothing_says_so_and_is_replaced(tmp_path):
    X = np.eye(24)
    Y = np.tile([[0], [1]], (12, 1)).astype(np.int8)
    data = write_data(tmp_path / "data", [f"{row:02}.jpg" for row in range(24)], ["even"], Y)
    (data / "labels.csv").unlink()
    cache, out = write_cache(tmp_path / "cache", data, {"net": X}), tmp_path / "found.jsonl"
    for _ in range(2):
        assert audit(cache, out=out) == []
    assert json.loads(out.read_text()) == {"kind": "nothing", "rows": 24}
