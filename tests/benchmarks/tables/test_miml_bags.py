"""``tables miml --bags``: every method on made-up bags and on MSRC v2's, page, claims, refusals."""

import json
import re

import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.__main__ import main
from benchmarks.tables.miml.bags_claims import claims
from benchmarks.tables.miml.bags_curves import curve_tables, curves
from benchmarks.tables.miml.bags_data import read_bag_task
from benchmarks.tables.miml.bags_methods import METHODS, run_method
from benchmarks.tables.miml.bags_report import page, readme
from benchmarks.tables.miml.bags_run import miml_bags
from benchmarks.tables.miml.bags_summary import NETWORK, REGIONS
from classify.metrics import MIML_METRICS, example_ap
from classify.miml.mimlsvm import MIMLSVM
from classify.miml.selection import GRIDS, tune
from classify.results import read_results
from features.bags import read_bags
from features.bags.msrc import msrc_rows
from features.errors import InputError
from tests.caches import write_data, write_labeled_cache

N, N_TRAIN, LABELS = 30, 20, 23
BAG_METHODS = [one for one in METHODS.values() if one.takes == "instances"]


@pytest.fixture(scope="module", autouse=True)
def _short_grids():
    """One or two settings per method: the grids themselves are tested with the methods."""
    with pytest.MonkeyPatch.context() as patch:
        for name, (first, *_) in GRIDS.items():
            patch.setitem(GRIDS, name, ({key: values[:1] for key, values in first.items()},))
        patch.setitem(GRIDS, "DBA", ({"words": (5,), "alpha": (0.1, 1.0)},))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file in the form of `MSRC_MIML.mat`, and a cache whose features tell the labels."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("made")
    sizes = rng.integers(1, 4, N)
    Y = (rng.random((N, LABELS)) < 0.2).astype(np.int8)
    Y[np.arange(N), np.arange(N) % LABELS] = 1
    bags = [rng.random((size, LABELS)) * 0.3 + 0.6 * y for size, y in zip(sizes, Y, strict=True)]
    data = np.empty((N, 1), dtype=object)
    data[:, 0] = [bag.T for bag in bags]
    orders = np.array([rng.permutation(N) for _ in range(4)]) + 1
    arrays = {"data": data, "targets": 2.0 * Y - 1}
    splits = {"idx_train": orders[:, :N_TRAIN], "idx_test": orders[:, N_TRAIN:]}
    path = folder / "toy.mat"
    savemat(path, arrays | splits)
    ids = sorted(f"{1 + k // 10}_{1 + k % 10}_s.jpg" for k in range(N))
    rows = msrc_rows(ids)  # the bag k is of the image ids[rows[k]]
    labels = np.empty_like(Y)
    labels[rows] = Y
    names = read_bags(path).label_names
    images = write_data(folder / "data", ids, names, labels)
    layer = np.repeat(labels, 4, axis=1) + 0.1 * rng.random((N, 4 * LABELS))
    layers = {"net/pool": layer}
    cache = write_labeled_cache(folder / "cache", images, layers, pooling="quadrant_max")
    return path, cache


@pytest.fixture(scope="module")
def run(made, tmp_path_factory):
    """The files that a run of everything leaves."""
    path, cache = made
    out = tmp_path_factory.mktemp("out")
    miml_bags(path, out, cache=cache, splits=2, curve_sizes=[12], curve_splits=1, jobs=1)
    return out


def test_lines_hold_every_method_on_every_kind_of_instances(run):
    header, lines = read_results(run / "bags.jsonl")
    assert (header["rows"], header["train_rows"], header["split"]) == (N, N_TRAIN, "of the file")
    assert header["published"] == "msrc" and len(header["bags"]["sha256"]) == 64
    places = [(x["method"], x["instances"]) for x in lines if x["n_train"] == N_TRAIN]
    expected = [(one.method, kind) for one in BAG_METHODS for kind in (REGIONS, NETWORK)]
    expected += [(name, "none") for name in ("l1lr", "lr", "constant")]
    assert sorted(places) == sorted(2 * expected)
    curve = [x["seed"] for x in lines if x["n_train"] == 12]
    assert curve == [0] * len(expected)
    for line in lines:
        assert all(0 <= line[name] <= 1 for name in MIML_METRICS)
        assert bool(json.loads(line["settings"])) == METHODS[line["method"]].tuned


