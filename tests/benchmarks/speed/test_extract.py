"""The harness of ``speed extract``: its table, an absent peer, its refusals. Asserts no time."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.speed import extract, extract_peers, extract_report, extract_worker, workers
from benchmarks.speed.extract import speed_extract
from benchmarks.stored import read_stored, store
from extract.images import read_image
from features.errors import InputError
from tests import children
from tests.extract.test_run import make_images


def test_the_table_lists_ratios_and_absent_peers(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "MATRIX_SIDE", 256)
    data = make_images(tmp_path / "data", n=4)
    with children.stand_in_for_subprocess(workers):
        text = speed_extract(
            data, tmp_path / "speed.md", backbones=["resnet18"],
            peers=["loop", "eager", "zip", "tar", "clip-retrieval", "thingsvision"], images=4,
            rounds=2, batch_size=2, device="cpu", long_run=0,
        )  # fmt: skip
    assert (tmp_path / "speed.md").read_text(encoding="utf-8") == text
    run = read_stored(store(tmp_path / "speed.jsonl", "speed/x", {}, folder=tmp_path))
    assert extract_report.page(run.header, run.lines) == text
    assert run.entry.page.endswith("extract_report:page")
    assert [line["round"] for line in run.lines if line["what"] == "loop"] == [0, 1]
    assert "| this project, eager, from a zip file " in text
    assert "| this project, eager, from a tar file " in text
    assert "| this project, eager " in text and "| loop " in text
    assert text.count("absent: ModuleNotFoundError") == 2
    assert "4,096" in text  # bytes an image: gap and gmp, 512 float32 each
    assert "Matrix product: " in text and "3.63 GFLOP" in text


@pytest.mark.parametrize("backbone", ["resnet18", "timm/resnet18", "timm/vit_tiny_patch16_224"])
def test_the_hand_loops_give_the_columns_of_this_project(tmp_path, backbone):
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    data = make_images(tmp_path / "data", n=2)
    paths = sorted(map(str, (data / "images").iterdir()))
    given = {"name": "loop", "backbone": backbone, "paths": paths, "rows": 2, "device": "cpu",
             "precision": "float32", "batch_size": 2}  # fmt: skip
    plan = extract_worker._plan(given)
    prepare, columns = extract_peers._by_hand(given, plan)
    with torch.inference_mode():
        pixels = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
        expected = columns(pixels).numpy()
        network = plan.network()
        mean, std = torch.tensor([plan.backbone.mean, plan.backbone.std])[:, :, None, None]
        levels = ((pixels * std + mean) * 255).round().to(torch.uint8)
        found = torch.cat(network(levels), dim=1).numpy()
    # Pillow and torch round the resized pixels differently on some processors.
    ours = torch.stack([read_image(path, plan.transform).pixels for path in paths])
    assert (ours.int() - levels.int()).abs().max() <= 1
    np.testing.assert_allclose(found, expected, atol=2e-5 * float(np.abs(expected).max()))


def test_a_longer_run_is_compared_with_a_short_one(monkeypatch):
    class Done:
        absent, info = None, {"peak_mb": 300.0}

        def __init__(self, name, options, paths):
            self.rows = len(paths)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    rates = iter([8.0, *[4.0] * 5, *[6.0] * 5])
    monkeypatch.setattr(extract, "_worker", Done)
    monkeypatch.setattr(extract, "rate", lambda worker, name, start, stop: next(rates))
    lines = [{"part": "long run", "round": 0, **x} for x in extract._long_run({"rows": 5}, ["a"])]
    header = {"backbones": [], "peers": [], "machine": "m"}
    rows = extract_report.page(header, lines).splitlines()[-3:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert cells == [["5 images", "8.00", "300"], ["50 images", "5.00", "300"],
                     ["ratio", "0.625", "1.000"]]  # fmt: skip


def test_too_few_images_are_refused(tmp_path):
    data = make_images(tmp_path / "data", n=3)
    with pytest.raises(InputError, match="3 images in 4 rounds; give at least one image a round"):
        speed_extract(data, images=3, rounds=4)
    with pytest.raises(InputError, match="has 3 images; give --images up to that"):
        speed_extract(data, images=9, rounds=3)
