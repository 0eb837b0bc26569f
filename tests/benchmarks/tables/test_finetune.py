"""Tables of fine-tunings, pictures of maps, and the cost of a loss."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import resnet18

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.speed import finetune as finetune_speed
from benchmarks.speed import finetune_report, workers
from benchmarks.speed.finetune import speed_finetune
from benchmarks.stored import read_stored, store
from benchmarks.tables.finetune.frozen import case_of_run, frozen_counterpart
from benchmarks.tables.finetune.published import QUOTATIONS
from benchmarks.tables.finetune.report import claims, page
from benchmarks.tables.finetune.run import finetune as tables
from classify.__main__ import main
from classify.finetune.cam import _require_names, class_maps, overlay
from classify.finetune.config import FinetuneConfig, read_run
from classify.finetune.networks import CoProjection
from classify.finetune.run import build_objective, finetune, load_run
from classify.imcl.tagger import InteractiveTagger
from classify.metrics.label_based import mean_average_precision
from classify.results import read_results
from extract.images import Transform, load_image
from features.datasets import load_dataset
from features.errors import InputError
from tests import children
from tests.caches import write_labeled_cache
from tests.extract.test_run import make_images
from tests.folders import results_in

SETTINGS = {
    "backbone": "resnet18", "weights": "random:0", "size": 32, "epochs": 1, "batch_size": 8,
    "learning_rate": 1e-4, "head_learning_rate": 1e-3, "device": "cpu",
    "validation": 0.0, "min_positives": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("reports")
    data = make_images(folder / "data", n=12)
    outs = []
    for seed in range(2):
        config = FinetuneConfig(model="coprojection", seed=seed, **SETTINGS)
        outs.append(finetune(config, data, folder / f"run{seed}"))
    return data, outs


def test_every_quoted_row_is_as_wide_as_its_table():
    for one in QUOTATIONS:
        assert {len(numbers) for numbers in one.rows.values()} == {len(one.columns)}, one.title


def test_the_printed_harmonic_f1_follows_from_precision_and_recall():
    for one in QUOTATIONS:
        if "ablations" in one.title:
            at = {name: i for i, name in enumerate(one.columns)}
            for method in ("TBA", "TBC", "MSE", "CRL (full)"):
                numbers = [float(text) for text in one.rows[method]]
                p, r = numbers[at["P-C"]], numbers[at["R-C"]]
                assert 2 * p * r / (p + r) == pytest.approx(numbers[at["F1-C"]], abs=0.3)


def test_seeds_of_one_run_are_one_row_beside_the_quoted(runs, tmp_path, capsys):
    _, outs = runs
    text = tables(tmp_path / "t.md", runs=outs).read_text()
    lines = [line for line in text.splitlines() if line.startswith("| coprojection, resnet18")]
    assert len(lines) == 1 and "±" in lines[0]
    values = [
        json.loads((out / "results.jsonl").read_text().splitlines()[1])["map"] for out in outs
    ]
    assert f"{np.mean(values):.4f}" in lines[0]
    assert text.count(", quoted ") == sum(len(one.rows) for one in QUOTATIONS)
    assert capsys.readouterr().out == text


def test_the_page_comes_from_the_stored_lines_alone(runs, tmp_path):
    _, outs = runs
    text = tables(tmp_path / "t.md", runs=outs).read_text()
    header, lines = read_results(tmp_path / "t.jsonl")
    assert header["table"] == "finetune" and len(lines) == 2
    assert page(header, lines) == text
    before = (tmp_path / "t.jsonl").read_bytes()
    tables(tmp_path / "t.md", runs=[*outs, outs[0]])
    assert (tmp_path / "t.jsonl").read_bytes() == before


def _made_line(model, seed, value, frozen):
    place = {"labels": "a", "splits": f"s{seed}", "backbone": "resnet18", "size": 224}
    scores = {"map": value, "frozen_map": frozen}
    config = {"missing": 0.0, "unlabeled": 0.0, "head_init": "logistic", "settings": model}
    return {**place, **config, **scores, "model": model, "seed": seed}


def test_claims_follow_from_differences_seed_by_seed():
    lines = [_made_line("coprojection", seed, 0.6 + 0.1 * seed, 0.7) for seed in range(3)]
    lines += [_made_line("coprojection-mse", seed, 0.58 + 0.1 * seed, 0.9) for seed in range(3)]
    lines += [_made_line("coprojection-tba", 7, 0.1, 0.1)]  # no seed in common
    found = {one.text: one.verdict for one in claims({"layers": "resnet18/gap"}, lines)}
    name = "resnet18 at 224, head by logistic regression, 0 / 0"
    frozen = "the whole network above frozen features"
    assert found == {
        f"{frozen} (coprojection, {name})": NOT_SHOWN,
        f"coprojection, {name} above coprojection-mse": HOLDS,
        f"{frozen} (coprojection-mse, {name})": FAILS,
        f"{frozen} (coprojection-tba, {name})": NOT_SHOWN,
    }


def test_a_row_is_named_by_how_its_co_projection_differs(runs, tmp_path):
    _, (run, _) = runs
    header, *lines = (run / "results.jsonl").read_text().splitlines()
    other = {**json.loads(header)["header"], "pool": "max", "embedding_weight": 0.02}
    (tmp_path / "results.jsonl").write_text("\n".join([json.dumps({"header": other}), *lines, ""]))
    text = tables(tmp_path / "t.md", runs=[run, tmp_path]).read_text()
    assert "| coprojection, resnet18 at 32 " in text
    assert "| coprojection, resnet18 at 32, pool max, embedding weight 0.02 " in text


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A run with rows to choose on and hidden labels, its data, and a cache of other features."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tuned")
    data = make_images(folder / "data", n=24)
    settings = SETTINGS | {"validation": 0.25, "missing": 0.5, "unlabeled": 0.2}
    seen = {}

    def spy(config, Y, rows):
        seen.update(zip(rows.tolist(), Y[rows].tolist(), strict=True))
        return build_objective(config, Y, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.finetune.run.build_objective", spy)
        run = finetune(FinetuneConfig(model="imcl", **settings), data, folder / "run")
    X = np.random.default_rng(1).normal(size=(24, 3)).astype(np.float32)
    return data, run, write_labeled_cache(folder / "cache", data, {"net/pool": X}), X, seen


def test_a_frozen_counterpart_sees_the_rows_and_labels_of_its_run(tuned):
    data, run, cache, X, seen = tuned
    case = case_of_run(run, *read_run(run), cache)
    np.testing.assert_array_equal(case.X, X)
    assert {row: case.Y[row].tolist() for row in case.part.train} == seen
    assert len({tuple(known) for known in seen.values()}) > 2
    Y = load_dataset(data).labels
    for rows in (case.inner[0].test, case.part.test):
        np.testing.assert_array_equal(case.Y[rows], Y[rows])


def test_a_frozen_counterpart_takes_the_best_c_of_the_rows_set_aside(tuned):
    data, run, cache, X, _ = tuned
    case = case_of_run(run, *read_run(run), cache)
    train, parts = case.part.train, {"val": case.inner[0].test, "test": case.part.test}
    Y, values = load_dataset(data).labels, {}
    for C in (0.1, 10.0):
        model = InteractiveTagger(C=C, early_stopping="never").fit(X[train], case.Y[train])
        scores = {part: model.decision_function(X[parts[part]]) for part in ("val", "test")}
        values[C] = [
            mean_average_precision(Y[parts[part]], scores[part]) for part in ("val", "test")
        ]
    best = max(values, key=lambda C: values[C][0])
    found = frozen_counterpart(run, cache, grid=(0.1, 0.01, 10.0))  # .01 diverges
    assert (found.learner, found.C) == ("imcl", best)
    assert found.values["map"] == values[best][1]


def test_the_gain_over_frozen_features_is_the_difference(tuned, tmp_path):
    _, run, cache, _, _ = tuned
    text = tables(tmp_path / "t.md", runs=[run], frozen=cache).read_text()
    (line,) = [line for line in text.splitlines() if "| imcl |" in line.replace("  ", "")]
    cells = [cell.strip() for cell in line.split("|")]
    tuned_map = json.loads((run / "results.jsonl").read_text().splitlines()[1])["map"]
    assert float(cells[6]) == pytest.approx(tuned_map - float(cells[5]), abs=2e-4)


def test_other_features_than_the_runs_are_one_line(tuned, runs, tmp_path):
    _, run, cache, X, _ = tuned
    few = make_images(tmp_path / "few", n=4)
    other = write_labeled_cache(tmp_path / "few.cache", few, {"net/pool": X[:4]})
    with pytest.raises(InputError, match=r"few.cache: images lack .*; extract from the folder"):
        frozen_counterpart(run, other)
    with pytest.raises(InputError, match="set no rows aside to choose C on: give runs with"):
        frozen_counterpart(runs[1][0], cache)
    with pytest.raises(InputError, match="is no run folder"):
        frozen_counterpart(tmp_path, cache)


def test_a_folder_without_results_is_one_line(tmp_path):
    with pytest.raises(InputError, match="has no results.jsonl; give the folder of a finished"):
        tables(tmp_path / "t.md", runs=[tmp_path])


def test_steps_and_a_comparison_are_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(workers, "MATRIX_SIDE", 256)
    with children.stand_in_for_subprocess(workers, finetune_speed):
        text = speed_finetune(
            tmp_path / "s.md", backbones=["resnet18"], sizes=[32], images=4, labels=5, repeats=1,
            loop_size=32, rounds=2, batches=1, device="cpu",
        ).read_text()  # fmt: skip
    assert capsys.readouterr().out == text
    kept = read_stored(store(tmp_path / "s.jsonl", "speed/x", {}, folder=tmp_path))
    assert finetune_report.page(kept.header, kept.lines) == text
    assert kept.entry.page.endswith("finetune_report:page")
    step, loop, ours = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith(("| resnet18 at 32 | 1", "| loop", "| this project"))
    )
    backbone = sum(p.numel() for p in resnet18(num_classes=5).parameters())
    head = CoProjection(512, 5)
    embedding = sum(p.numel() for p in head.parameters()) - sum(
        p.numel() for p in head.fc.parameters()
    )
    assert step[1] == f"{backbone + embedding:,}"
    assert all(float(cell) > 0 for cell in step[2:6]) and float(step[7].replace(",", "")) > 100
    assert loop[2] == "1.00" and float(ours[2]) > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbones": ["alexnet"]}, "a step of alexnet at 32 pixels failed .*alexnet.*lower --pa"),
        ({"precision": "bf15"}, "precision 'bf15'; give one of float32, bf16"),
        ({"part": 0}, "part is 0; give a whole number from 1"),
        ({"rounds": 3}, "has 4 images; 3 rounds of 1 batches of 16 need 48: lower one of these"),
    ],
)
def test_what_can_not_be_timed_is_one_line(given, message, tmp_path):
    few = make_images(tmp_path / "few", n=4)
    quick = {"backbones": [], "sizes": [32], "rounds": 0, "batches": 1, "device": "cpu"} | given
    with (
        children.stand_in_for_subprocess(finetune_speed),
        pytest.raises(InputError, match=message),
    ):
        speed_finetune(tmp_path / "s.md", data=few, **quick)


def test_maps_are_drawn_for_both_branches(runs, tmp_path, capsys):
    data, outs = runs
    image = data / "images" / "000.png"
    main(["cam", str(outs[0]), "--images", str(image), "--out", str(tmp_path / "maps")])
    drawn = [path.name for path in results_in(tmp_path / "maps")]
    assert drawn == [
        f"000.{label}.{branch}.png" for label in ("cat", "dog") for branch in ("main", "projection")
    ]
    for name in drawn:
        with Image.open(tmp_path / "maps" / name) as picture:
            assert picture.size == (32, 32)


def test_pictures_never_replace_each_other_or_one_of_someone_else(runs, tmp_path):
    data, outs = runs
    image, maps = data / "images" / "000.png", tmp_path / "maps"
    other = tmp_path / "000.PNG"
    other.write_bytes(image.read_bytes())

    def cam(*images):
        return main(["cam", str(outs[0]), "--out", str(maps), "--images", *map(str, images)])

    message = "pictures of the images .*000.png' and .*000.PNG' would have the same names; give "
    with pytest.raises(InputError, match=message):
        cam(image, other)
    assert not maps.exists()
    cam(image, image)
    cam(other)  # in a command of its own, it replaces what this program drew
    theirs = maps / "000.cat.main.png"
    theirs.write_bytes(image.read_bytes())
    with pytest.raises(InputError, match="000.cat.main.png exists and is not an activation map"):
        cam(image)
    assert theirs.read_bytes() == image.read_bytes()


def test_labels_that_differ_in_a_slash_are_refused():
    with pytest.raises(InputError, match="pictures of the labels 'sea/sky' and 'sea_sky' would"):
        _require_names("labels", {"sea/sky": "sea_sky", "sea": "sea", "sea_sky": "sea_sky"})


def test_a_map_is_the_score_before_pooling_scaled(runs):
    data, outs = runs
    _, network, _ = load_run(outs[0])
    pixels, _ = load_image(data / "images" / "001.png", Transform(96))
    scores, maps = class_maps(network, pixels)
    with torch.inference_mode():
        (features,) = network.backbone(pixels[None])
        raw = network.head.f_conv(features)[0].numpy()
        np.testing.assert_allclose(scores, network(pixels[None]).scores[0], rtol=1e-5)
    for label, values in enumerate(maps["projection"]):
        assert values.min() == 0 and values.max() == pytest.approx(1)
        row, column = np.unravel_index(raw[label].argmax(), raw[label].shape)
        cell = values[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        assert cell.max() == pytest.approx(1)


def test_an_overlay_is_blue_where_least_and_red_where_greatest():
    values = torch.tensor([[0.0, 1.0]])
    picture = np.asarray(overlay(torch.full((3, 1, 2), 100, dtype=torch.uint8), values))
    assert picture[0].tolist() == [[50, 50, 178], [178, 50, 50]]


def test_an_unknown_label_is_one_line(runs, tmp_path):
    data, outs = runs
    with pytest.raises(InputError, match="knows no label 'cow'; it knows cat, dog"):
        main([
            "cam", str(outs[0]), "--images", str(data / "images" / "000.png"),
            "--out", str(tmp_path), "--labels", "cow",
        ])  # fmt: skip