def test_a_line_is_the_method_tuned_and_fitted_on_its_split(made, run):
    path, _ = made
    found = read_bags(path)
    split = found.splits[1]
    bags, Y = found.bags.take(split.train), found.Y[split.train]
    settings = tune(MIMLSVM(), bags, Y)
    fitted = MIMLSVM(**settings).fit(bags, Y)
    test = found.bags.take(split.test)
    _, lines = read_results(run / "bags.jsonl")
    (line,) = [
        x
        for x in lines
        if (x["method"], x["instances"], x["n_train"], x["seed"])
        == ("mimlsvm", REGIONS, N_TRAIN, 1)
    ]
    assert json.loads(line["settings"]) == settings
    truth = found.Y[split.test]
    assert line["example_ap"] == pytest.approx(example_ap(truth, fitted.decision_function(test)))
    assert line["hamming_loss"] == pytest.approx((fitted.predict(test) != truth).mean())


def test_the_caches_rows_are_the_bags_images(made):
    path, cache = made
    task = read_bag_task(path, cache)
    vectors = task.X.reshape(N, LABELS, 4)
    np.testing.assert_array_equal(vectors.mean(axis=2) > 0.5, task.Y == 1)
    first = task.sets[NETWORK].bags[0]
    np.testing.assert_allclose(np.sort(first, axis=0), np.sort(vectors[0].T, axis=0), rtol=1e-6)


def test_the_constant_predictor_is_the_training_frequency(made):
    path, _ = made
    task = read_bag_task(path)
    trial = {"method": "constant", "instances": "none", "n_train": N_TRAIN, "seed": 0}
    line = run_method(trial, task)
    split = task.split(0)
    frequency = task.Y[split.train].mean(axis=0)
    truth = task.Y[split.test]
    assert line["example_ap"] == pytest.approx(
        example_ap(truth, np.tile(frequency, (len(truth), 1)))
    )
    assert line["hamming_loss"] == pytest.approx(truth.mean())


def test_the_page_shows_ours_quoted_and_their_difference(run):
    header, lines = read_results(run / "bags.jsonl")
    text = page(header, lines)
    assert text == (run / "bags.md").read_text(encoding="utf-8")
    first, second = text.split("## On the network's instances")
    for method in BAG_METHODS:
        assert f"| {method.title} " in first and f"| {method.title} " in second
        assert f"| {method.title} - {method.published} " in first
    assert "| MIMLSVM, quoted " in first and "| constant (training frequency) " in first
    assert "Ties explain it" in first
    scores = [x["example_ap"] for x in lines if (x["method"], x["n_train"]) == ("lr", N_TRAIN)]
    assert "| LR " in second and f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}" in second
    assert "| published (quoted) " in readme(header, lines)
    assert "| ours, tuned " in readme(header, lines)
    assert {panel.title.rpartition(", ")[2] for panel in curves(header, lines)} == {
        f"{REGIONS} instances",
        f"{NETWORK} instances",
    }


def test_the_page_counts_splits_where_methods_differ_in_them(run):
    header, lines = read_results(run / "bags.jsonl")
    assert "| method | splits |" not in re.sub(" +", " ", page(header, lines))
    fewer = [x for x in lines if (x["method"], x["seed"]) != ("kisar", 0)]
    text = re.sub(" +", " ", page(header, fewer))
    assert "| method | splits | average precision" in text
    first = text.partition("## On the network's instances")[0]
    assert "| MIMLkNN | 2 | " in first and "| KISAR | 1 | " in first
    assert "| MIMLSVM, quoted | | 0.685 " in text


def test_learning_curves_are_laid_out_on_the_same_splits(run):
    _, lines = read_results(run / "bags.jsonl")
    text = curve_tables(lines)
    assert text.startswith("## Average precision by training images, 1 split\n")
    for size in (12, N_TRAIN):
        (line,) = (
            x
            for x in lines
            if (x["method"], x["instances"], x["n_train"], x["seed"]) == ("kisar", NETWORK, size, 0)
        )
        rows = text.partition("On the network's instances")[2].splitlines()
        assert f" {line['example_ap']:.3f} " in next(row for row in rows if "KISAR" in row)


def test_each_method_is_averaged_over_the_splits_that_all_its_sizes_have():
    lines = [
        {"method": name, "instances": REGIONS, "n_train": size, "seed": seed, "example_ap": value}
        for name, size, seed, value in (
            ("kisar", 10, 0, 0.25), ("kisar", 10, 1, 0.35), ("kisar", 20, 0, 0.5),
            ("kisar", 20, 1, 0.6), ("kisar", 20, 2, 0.9), ("dba", 10, 4, 0.1), ("dba", 20, 4, 0.2),
            ("mimlknn", 20, 0, 0.8),
        )
    ]  # fmt: skip
    text = re.sub(" +", " ", curve_tables(lines))
    assert text.startswith("## Average precision by training images, 1 to 2 splits\n")
    assert "| KISAR | 2 | 0.300 ± 0.071 | 0.550 ± 0.071 |" in text
    assert "| DBA | 1 | 0.100 | 0.200 |" in text
    assert "MIMLkNN" not in text


