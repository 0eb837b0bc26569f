"""Tables of fine-tunings, pictures of maps, and the cost of a loss."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.finetune_tables import finetune as tables
from benchmarks.papers_finetune import QUOTATIONS
from benchmarks.speed_finetune import speed_finetune
from classify.__main__ import main
from classify.finetune.cam import class_maps, overlay
from classify.finetune.config import FinetuneConfig
from classify.finetune.run import finetune, load_run
from extract.images import Transform, load_image
from features.errors import InputError
from tests.test_extract import make_images

SETTINGS = {
    "backbone": "resnet18", "weights": "random:0", "size": 32, "epochs": 1, "batch_size": 8,
    "rate": 1e-4, "head_rate": 1e-3, "device": "cpu", "validation": 0.0, "min_positives": 0,
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
        json.loads((out / "results.jsonl").read_text().splitlines()[1])["map_plain"] for out in outs
    ]
    assert f"{np.mean(values):.4f}" in lines[0]
    assert text.count(", quoted ") == sum(len(one.rows) for one in QUOTATIONS)
    assert capsys.readouterr().out == text


def test_a_folder_without_results_is_one_line(tmp_path):
    with pytest.raises(InputError, match="has no results.jsonl; give the folder of a finished"):
        tables(tmp_path / "t.md", runs=[tmp_path])


def test_the_cost_of_the_loss_is_printed(tmp_path):
    text = speed_finetune(
        tmp_path / "s.md", backbone="resnet18", size=32, images=4, labels=5, repeats=1,
        device="cpu",
    ).read_text()  # fmt: skip
    assert "constrained ranking, 4 x 5" in text and "%" in text


def test_maps_are_drawn_for_both_branches(runs, tmp_path, capsys):
    data, outs = runs
    image = data / "images" / "000.png"
    main(["cam", str(outs[0]), "--images", str(image), "--out", str(tmp_path / "maps")])
    drawn = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert drawn == [
        f"000.{label}.{branch}.png" for label in ("cat", "dog") for branch in ("main", "projection")
    ]
    for name in drawn:
        with Image.open(tmp_path / "maps" / name) as picture:
            assert picture.size == (32, 32)


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
