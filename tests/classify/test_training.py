"""Model files and predictions of every learner: round trips, refusals, damage, a stopped writer."""

import csv
import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MaxAbsScaler

from classify.__main__ import main
from classify.learners import LEARNERS
from classify.logistic import LogisticTagger
from classify.model_files import load_model, save_model
from classify.predictions import predict
from classify.results import read_results
from classify.selection import candidates
from classify.training import fit
from features.cache import FeatureCache, labels_of
from features.datasets import Dataset
from features.errors import InputError
from features.index import write_index
from features.manifest import read_manifest, write_or_check
from tests.features.test_cache import ROWS, make_cache, make_manifest, write_shards
from tests.models import rewrite


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
def few_strengths():
    """Few candidates to choose among, while a module runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "FINALISTS", 1)
        for learner in candidates.STRENGTHS:
            patch.setitem(candidates.STRENGTHS, learner, np.array([1e3, 1e4]))
        yield


@pytest.fixture(scope="module")
def model(cache, few_strengths, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fit(cache, path)
    return path


@pytest.mark.parametrize("scaling", ["none", "max"])
@pytest.mark.parametrize("learner", ["l1", "l2"])
def test_a_model_scores_as_its_estimator_did(cache, tmp_path, learner, scaling):
    path = tmp_path / "m.safetensors"
    fit(cache, path, learner=learner, C=3.0, scaling=scaling, layers=["net/pool"])
    features = FeatureCache(cache)
    X, Y = features.read(["net/pool"]), features.labels[features.valid_rows]
    divided = X / (np.abs(X).max(axis=0) if scaling == "max" else 1)
    expected = LogisticTagger(learner, C=3.0).fit(divided, Y).decision_function(divided)
    loaded = load_model(path)
    np.testing.assert_allclose(loaded.scores(X), expected, rtol=1e-4, atol=1e-5)
    assert [one.learner for one in loaded.members] == [learner]
    assert loaded.members[0].estimator.C == 3.0
    assert list(loaded.layers) == ["net/pool"] and list(loaded.label_names) == ["sky", "sea"]
    assert loaded.manifest_hash == features.manifest_hash
    assert loaded.versions["numpy"] == np.__version__


@pytest.fixture(scope="module")
def partial_labels(cache, tmp_path_factory):
    """Labels with unknown cells, and rows without any."""
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    write_labels(path, FeatureCache(cache).ids[:16], unknown=(3, 7))
    return path


OF_VECTORS = [name for name, learner in LEARNERS.items() if learner.takes == "vectors"]


@pytest.mark.parametrize("learner", OF_VECTORS)
def test_every_learner_is_fitted_kept_to_the_last_bit_and_swept(
    cache, partial_labels, tmp_path, learner
):
    path, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    labels = ["--labels", str(partial_labels)]
    main(["fit", str(cache), "--learner", learner, "--scaling", "max", "--out", str(path), *labels])
    features = FeatureCache(cache)
    X, rows = features.read(), features.valid_rows
    Y = labels_of(features, partial_labels)[0][rows]
    named = LEARNERS[learner]
    scaler = MaxAbsScaler().fit(X)
    tagger = named.make(1.0 if named.C else None, Y).fit(scaler.transform(X), Y)
    scores = tagger.decision_function(scaler.transform(X))

    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.scores(X), scores)
    (member,) = loaded.members
    assert hasattr(member.estimator, "coef_") or not named.linear
    assert type(member.estimator) is type(tagger)
    assert repr(member.estimator) == repr(tagger)
    save_model(tmp_path / "again.safetensors", loaded)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()

    main(["predict", str(path), str(cache), "--out", str(out)])
    with open(out, encoding="utf-8", newline="") as file:
        predicted = list(csv.DictReader(file))
    assert [float(line["score"]) for line in predicted] == scores.ravel().tolist()
    decided = [str(int(score > 0)) if named.decides else "" for score in scores.ravel()]
    assert [line["decision"] for line in predicted] == decided

    sweep = ["sweep", str(cache), "--learner", learner, "--C", "2", "--splits", "1", *labels]
    main([*sweep, "--select", "none", "--jobs", "1", "--out", str(tmp_path / "s.jsonl")])
    _, lines = read_results(tmp_path / "s.jsonl")
    assert [line["C"] for line in lines] == ([2.0] if named.C else [None])
    for line in lines:
        assert line["error"] is None and 0 < line["example_ap"] <= 1
        assert (line["nonzeros"] is None) != named.linear


def test_a_model_of_the_first_format_still_loads(cache, tmp_path):
    features = FeatureCache(cache)
    rng = np.random.default_rng(0)
    coef, intercept = rng.normal(size=(2, 11)), rng.normal(size=2)
    story = {
        "format": 1,
        "label_names": ["sky", "sea"],
        "layers": ["net/pool", "net/fc"],
        "learner": "rmlc",
        "parameters": {"loss": "ramp", "scale": "max01", "rows": 22},
        "manifest": features.manifest,
        "manifest_sha256": features.manifest_hash,
        "versions": {"numpy": "2.0.0"},
    }
    path, again = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    path.write_bytes(
        safetensors.numpy.save(
            {"coef": coef, "intercept": intercept}, metadata={"model": json.dumps(story)}
        )
    )
    X = features.read(["net/pool", "net/fc"])
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.scores(X), X @ coef.T + intercept)
    (member,) = loaded.members
    assert (member.learner, member.scaler.scaling, loaded.n_rows) == ("rmlc", "max", 22)
    save_model(again, loaded)
    np.testing.assert_array_equal(load_model(again).scores(X), loaded.scores(X))


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        ("class", "os:system", "os:system is no estimator of this library"),
        ("class", "classify.learners:Learner", "no estimator of this library"),
        ("class", "classify.none:Tagger", "No module named 'classify.none'"),
        ("parameters", {"lambda": 1}, "unexpected keyword argument 'lambda'"),
    ],
)
def test_a_model_builds_estimators_of_this_library_only(model, tmp_path, place, value, match):
    def edit(found, arrays):
        found["members"][0]["estimator"][place] = value

    path = rewrite(model, tmp_path / "m.safetensors", edit)
    with pytest.raises(InputError, match=match):
        load_model(path)


def test_images_without_labels_take_their_neighbors_labels(cache, tmp_path):
    labels, path = tmp_path / "labels.csv", tmp_path / "m.safetensors"
    write_labels(labels, FeatureCache(cache).ids[:12])
    fitted = fit(cache, path, learner="ss-rmlc", labels=labels)
    estimator = fitted.members[0].estimator
    assert estimator.get_params()["temperature"] == "mean_all"
    supervised = fit(cache, path, learner="rmlc", labels=labels)
    assert not np.array_equal(estimator.coef_, supervised.members[0].estimator.coef_)


def test_predictions_as_csv_and_json_lines_are_the_same(cache, model, tmp_path):
    predict(model, cache, tmp_path / "p.csv")
    predict(model, cache, tmp_path / "p.jsonl")
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * (ROWS - 1)
    assert {row["image"] for row in rows} == {f"ä{i}.jpg" for i in range(ROWS) if i != 4}
    loaded = load_model(model)
    scores = loaded.scores(FeatureCache(cache).read())
    columns = (scores.ravel(), loaded.predict_proba(scores).ravel(), loaded.decide(scores).ravel())
    for row, line, score, probability, decision in zip(rows, lines, *columns, strict=True):
        assert (row["image"], row["label"]) == (line["image"], line["label"])
        assert float(row["score"]) == line["score"] == score
        assert int(row["decision"]) == line["decision"] == decision
        assert line["probability"] == probability
        assert float(row["probability"]) == pytest.approx(probability, rel=1e-5)


def test_a_cache_of_other_images_is_tagged_and_one_of_other_features_refused(
    cache, model, tmp_path
):
    manifest = read_manifest(cache)
    names = tuple(f"{i}.png" for i in range(ROWS))

    def another(name, **changes):
        dataset = Dataset(tmp_path, names, names)
        (tmp_path / name).mkdir()
        found = make_manifest(dataset, **changes)
        write_or_check(tmp_path / name, found)
        write_shards(tmp_path / name, found, bad=(4,))
        write_index(tmp_path / name, dataset, np.arange(ROWS), found)
        return tmp_path / name

    predict(model, another("images"), tmp_path / "p.csv")
    assert read_manifest(tmp_path / "images")["index"] != manifest["index"]
    other = another("features", dtype="float16", extra=1)
    with pytest.raises(InputError, match="dtype: there float32, here float16; extra: there noth"):
        predict(model, other, tmp_path / "q.csv")
    assert not (tmp_path / "q.csv").exists()


def test_labels_may_come_from_another_file(cache, tmp_path):
    labels = tmp_path / "labels.csv"
    write_labels(labels, FeatureCache(cache).ids[:12][::-1])
    fitted = fit(cache, tmp_path / "m.safetensors", learner="l2", labels=labels)
    features = FeatureCache(cache)
    rows = [r for r in range(11, -1, -1) if r != 4]
    Y = np.array([[i % 2, i % 3 == 0] for i in range(12) if 11 - i != 4], dtype=int)
    expected = LogisticTagger("l2").fit(features.read(None, rows), Y)
    # Both stop at a gap of 1e-4, which leaves weights a little apart; another order of rows
    # would leave them nothing in common.
    np.testing.assert_allclose(fitted.members[0].estimator.coef_, expected.coef_, atol=0.03)
    write_labels(labels, ["missing.jpg"])
    with pytest.raises(InputError, match=r"names 'missing.jpg' and 0 more images that .* lacks"):
        fit(cache, tmp_path / "m.safetensors", labels=labels)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"learner": "svm"}, "The 'learner' option must be one of l1, l2, .* Got 'svm'."),
        (
            {"scaling": "unit"},
            "The 'scaling' option must be one of none, max, .* Got 'unit'.",
        ),
        ({"layers": ["net/x"]}, "must be one of net/pool, net/fc. Got 'net/x'"),
        ({"layers": ["net/fc", "net/fc"]}, "option names 'net/fc' twice. Name each once."),
        ({"C": 0.0}, r"The 'C' option must be a float in the range \(0, inf\). Got 0.0."),
        ({"learner": "wsabie", "C": 1.0}, "'wsabie' takes no C. Got 1.0: leave --C out."),
        ({"learner": "ss-rmlc"}, "needs unlabeled rows, and all .* labels: give --labels a file"),
    ],
)
def test_bad_settings_are_one_line(cache, tmp_path, change, match):
    with pytest.raises(InputError, match=match):
        fit(cache, tmp_path / "m.safetensors", **change)


def test_a_cache_without_labels_names_the_remedy(tmp_path):
    with pytest.raises(InputError, match="has no labels. Give --labels FILE"):
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
        assert np.isfinite(loaded.scores(np.ones((1, 11), np.float32))).all()


def test_a_truncated_or_missing_model_is_refused(model, tmp_path):
    for path in (tmp_path / "gone", tmp_path / "cut.safetensors"):
        with pytest.raises(InputError, match="make one with `python -m classify fit`"):
            load_model(path)
        (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:-3])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_stopped_writer_leaves_what_was_there(model, tmp_path, monkeypatch, step):
    path = tmp_path / "m.safetensors"
    whole = load_model(model)
    shutil.copy(model, path)
    before = path.read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"features.files.os.{step}", stop)
    with pytest.raises(KeyboardInterrupt):
        save_model(path, whole)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]


def test_predictions_go_to_known_endings_only(cache, model, tmp_path):
    with pytest.raises(InputError, match=r"go to a .csv or .jsonl file, not to .*p.xml"):
        predict(model, cache, tmp_path / "p.xml")


def test_the_command_line(cache, tmp_path, capsys):
    path, out = str(tmp_path / "m.safetensors"), str(tmp_path / "p.csv")
    main(["fit", str(cache), "--learner", "l1", "--C", "2", "--out", path])
    main(["predict", path, str(cache), "--out", out])
    assert capsys.readouterr().out == f"{path}\n{out}\n"
    assert load_model(path).members[0].estimator.C == 2.0
