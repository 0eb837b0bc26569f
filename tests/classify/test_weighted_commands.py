"""`--class-weight` and `--rare-weight` of ``fit`` and ``sweep``: models, lines and refusals."""

import numpy as np
import pytest

from classify.__main__ import main
from classify.learners import LEARNERS
from classify.logistic import LogisticTagger
from classify.model_files import load_model
from classify.results import read_results
from features.cache import FeatureCache
from features.errors import InputError
from tests.features.test_cache import ROWS, make_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = make_cache(tmp_path_factory.mktemp("cache"))
    features = FeatureCache(folder)
    noise = np.random.default_rng(0).normal(size=(ROWS, 2))
    Y = (features.read()[:, :2] + noise > [0.3, 1.0]).astype(int)
    lines = [f"{name},{a},{b}" for name, (a, b) in zip(features.ids, Y, strict=True)]
    (folder / "labels.csv").write_text("\n".join(["image,a,b", *lines]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--class-weight", "balanced"], {"class_weight": "balanced"}),
        (["--rare-weight", "0.5"], {"rare_weight": 0.5}),
        (["--rare-weight", "0"], {"rare_weight": 0.0}),
    ],
)
@pytest.mark.parametrize("decisions", [[], ["--thresholds", "f1", "--calibration", "platt"]])
def test_fit_weighs_classes(cache, tmp_path, words, given, decisions):
    path = tmp_path / "m.safetensors"
    main(["fit", str(cache), "--learner", "l2", "--out", str(path), *words, *decisions])
    features = FeatureCache(cache)
    X, Y = features.read(), features.labels
    expected = LogisticTagger("l2", C=1.0, **given).fit(X, Y).decision_function(X)
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.scores(X), expected)
    (member,) = loaded.members
    assert {name: getattr(member.estimator, name) for name in given} == given


@pytest.mark.slow
def test_auto_compares_learners_that_take_weights(cache, tmp_path, capsys):
    words = ["fit", str(cache), "--rare-weight", "1", "--thorough", "--jobs", "1"]
    main([*words, "--out", str(tmp_path / "m.safetensors")])
    said = capsys.readouterr().err
    tried = {line.removeprefix("*").split()[0] for line in said.splitlines() if " ± " in line}
    assert tried == {"l1", "l2", "bce"}
    assert "weights: rmlc" in said
    assert load_model(tmp_path / "m.safetensors").members[0].estimator.rare_weight == 1.0


def test_a_sweep_weighs_classes_and_its_header_says_so(cache, tmp_path):
    def lines(name, *words):
        path = tmp_path / f"{name}.jsonl"
        sweep = ["sweep", str(cache), "--learner", "l2", "bce", "--C", "1,10", "--splits", "1"]
        main([*sweep, "--folds", "2", "--jobs", "1", "--out", str(path), *words])
        return read_results(path)

    plain, balanced = lines("plain"), lines("balanced", "--class-weight", "balanced")
    zero, one = lines("zero", "--rare-weight", "0"), lines("one", "--rare-weight", "1")
    assert "weighting" not in plain[0]
    assert one[0]["weighting"] == {"rare_weight": 1.0}
    assert zero[1] == plain[1] and one[1] == balanced[1] != plain[1]
    with pytest.raises(InputError, match="weighting"):  # another sweep's file
        lines("plain", "--class-weight", "balanced")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--class-weight", "even"], "must be one of balanced. Got 'even'"),
        (["--rare-weight", "1.5"], "rare-weight"),
        (["--rare-weight", "nan"], "rare-weight"),
        (["--rare-weight", "1", "--class-weight", "balanced"], "give one of them"),
        (
            ["--rare-weight", "1", "--learner", "rmlc"],
            "'rmlc' takes no class weights.*use one of l1",
        ),
    ],
)
@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_bad_options_are_refused_before_anything_is_read(tmp_path, command, words, message):
    out = tmp_path / ("m.safetensors" if command == "fit" else "s.jsonl")
    with pytest.raises(InputError, match=message) as caught:
        main([command, str(tmp_path / "absent.cache"), "--out", str(out), *words])
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("learner", [one for one in LEARNERS if not LEARNERS[one].class_weights])
def test_learners_without_weights_say_so(tmp_path, learner):
    words = ["--learner", learner, "--class-weight", "balanced"]
    with pytest.raises(InputError, match=f"{learner!r} takes no class weights"):
        main(["fit", str(tmp_path / "absent.cache"), "--out", str(tmp_path / "m"), *words])


@pytest.mark.parametrize(
    "given",
    [
        {0: 2.0},
        {0: (0.5, 4.0), 1: [1.0, 2.0]},
        {np.int64(1): np.float32(3.0)},
        np.array([2.0, 1.5]),
        [2.0, np.float64(1.5)],
        "balanced",
    ],
    ids=str,
)
def test_a_model_with_given_weights_is_kept_with_them(cache, tmp_path, given):
    from dataclasses import replace

    from classify.model_files import save_model

    path = tmp_path / "m.safetensors"
    main(["fit", str(cache), "--learner", "l2", "--out", str(path)])
    model = load_model(path)
    features = FeatureCache(cache)
    tagger = LogisticTagger("l2", class_weight=given).fit(features.read(), features.labels)
    (member,) = model.members
    save_model(path, replace(model, members=[replace(member, estimator=tagger)]))
    found = load_model(path)
    np.testing.assert_array_equal(
        found.scores(features.read()), tagger.decision_function(features.read())
    )
    again = found.members[0].estimator
    assert type(again.class_weight) is type(given)
    again = LogisticTagger("l2", class_weight=again.class_weight)
    np.testing.assert_array_equal(again.fit(features.read(), features.labels).coef_, tagger.coef_)
