"""Model files and predictions: round trips, refusals, damage, and a kill in the middle."""

import csv
import json
import multiprocessing
import shutil
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.__main__ import main
from classify.learners import LEARNERS
from classify.logistic import LogisticTagger
from classify.models import load_model, save_model
from classify.training import fit, predict
from features.cache import FeatureCache
from features.errors import InputError
from features.manifest import canonical, read_manifest
from tests.features.test_cache import ROWS, make_cache


def write_labels(path, ids, unknown=()):
    lines = ["image,sky,sea"]
    for i, id_ in enumerate(ids):
        lines.append(f"{id_},{'' if i in unknown else i % 2},{int(i % 3 == 0)}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = make_cache(tmp_path_factory.mktemp("cache"), bad=(4,))
    write_labels(folder / "labels.csv", FeatureCache(folder).ids, unknown=(7,))
    return folder


@pytest.fixture(scope="module")
def model(cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fit(cache, path)
    return path


@pytest.mark.parametrize("scale", ["none", "max01"])
@pytest.mark.parametrize("learner", ["l1", "l2"])
def test_a_model_scores_as_its_estimator_did(cache, tmp_path, learner, scale):
    path = tmp_path / "m.safetensors"
    fit(cache, path, learner=learner, C=3.0, scale=scale, layers=["net/pool"])
    features = FeatureCache(cache)
    X, Y = features.read(["net/pool"]), features.labels[features.valid_rows]
    divided = X / (np.abs(X).max(axis=0) if scale == "max01" else 1)
    expected = LogisticTagger(learner, C=3.0).fit(divided, Y).decision_function(divided)
    loaded = load_model(path)
    np.testing.assert_allclose(loaded.scores(X), expected, rtol=1e-4, atol=1e-5)
    assert loaded.learner == learner and loaded.parameters["C"] == 3.0
    assert list(loaded.layers) == ["net/pool"] and list(loaded.label_names) == ["sky", "sea"]
    assert loaded.manifest_hash == features.manifest_hash
    assert loaded.versions["numpy"] == np.__version__


@pytest.mark.parametrize("learner", ["imcl", "rmlc", "bce"])
def test_a_model_by_descent_is_kept_to_the_last_bit(cache, tmp_path, learner):
    path = tmp_path / "m.safetensors"
    main(["fit", str(cache), "--learner", learner, "--C", "3", "--out", str(path)])
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels[features.valid_rows]
    tagger = LEARNERS[learner].make(3.0, Y).fit(X, Y)
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.coef, tagger.coef_.astype(np.float64))
    np.testing.assert_array_equal(loaded.intercept, tagger.intercept_.astype(np.float64))
    if learner == "imcl":
        assert loaded.parameters["C"] == 3
    else:
        assert loaded.parameters["weight_decay"] == 1 / (3 * len(X))
    save_model(tmp_path / "again.safetensors", loaded)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    main(["predict", str(path), str(cache), "--out", str(tmp_path / "p.csv")])
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        decided = [int(row["decision"]) for row in csv.DictReader(file)]
    assert decided == tagger.predict(X).ravel().tolist()


def test_images_without_labels_are_learnt_from_by_their_neighbours(cache, tmp_path):
    labels, path = tmp_path / "labels.csv", tmp_path / "m.safetensors"
    write_labels(labels, FeatureCache(cache).ids[:12])
    fitted = fit(cache, path, learner="ss-rmlc", labels=labels)
    assert fitted.parameters["temperature"] == "mean_all"
    supervised = fit(cache, path, learner="rmlc", labels=labels)
    assert not np.array_equal(fitted.coef, supervised.coef)


def test_predictions_as_csv_and_json_lines_are_the_same(cache, model, tmp_path):
    predict(model, cache, tmp_path / "p.csv")
    predict(model, cache, tmp_path / "p.jsonl")
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * (ROWS - 1)
    assert {row["image"] for row in rows} == {f"ä{i}.jpg" for i in range(ROWS) if i != 4}
    scores = load_model(model).scores(FeatureCache(cache).read())
    for row, line, score in zip(rows, lines, scores.ravel(), strict=True):
        assert (row["image"], row["label"]) == (line["image"], line["label"])
        assert float(row["score"]) == line["score"] == score
        assert int(row["decision"]) == line["decision"] == (score > 0)


def test_a_cache_of_other_images_is_tagged_and_one_of_other_features_refused(
    cache, model, tmp_path
):
    other = tmp_path / "other"
    shutil.copytree(cache, other)
    manifest = read_manifest(other)
    (other / "manifest.json").write_text(
        canonical(manifest | {"index": manifest["index"] | {"sha256": "0"}})
    )
    predict(model, other, tmp_path / "p.csv")
    (other / "manifest.json").write_text(canonical(manifest | {"dtype": "float16", "extra": 1}))
    with pytest.raises(InputError, match="dtype: there float32, here float16; extra: there noth"):
        predict(model, other, tmp_path / "q.csv")
    assert not (tmp_path / "q.csv").exists()


def test_labels_may_come_from_another_file(cache, tmp_path):
    labels = tmp_path / "labels.csv"
    write_labels(labels, FeatureCache(cache).ids[:12][::-1])
    fitted = fit(cache, tmp_path / "m.safetensors", labels=labels)
    features = FeatureCache(cache)
    rows = [r for r in range(11, -1, -1) if r != 4]
    Y = np.array([[i % 2, i % 3 == 0] for i in range(12) if 11 - i != 4], dtype=int)
    expected = LogisticTagger("l2").fit(features.read(None, rows), Y)
    # Both stop at a gap of 1e-4, which leaves weights a little apart; another order of rows
    # would leave them nothing in common.
    np.testing.assert_allclose(fitted.coef, expected.coef_, atol=0.03)
    write_labels(labels, ["nobody.jpg"])
    with pytest.raises(InputError, match=r"names 'nobody.jpg' and 0 more images that .* lacks"):
        fit(cache, tmp_path / "m.safetensors", labels=labels)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"learner": "svm"}, "learner 'svm'; give one of l1, l2"),
        ({"scale": "unit"}, "scale 'unit'; give one of none, max01"),
        ({"layers": ["net/x"]}, "no layer 'net/x' .* it has net/pool, net/fc"),
        ({"C": 0.0}, "C 0; give positive numbers"),
        ({"learner": "ss-rmlc"}, "all [0-9]+ rows have labels: give --labels a file"),
    ],
)
def test_bad_settings_are_one_line(cache, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        fit(cache, tmp_path / "m.safetensors", **change)


def test_a_cache_without_labels_names_the_remedy(tmp_path):
    with pytest.raises(InputError, match="has no labels; give --labels FILE"):
        fit(make_cache(tmp_path), tmp_path / "m.safetensors")


@given(offset=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(deadline=None, max_examples=80)
def test_a_damaged_model_is_refused_or_loads_finite_numbers(model, offset, flip):
    raw = bytearray(model.read_bytes())
    raw[offset % len(raw)] ^= flip
    broken = model.with_name("broken.safetensors")
    broken.write_bytes(bytes(raw))
    try:
        loaded = load_model(broken)
    except InputError as error:
        assert "can't be read as a model" in str(error)
    else:
        assert np.isfinite(loaded.coef).all()


def test_a_truncated_or_missing_model_is_refused(model, tmp_path):
    for path in (tmp_path / "gone", tmp_path / "cut.safetensors"):
        with pytest.raises(InputError, match="make one with `python -m classify fit`"):
            load_model(path)
        (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:-3])


def _save_for_ever(path, model):
    while True:
        save_model(path, model)


def test_a_killed_writer_leaves_a_whole_model(model, tmp_path):
    path = tmp_path / "m.safetensors"
    whole = load_model(model)
    rng = np.random.default_rng(0)
    for _ in range(8):
        child = multiprocessing.get_context("fork").Process(
            target=_save_for_ever, args=(path, whole)
        )
        child.start()
        time.sleep(rng.uniform(0.01, 0.06))
        child.kill()
        child.join()
        if path.exists():
            np.testing.assert_array_equal(load_model(path).coef, whole.coef)


def test_predictions_go_to_known_endings_only(cache, model, tmp_path):
    with pytest.raises(InputError, match=r"go to a .csv or .jsonl file, not to .*p.xml"):
        predict(model, cache, tmp_path / "p.xml")


def test_the_command_line(cache, tmp_path, capsys):
    path, out = str(tmp_path / "m.safetensors"), str(tmp_path / "p.csv")
    main(["fit", str(cache), "--learner", "l1", "--C", "2", "--out", path])
    main(["predict", path, str(cache), "--out", out])
    assert capsys.readouterr().out == f"{path}\n{out}\n"
    assert load_model(path).parameters["C"] == 2.0
