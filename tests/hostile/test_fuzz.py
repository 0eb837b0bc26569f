"""A short repetition of the fuzz run, with the seeds that are kept."""

import pytest

from tests.hostile import fuzz

NAMES = (
    "labels.csv", "split.csv", "coco", "voc", *fuzz.DAMAGED, "json lines",
    *(name for name, *_ in fuzz.MORE), "manifest.json", "index.csv", "shard", "unsealed shard",
    "model",
)  # fmt: skip

MOST = 100  # inputs of seed 0; a run by hand has more


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return fuzz.make_targets(tmp_path_factory.mktemp("fuzz"))


def test_every_target_is_repeated(targets):
    assert set(targets) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged_was_sound(targets, name):
    """Before anything is damaged: a target that refuses its sound file would find no fault."""
    if name not in ("labels.csv", "split.csv"):  # only inputs of these are written
        targets[name].read()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_an_input_error_or_nothing(targets, name):
    for number in (0, *fuzz.SEEDS.get(name, ())):
        few = number == 0  # a seed that found a fault is repeated whole
        fuzz.run(targets[name], number, inputs=min(targets[name].batch, MOST) if few else 0)


@pytest.mark.parametrize("name", ["labels.csv", "coco", "voc", "yolo"])
def test_sound_files_are_among_the_damaged_ones(targets, name):
    assert 0 < fuzz.run(targets[name], 1, inputs=100) < 100


def test_a_run_has_no_progress_bars(targets, capsys):
    fuzz.run(targets["voc"], 1, inputs=20)
    assert capsys.readouterr().err == ""
