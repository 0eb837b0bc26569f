"""Multi-instance learners on the command line: fit, predict and sweep on a cache with instances."""

import csv

import numpy as np
import pytest
from sklearn.preprocessing import MaxAbsScaler

from classify.__main__ import main
from classify.inputs import BAGS_AT_ONCE, blocks_of
from classify.learners import LEARNERS
from classify.model_files import load_model, save_model
from classify.results import read_results
from classify.training import fit
from features.bags.cached import bags_of
from features.cache import FeatureCache
from features.errors import InputError
from tests import children
from tests.caches import write_data, write_labeled_cache
from tests.features.test_cache import ROWS, make_cache

NAMES = [name for name, learner in LEARNERS.items() if learner.takes == "instances"]
LABELED = 20


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """23 images with 4 quadrants of 2 columns or 9 positions of 2; row 4 has no features."""
    folder = make_cache(tmp_path_factory.mktemp("cache"), bad=(4,))
    lines = [f"{id_},{i % 2},{int(i % 3 == 0)}" for i, id_ in enumerate(FeatureCache(folder).ids)]
    for row in range(LABELED, ROWS):
        lines[row] = lines[row].split(",")[0] + ",,"
    (folder / "labels.csv").write_text("\n".join(["image,sky,sea", *lines]) + "\n")
    return folder


def expected_scores(learner, cache, layers, scaling="none"):
    """Fit the method itself to the instances, and score all images."""
    features = FeatureCache(cache)
    bags = bags_of(features, layers, features.valid_rows)
    Y = features.labels[features.valid_rows]
    labeled = np.flatnonzero((Y != -1).any(axis=1))
    if scaling == "max":
        scaler = MaxAbsScaler().fit(bags.take(labeled).instances)
        bags = bags.replace(scaler.transform(bags.instances))
    named = LEARNERS[learner]
    tagger = named.make(1.0 if named.C else None, Y[labeled])
    return tagger.fit(bags.take(labeled), Y[labeled]).decision_function(bags)


def scores_in(path):
    with open(path, encoding="utf-8", newline="") as file:
        return np.array([float(line["score"]) for line in csv.DictReader(file)]).reshape(-1, 2)


@pytest.mark.parametrize(("layers", "scaling"), [(None, "none"), (["net/map"], "max")], ids=str)
@pytest.mark.parametrize("learner", NAMES)
def test_the_command_line_scores_as_the_method_itself(cache, tmp_path, learner, layers, scaling):
    path, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    given = ["--scaling", scaling, *(["--layers", *layers] if layers else [])]
    main(["fit", str(cache), "--learner", learner, "--out", str(path), *given])
    main(["predict", str(path), str(cache), "--out", str(out)])
    np.testing.assert_array_equal(scores_in(out), expected_scores(learner, cache, layers, scaling))
    model = load_model(path)
    assert (model.n_rows, model.n_features) == (LABELED - 1, 2)
    assert list(model.layers) == (layers or ["net/pool"])
    save_model(tmp_path / "again.safetensors", model)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def predict_all(calls):
    for call in calls:
        main(call)