def test_claims_follow_from_the_lines(run):
    header, lines = read_results(run / "bags.jsonl")
    found = {claim.text: claim for claim in claims(header, lines)}
    assert len(found) == 13
    whole = [x for x in lines if x["n_train"] == N_TRAIN]
    kisar = [x["example_ap"] for x in whole if (x["method"], x["instances"]) == ("kisar", REGIONS)]
    claim = found["KISAR is above its published figure, 0.666"]
    assert f"{np.mean(kisar) - 0.666:+.4f}" in claim.numbers
    lines = [line | {"example_ap": 0.7} for line in lines]
    found = {claim.text: claim.verdict for claim in claims(header, lines)}
    assert found["MIMLSVM, defaults repeats the published figure within one std"] == "holds"
    assert found["RankLSIM tuned, repeats the published figure within .02"] == "holds"
    assert found["L1LR is above LR on the original labels and splits"] == "not shown"


def test_a_run_goes_on_where_it_stopped(made, run, tmp_path):
    path, cache = made
    options = {"cache": cache, "splits": 2, "curve_sizes": [12], "curve_splits": 1, "jobs": 1}
    before = (run / "bags.jsonl").read_bytes()
    (tmp_path / "bags.jsonl").write_bytes(before[: len(before) * 5 // 6])
    miml_bags(path, tmp_path, **options)
    assert (tmp_path / "bags.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"splits": 5}, "must end by the 4 splits of .*toy.mat. Got seeds 0 to 4"),
        ({"splits": 0}, "The 'splits' option"),
        ({"seed": -1}, r"The 'seed' option must be an int in the range \[0, inf\). Got -1"),
        ({"curve_splits": 0}, "The 'curve-splits' option must be an int .* Got 0"),
        ({"methods": ["dba", "lr"]}, "The methods lr learn from features .*: give --cache"),
        ({"methods": ["svm"]}, "The 'methods' option must be one of mimlsvm, .* Got 'svm'"),
        ({"curve_sizes": [2]}, "must be from 3 to 20, the training rows. Got 2 to 2"),
    ],
)
def test_bad_options_are_one_line(made, tmp_path, options, match):
    with pytest.raises(InputError, match=match):
        miml_bags(made[0], tmp_path, **{"splits": 1, **options})
    assert list(tmp_path.iterdir()) == []


def test_a_cache_of_other_images_is_refused(made, tmp_path):
    path, _ = made
    Y = np.zeros((N, LABELS), dtype=np.int8)
    ids = [f"1_{k}_s.jpg" for k in range(N)]
    names = read_bags(path).label_names
    layer = {"net/pool": np.zeros((N, 4))}
    for number, (images, labels, match) in enumerate(
        (
            (ids, Y, r"agree in 7\d.\d% of the cells only, less than 95%"),
            (ids[1:], Y[1:], "has 29 images and the file 30 bags"),
            (ids, Y[:, :3], "has not the 23 labels of the bags"),
            ([f"{k}.jpg" for k in range(N)], Y, "is not of MSRC v2"),
        )
    ):
        data = write_data(tmp_path / f"data{number}", images, names[: labels.shape[1]], labels)
        features = {name: array[: len(images)] for name, array in layer.items()}
        cache = write_labeled_cache(
            tmp_path / f"cache{number}", data, features, pooling="quadrant_max"
        )
        with pytest.raises(InputError, match=match):
            read_bag_task(path, cache)


def test_the_command_takes_the_options_of_its_table(made, tmp_path, capsys):
    path, _ = made
    table = ["tables", "miml", "--out", str(tmp_path / "out")]
    main([*table, "--bags", str(path), "--splits", "1", "--methods", "constant", "--jobs", "1"])
    assert "| constant (training frequency) " in capsys.readouterr().out
    for options, match in (
        ([], "--data and --cache must be given, or --bags FILE"),
        (["--bags", str(path), "--data", str(path)], "--data can't be given with --bags"),
        (["--bags", str(path), "--no-ablations"], "--ablations can't be given with --bags"),
        (["--cache", "c", "--data", "d", "--methods", "dba"], "--methods can't be given without"),
    ):
        with pytest.raises(InputError, match=match):
            main([*table, *options])


def test_the_references_bags_give_a_row_per_method(msrc_bags, tmp_path, capsys):
    miml_bags(msrc_bags, tmp_path, splits=1, jobs=1)
    text = capsys.readouterr().out
    assert all(f"| {method.title} " in text for method in BAG_METHODS)
    _, lines = read_results(tmp_path / "bags.jsonl")
    defaults = [line["example_ap"] for line in lines if line["method"] == "mimlsvm-default"]
    assert 0.65 < np.mean(defaults) < 0.72
