"""The reference's own files of bags, where this machine has them."""

from pathlib import Path

import pytest

from features.bags import read_bags
from tests.conftest import SHARED


def published(name: str) -> Path:
    path = SHARED / "data" / "miml" / name
    if not path.exists():
        pytest.skip(f"no {name} under {SHARED}: set TAGGING_SHARED to the folder that holds it")
    return path


def test_msrc_has_its_bags_labels_and_splits():
    found = read_bags(published("MSRC_MIML.mat"))
    assert (len(found.bags), found.bags.width, int(found.bags.sizes.sum())) == (591, 48, 1758)
    assert (found.bags.sizes.min(), found.bags.sizes.max()) == (1, 17)
    assert found.Y.shape == (591, 23) and round(found.Y.sum() / 591, 3) == 2.508
    assert len(found.splits) == 30
    for split in found.splits:
        assert (len(split.train), len(split.test)) == (394, 197)
        assert sorted([*split.train, *split.test]) == list(range(591))


def test_scene_has_its_bags_and_labels():
    scene = read_bags(published("miml-image-data.mat"))
    assert len(scene.bags) == 2000 and set(scene.bags.sizes) == {9} and scene.bags.width == 15
    assert scene.label_names == ("desert", "mountains", "sea", "sunset", "trees")
    assert scene.Y.sum(axis=0).tolist() == [409, 458, 580, 465, 560]
