"""Labels of a cache that people correct with their own tools: matched by image, never lost."""

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from extract.config import ExtractConfig
from extract.run import run
from features.cache import FeatureCache
from features.commands.merge import merge
from features.commands.verify import find_faults
from features.datasets import load_dataset
from features.errors import InputError

NAMES = [f"{k:02d}.png" for k in range(6)]
LABELS = np.random.default_rng(5).integers(0, 2, (6, 3))


def text_of(rows, header="image,cat,dog,bird"):
    lines = [",".join([name, *map(str, labels)]) for name, labels in rows]
    return "\n".join([header, *lines]) + "\n"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in NAMES:
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "labels.csv").write_text(text_of(zip(NAMES, LABELS.tolist(), strict=True)))
    return folder


@pytest.fixture
def config(tiny_backbone):
    return ExtractConfig(
        tiny_backbone, weights="random:0", size=32, shard_rows=4, device="cpu", workers=1
    )


@pytest.fixture
def cache(data, config, tmp_path):
    return run(config, load_dataset(data), tmp_path / "c")


def rewritten(cache, change):
    """Replace the cache's labels.csv by what a tool makes of its lines."""
    path = cache / "labels.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join(change(header, lines)) + "\n")
    return path


CHANGES = {
    "sorted the other way": lambda header, lines: [header, *lines[::-1]],
    "shuffled": lambda header, lines: [header, *random.Random(0).sample(lines, len(lines))],
    "without endings": lambda header, lines: [header, *(one.replace(".png", "") for one in lines)],
    "semicolons and another case": lambda header, lines: [
        header.replace(",", ";"), *(one.upper().replace(",", ";") for one in lines[::-1])
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_lines_in_another_order_are_those_of_their_images(cache, data, config, kind, capsys):
    path = rewritten(cache, CHANGES[kind])
    before = path.read_bytes()
    assert np.array_equal(FeatureCache(cache).labels, LABELS)
    assert not list(find_faults(cache))
    run(config, load_dataset(data), cache)
    assert path.read_bytes() == before
    assert "differ from the data set's" not in capsys.readouterr().err
    merged = merge(cache.with_name("merged"), [cache])
    assert np.array_equal(FeatureCache(merged).labels, LABELS)


def test_corrections_in_another_order_survive_an_append(cache, data, config):
    rewritten(cache, lambda header, lines: [header, *lines[:0:-1], "00.png,1,1,1"])
    Image.new("RGB", (40, 40), "red").save(data / "images/new.png")
    with open(data / "labels.csv", "a") as file:
        file.write("new.png,0,0,1\n")
    run(replace(config, append=True), load_dataset(data), cache)
    expected = np.vstack([[1, 1, 1], LABELS[1:], [0, 0, 1]])
    assert np.array_equal(FeatureCache(cache).labels, expected)


def test_lines_that_were_taken_out_are_unknown_and_told(cache, capsys):
    rewritten(cache, lambda header, lines: [header, *lines[:2], *lines[3:]])
    labels = FeatureCache(cache).labels
    assert (labels[2] == -1).all() and np.array_equal(labels[3:], LABELS[3:])
    assert "has no line for 1 (first '02.png') of 6 images" in capsys.readouterr().err


def test_other_images_are_named_and_the_file_stays(cache, data, config):
    path = rewritten(cache, lambda header, lines: [header, *lines, "mine.png,1,0,0"])
    before = path.read_bytes()
    for use in (lambda: FeatureCache(cache).labels, lambda: run(config, load_dataset(data), cache)):
        with pytest.raises(InputError, match=r"1 \(first 'mine.png'\). Take their lines out; or"):
            use()
    assert path.read_bytes() == before
    twice = rewritten(cache, lambda header, lines: [header, *lines[:-1], "00,1,0,0"])
    with pytest.raises(InputError, match="'00.png' and '00' both name '00.png'"):
        FeatureCache(cache).labels  # noqa: B018
    shutil.rmtree(twice.parent)