def test_another_process_gives_the_same_scores(cache, tmp_path):
    calls = []
    for learner in NAMES:
        fit(cache, tmp_path / f"{learner}.safetensors", learner=learner)
        calls.append(["predict", f"{learner}.safetensors", str(cache), "--out", f"{learner}.csv"])
    done = children.run(predict_all, calls, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for learner in NAMES:
        model, here = tmp_path / f"{learner}.safetensors", tmp_path / "here.csv"
        main(["predict", str(model), str(cache), "--out", str(here)])
        np.testing.assert_array_equal(scores_in(tmp_path / f"{learner}.csv"), scores_in(here))


def test_a_sweep_gives_each_learner_its_own_input(cache, tmp_path):
    out = tmp_path / "s.jsonl"
    sweep = ["sweep", str(cache), "--out", str(out), "--C", "0.5,2", "--splits", "1", "--folds"]
    main([*sweep, "2", "--jobs", "1", "--learner", "l2", *NAMES, "--scaling", "none", "max"])
    header, lines = read_results(out)
    assert header["layers"] == ["net/pool", "net/fc"]
    assert header["instance_layers"] == ["net/pool"]
    counts = [2 if LEARNERS[name].C else 1 for name in ("l2", *NAMES)]
    assert len(lines) == sum(counts) * 2
    for line in lines:
        assert line["error"] is None and 0 <= line["inner"] <= 1
        assert (line["example_ap"] is not None) == line["selected"]


@pytest.mark.parametrize("learner", ["mimlsvm", "kisar"])
def test_a_path_along_C_gives_what_single_fits_give(cache, learner):
    features = FeatureCache(cache)
    rows = features.valid_rows[:15]
    bags, Y = bags_of(features, None, rows), features.labels[rows]
    path = LEARNERS[learner].make(1.0, Y).fit_path(bags, Y, [0.1, 10.0])
    for C, tagger in zip([0.1, 10.0], path, strict=True):
        alone = LEARNERS[learner].make(C, Y).fit(bags, Y)
        np.testing.assert_array_equal(tagger.decision_function(bags), alone.decision_function(bags))


def test_C_weighs_the_loss_that_ranklsim_sums(cache):
    Y = FeatureCache(cache).labels
    assert LEARNERS["ranklsim"].make(2.0, Y).weight_decay == 1 / (2.0 * LABELED)


@pytest.mark.parametrize("learner", NAMES)
def test_a_label_that_no_image_or_every_image_has_is_kept_in_the_file(cache, tmp_path, learner):
    labels = tmp_path / "labels.csv"
    ids = FeatureCache(cache).ids
    labels.write_text("image,never,always\n" + "".join(f"{id_},0,1\n" for id_ in ids))
    fit(cache, tmp_path / "m.safetensors", learner=learner, labels=labels)
    scores = load_model(tmp_path / "m.safetensors").scores(np.zeros((2, 4, 2), np.float32))
    assert scores.tolist() == [[-1.0, 1.0]] * 2


def test_blocks_of_instances_are_all_rows_in_order(cache, monkeypatch):
    assert BAGS_AT_ONCE > 0
    monkeypatch.setattr("classify.inputs.BAGS_AT_ONCE", 5)
    features = FeatureCache(cache)
    blocks = list(blocks_of(features, ["net/map"], "instances"))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in blocks]), features.valid_rows)
    whole = bags_of(features, ["net/map"], features.valid_rows)
    np.testing.assert_array_equal(
        np.concatenate([X for _, X in blocks]).reshape(-1, 2), whole.instances
    )


@pytest.fixture(scope="module")
def without_instances(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("plain"), np.random.default_rng(0)
    ids = [f"{i}.jpg" for i in range(12)]
    data = write_data(folder / "data", ids, ["a", "b"], rng.integers(0, 2, (12, 2)))
    return write_labeled_cache(folder / "cache", data, {"net/fc": rng.normal(size=(12, 3))})


@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_a_cache_without_instances_names_the_remedy(without_instances, tmp_path, command):
    out = tmp_path / "m.safetensors"
    with pytest.raises(
        InputError, match="holds one vector per image only; extract quadrant-pooled"
    ):
        main([command, str(without_instances), "--learner", "mimlsvm", "--out", str(out)])
    assert not out.exists()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["net/fc"], "must be one of net/pool, net/map. Got 'net/fc'"),
        (["net/none"], "must be one of net/pool, net/map. Got 'net/none'"),
        (["net/pool", "net/map"], "differ in instances per image: net/pool 4, net/map 9"),
    ],
)
def test_layers_without_instances_or_of_two_counts_are_refused(cache, tmp_path, layers, message):
    with pytest.raises(InputError, match=message):
        fit(cache, tmp_path / "m.safetensors", learner="mimlknn", layers=layers)


def test_rows_with_some_unknown_cells_are_refused(cache, tmp_path):
    labels = tmp_path / "labels.csv"
    ids = FeatureCache(cache).ids
    labels.write_text("image,a,b\n" + "".join(f"{id_},{i % 2},\n" for i, id_ in enumerate(ids)))
    with pytest.raises(InputError, match="needs complete labels, and 22 of 22 rows have unknown"):
        fit(cache, tmp_path / "m.safetensors", learner="kisar", labels=labels)


def test_a_model_of_bags_is_refused_on_a_cache_without_its_layer(
    cache, without_instances, tmp_path
):
    fit(cache, tmp_path / "m.safetensors", learner="mimlknn")
    with pytest.raises(InputError, match="was trained on other features"):
        main(["predict", str(tmp_path / "m.safetensors"), str(without_instances), "--out", "p.csv"])


def test_a_fit_to_precomputed_distances_is_not_stored():
    Y = np.array([[1], [1], [0], [0]])
    tagger = LEARNERS["mimlknn"].make(None, Y).set_params(distance="precomputed", scaling="none")
    with pytest.raises(InputError, match="precomputed distances can't be stored"):
        tagger.fit(np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))), Y).to_arrays()
