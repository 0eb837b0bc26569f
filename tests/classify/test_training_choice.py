"""Models that fit chooses or blends, their calibration, and files of the second format."""

import csv
import json

import numpy as np
import pytest
import safetensors.numpy
from sklearn.preprocessing import MaxAbsScaler

from classify.logistic import LogisticTagger
from classify.model_files import load_model
from classify.predictions import predict
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError
from tests.classify.test_training import cache, few_strengths, model  # noqa: F401


def test_a_model_of_the_second_format_still_loads(cache, tmp_path):
    features = FeatureCache(cache)
    X, Y = features.read(["net/pool"]), features.labels[features.valid_rows]
    scaler = MaxAbsScaler().fit(X)
    tagger = LogisticTagger("l2", C=2.0).fit(scaler.transform(X), Y)
    story = {
        "format": 2,
        "arrays": ["coef_", "intercept_", "scaling.divisors"],
        "transposed": [],
        "estimator": {"class": "classify.logistic:LogisticTagger", "parameters": {"C": 2.0}},
        "label_names": ["sky", "sea"],
        "layers": ["net/pool"],
        "learner": "l2",
        "scaling": "max01",
        "rows": len(X),
        "features": X.shape[1],
        "manifest": features.manifest,
        "manifest_sha256": features.manifest_hash,
        "versions": {"numpy": "2.0.0"},
    }
    path = tmp_path / "old.safetensors"
    arrays = tagger.to_arrays() | {"scaling.divisors": scaler.scale_}
    path.write_bytes(safetensors.numpy.save(arrays, metadata={"model": json.dumps(story)}))
    expected = tagger.decision_function(scaler.transform(X))
    np.testing.assert_array_equal(load_model(path).scores(X), expected)


def test_scaling_by_layer_knows_the_caches_layers(cache, tmp_path):
    fit(cache, tmp_path / "m.safetensors", learner="l2", scaling="layer-l2")
    scaler = load_model(tmp_path / "m.safetensors").members[0].scaler
    features = FeatureCache(cache)
    assert scaler.widths == list(features.layers.values())
    scaled = scaler.transform(features.read())
    lengths = np.linalg.norm(scaled[:, : features.layers["net/pool"]], axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_auto_is_the_default_and_the_model_tells_what_was_compared(cache, model, capsys, tmp_path):
    loaded = load_model(model)
    assert {one["learner"] for one in loaded.selection} >= {"l1", "l2"}
    (chosen,) = [one for one in loaded.selection if one["chosen"]]
    assert chosen["learner"] == loaded.members[0].learner
    assert str(loaded.decisions.rule) == "f1"
    fit(cache, tmp_path / "again.safetensors")
    assert "chosen: " in capsys.readouterr().err
    again = load_model(tmp_path / "again.safetensors")
    X = FeatureCache(cache).read()
    np.testing.assert_array_equal(again.scores(X), loaded.scores(X))


def test_a_blend_is_kept_in_a_file(cache, few_strengths, tmp_path, monkeypatch):
    from classify.selection import blend

    def two(found, data):
        first, second = (one.candidate for one in found.ranked(data.metric)[:2])
        return blend.Blend((first, second), (0.5, 1.5), (0.1, 0.1, 0.1), found.scores[first])

    monkeypatch.setattr(blend, "blend", two)
    fitted = fit(cache, tmp_path / "m.safetensors", blend=True)
    X = FeatureCache(cache).read()
    first, second = (one.scaler.transform(X) for one in fitted.members)
    parts = [
        0.5 * fitted.members[0].estimator.decision_function(first),
        1.5 * fitted.members[1].estimator.decision_function(second),
    ]
    np.testing.assert_allclose(fitted.scores(X), np.mean(parts, axis=0))
    np.testing.assert_array_equal(
        load_model(tmp_path / "m.safetensors").scores(X), fitted.scores(X)
    )


#: Of rules and calibrations that others go through one by one.
OTHER_PAIRS = (
    ("f1", "isotonic"),
    ("recall:1", "platt"),
    ("recall:1", "none"),
    ("top:1", "platt"),
    ("top:1", "isotonic"),
    ("zero", "none"),
)


@pytest.mark.parametrize(
    ("thresholds", "calibration"),
    [
        ("f1", "platt"),
        ("recall:1", "isotonic"),
        ("top:1", "none"),
        ("zero", "platt"),
        ("f1", "none"),
        ("zero", "isotonic"),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHER_PAIRS),
    ],
)
def test_a_named_learner_may_be_calibrated(cache, tmp_path, thresholds, calibration):
    path, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    options = {"thresholds": thresholds, "calibration": calibration}
    fitted = fit(cache, path, learner="l2", scaling="max", **options)
    predict(path, cache, out)
    with open(out, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    scores = load_model(path).scores(FeatureCache(cache).read())
    np.testing.assert_array_equal(scores, fitted.scores(FeatureCache(cache).read()))
    decided = np.array([int(line["decision"]) for line in lines]).reshape(scores.shape)
    np.testing.assert_array_equal(decided, fitted.decide(scores))
    probabilities = fitted.predict_proba(scores)
    if calibration == "none":
        assert probabilities is None and {line["probability"] for line in lines} == {""}
    else:
        written = [float(line["probability"]) for line in lines]
        np.testing.assert_allclose(written, probabilities.ravel(), rtol=1e-5)
    if thresholds == "top:1":
        assert (decided.sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"metric": "ap"}, "The 'metric' option must be one of example_ap"),
        ({"thresholds": "best"}, "The 'thresholds' option must be zero, f1"),
        ({"calibration": "beta"}, "The 'calibration' option must be one of platt, isotonic, none"),
        ({"folds": 1}, "The 'folds' option"),
        ({"folds": 99}, "The 'folds' option must be from 2 to the 22 rows"),
    ],
)
def test_bad_settings_of_auto_are_one_line(cache, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        fit(cache, tmp_path / "m.safetensors", **change)
