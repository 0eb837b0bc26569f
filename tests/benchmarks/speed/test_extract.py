"""The harness of ``speed extract``: its table, an absent peer, its refusals. Asserts no time."""

import pytest

from benchmarks.speed import extract_report, workers
from benchmarks.speed.extract import speed_extract
from benchmarks.stored import read_stored, store
from features.errors import InputError
from tests.extract.test_run import make_images


def test_the_table_lists_ratios_and_absent_peers(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "MATRIX_SIDE", 256)
    data = make_images(tmp_path / "data", n=4)
    text = speed_extract(
        data,
        tmp_path / "speed.md",
        backbones=["resnet18"],
        peers=["loop", "eager", "thingsvision"],
        images=4,
        rounds=2,
        batch_size=2,
        device="cpu",
        long_run=10,
    )
    assert (tmp_path / "speed.md").read_text(encoding="utf-8") == text
    run = read_stored(store(tmp_path / "speed.jsonl", "speed/x", {}, folder=tmp_path))
    assert extract_report.page(run.header, run.lines) == text
    assert run.entry.page.endswith("extract_report:page")
    assert sorted(line["images"] for line in run.lines if line["part"] == "long run") == [1, 10]
    assert [line["round"] for line in run.lines if line["what"] == "loop"] == [0, 1]
    assert "| this project, eager " in text and "| loop " in text
    assert "absent: ModuleNotFoundError" in text and "| 10 images " in text
    assert "4,096" in text  # bytes an image: gap and gmp, 512 float32 each
    assert "Matrix product: " in text and "3.63 GFLOP" in text


def test_too_few_images_are_refused(tmp_path):
    data = make_images(tmp_path / "data", n=3)
    with pytest.raises(InputError, match="3 images in 4 rounds; give at least one image a round"):
        speed_extract(data, images=3, rounds=4)
    with pytest.raises(InputError, match="has 3 images; give --images up to that"):
        speed_extract(data, images=9, rounds=3)
