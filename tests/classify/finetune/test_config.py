"""Settings, schedules, draws and hidden labels; nothing here needs a network."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from classify.finetune.command import add_finetune_arguments
from classify.finetune.config import FinetuneConfig
from classify.finetune.data import (
    Images,
    augmented,
    epoch_batches,
    row_generator,
    row_uniforms,
)
from classify.finetune.optimizer import rate_factor
from extract.images import Transform
from features.command_line import CommandParser
from features.datasets import load_dataset
from features.errors import InputError
from tests.extract.test_run import make_images


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model": "svm"}, "The 'model' option must be one of bce, rml, .* Got 'svm'"),
        ({"epochs": 0}, r"The 'epochs' option must be an int in the range \[1, inf\). Got 0"),
        ({"refresh": 0}, r"The 'refresh' option must be an int in the range \[1, inf\). Got 0"),
        ({"missing": 1.0}, r"The 'missing' option must be a float in the range \[0, 1\). Got 1.0"),
        ({"schedule": "linear"}, "must be one of step, cosine, constant. Got 'linear'"),
        ({"row3_stride": 0}, r"'row3_stride' option must be an int in the range \[1, inf\). Got 0"),
        ({"pool": "mean"}, "The 'pool' option must be one of sum, max. Got 'mean'"),
        ({"embedding_weight": -1.0}, r"a float in the range \[0, inf\). Got -1.0"),
        ({"embedding_weight": float("nan")}, r"a float in the range \[0, inf\). Got nan"),
        ({"embedding_weight": float("inf")}, r"a float in the range \[0, inf\). Got inf"),
        ({"head_init": "warm"}, "must be one of logistic, zeros. Got 'warm'"),
    ],
)
def test_wrong_settings_are_one_line(change, message):
    with pytest.raises(InputError, match=message):
        FinetuneConfig(**change)


def _parsed(*options):
    parser = CommandParser()
    add_finetune_arguments(parser)
    return vars(parser.parse_args(["--data", "d", "--out", "o", *options]))


def test_the_command_repeats_the_defaults_of_the_settings():
    given = _parsed()
    settings = {one.name: given[one.name] for one in fields(FinetuneConfig)}
    assert FinetuneConfig(**settings) == FinetuneConfig()


def test_the_command_reads_numbers_as_such():
    given = _parsed("--learning-rate", "0.1", "--patience", "3")
    assert (given["learning_rate"], given["patience"]) == (0.1, 3)


def test_settings_of_the_machine_do_not_identify_a_run():
    assert FinetuneConfig(workers=1, device="cpu").record() == FinetuneConfig(workers=9).record()
    assert FinetuneConfig(learning_rate=0.5).record() != FinetuneConfig().record()
    assert FinetuneConfig(split="here.csv").record() == FinetuneConfig(split="there.csv").record()


def test_the_rate_falls_where_it_should():
    steps = [rate_factor("step", p) for p in (0, 0.59, 0.6, 0.84, 0.85, 1)]
    np.testing.assert_allclose(steps, [1, 1, 0.1, 0.1, 0.01, 0.01])
    cosine = [rate_factor("cosine", p) for p in np.linspace(0, 1, 9)]
    assert cosine[0] == 1 and cosine[-1] == 0 and all(np.diff(cosine) < 0)
    assert rate_factor("constant", 0.9) == 1
    with pytest.raises(InputError, match="schedule 'up'"):
        rate_factor("up", 0)


def test_an_epoch_visits_every_row_and_fills_its_last_batch():
    rows = np.arange(10, 21)
    batches = epoch_batches(rows, 4, seed=0, epoch=1)
    assert batches.shape == (3, 4)
    np.testing.assert_array_equal(np.unique(batches), rows)
    assert batches[-1, -1] == batches[0, 0]
    assert (batches != epoch_batches(rows, 4, seed=0, epoch=2)).any()
    np.testing.assert_array_equal(batches, epoch_batches(rows, 4, seed=0, epoch=1))
    assert epoch_batches(rows[:2], 5, seed=0, epoch=0).shape == (1, 5)


def test_draws_belong_to_rows_not_to_batches():
    whole = row_uniforms(np.array([4, 9]), 3, seed=1, epoch=2)
    np.testing.assert_array_equal(whole[1:], row_uniforms(np.array([9]), 3, seed=1, epoch=2))
    assert ((whole >= 0) & (whole < 1)).all()


@pytest.mark.parametrize("augment", ["none", "flip", "crop"])
def test_augmentation_keeps_the_shape_and_depends_on_the_row(augment):
    pixels = torch.arange(3 * 16 * 16, dtype=torch.int32).remainder(251).to(torch.uint8)
    pixels = pixels.view(3, 16, 16)
    seen = set()
    for row in range(12):
        one = augmented(pixels, augment, row_generator(0, 0, row))
        again = augmented(pixels, augment, row_generator(0, 0, row))
        assert one.shape == pixels.shape and one.dtype == torch.uint8 and torch.equal(one, again)
        seen.add(one.numpy().tobytes())
    assert {"none": len(seen) == 1, "flip": len(seen) == 2, "crop": len(seen) > 2}[augment]


def test_batches_are_the_images_whatever_is_kept(tmp_path):
    dataset = load_dataset(make_images(tmp_path / "d", n=7))
    parts = [[0, 3], [6, 1], [3, 3], [2, 5], [4, 0]]
    for memory in (0, 3 * 32 * 32 * 4, 1 << 20):
        images = Images(dataset, Transform(32), workers=2, memory=memory)
        for part, pixels in zip(parts, images.batches(parts), strict=True):
            for row, one in zip(part, pixels, strict=True):
                assert torch.equal(one, images.load(row))


def test_a_broken_image_is_one_line(tmp_path):
    dataset = load_dataset(make_images(tmp_path / "d", n=4, broken=(2,)))
    images = Images(dataset, Transform(32))
    with pytest.raises(InputError, match="002.png can't be learned from .*; mend the file or take"):
        list(images.batches([[0], [2]]))
