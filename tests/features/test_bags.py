"""Bags from the published MATLAB files, ARFF and caches."""

from pathlib import Path

import numpy as np
import pytest

from features.bags import Bags, read_bags
from features.bags.msrc import msrc_rows
from features.errors import InputError
from features.labels import read_labels_csv
from tests.conftest import SHARED

ARFF = r"""% two bags
@relation toy
@attribute id {a,b}
@attribute bag relational
  @attribute f1 numeric
  @attribute f2 numeric
@end bag
@attribute sky {0,1}
@attribute sea {0,1}
@data
a,"1,2\n3,4",1,0
b,"5,6",0,1
"""


def published(name: str) -> Path:
    path = SHARED / "data" / "miml" / name
    if not path.exists():
        pytest.skip(f"no {name} under {SHARED}: set TAGGING_SHARED to the folder that holds it")
    return path


@pytest.fixture(scope="module")
def msrc_bags():
    return read_bags(published("MSRC_MIML.mat"))


def test_msrc_has_its_bags_labels_and_splits(msrc_bags):
    bags, Y = msrc_bags.bags, msrc_bags.labels
    assert (len(bags), bags.width, int(bags.sizes.sum())) == (591, 48, 1758)
    assert (bags.sizes.min(), bags.sizes.max()) == (1, 17)
    assert Y.shape == (591, 23) and round(Y.sum() / 591, 3) == 2.508
    assert len(msrc_bags.splits) == 30
    for split in msrc_bags.splits:
        assert (len(split.train), len(split.test)) == (394, 197)
        assert sorted([*split.train, *split.test]) == list(range(591))


def test_scene_has_its_bags_and_labels():
    scene = read_bags(published("miml-image-data.mat"))
    assert len(scene.bags) == 2000 and set(scene.bags.sizes) == {9} and scene.bags.width == 15
    assert scene.label_names == ("desert", "mountains", "sea", "sunset", "trees")
    assert scene.labels.sum(axis=0).tolist() == [409, 458, 580, 465, 560]


def test_bags_of_msrc_belong_to_the_images_of_the_cleaned_set(msrc_bags, msrc):
    ids, Y, names = read_labels_csv(msrc / "labels.csv")
    order = [msrc_bags.label_names.index(name) for name in names]
    original = msrc_bags.labels[:, order]
    cleaned = Y[msrc_rows(ids)]
    assert int((original == cleaned).all(axis=1).sum()) == 513
    assert int((original != cleaned).sum()) == 83


def test_arff_is_read(tmp_path):
    path = tmp_path / "toy.arff"
    path.write_text(ARFF)
    found = read_bags(path)
    assert found.label_names == ("sky", "sea") and found.labels.tolist() == [[1, 0], [0, 1]]
    assert [bag.tolist() for bag in found.bags] == [[[1, 2], [3, 4]], [[5, 6]]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@data", "", "has no line @data"),
        ('"5,6"', '"5"', "line 12: it must have 2 columns per instance and 2 labels"),
        ('"5,6"', '"5,x"', "line 12: could not convert"),
        ('"5,6",0,1', '"5,6",0,2', "line 12: labels must be 0 or 1"),
        ('"5,6",0,1', '"5,6",0', "line 12: it must have 2 columns"),
        ("bag relational", "bag numeric", "must declare an id, a relational attribute and labels"),
    ],
)
def test_damaged_arff_is_named(tmp_path, old, new, message):
    path = tmp_path / "toy.arff"
    path.write_text(ARFF.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_bags(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in one of .arff, .mat"):
        read_bags(tmp_path / "bags.csv")
    with pytest.raises(InputError, match="is no file"):
        read_bags(tmp_path / "bags.mat")
    (tmp_path / "bags.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(InputError, match="bags are read from the variables"):
        read_bags(tmp_path / "bags.mat")


def test_bags_are_packed_and_taken_in_any_order():
    bags = Bags.from_list([[[1.0]], [[2.0], [3.0]], [[4.0]]])
    assert [bag.ravel().tolist() for bag in bags.take(np.array([2, 1, 1]))] == [[4], [2, 3], [2, 3]]
    assert bags.starts.tolist() == [0, 1, 3] and bags.owners.tolist() == [0, 1, 1, 2]
    with pytest.raises(InputError, match="bag 1 is empty"):
        Bags.from_list([[[1.0]], np.zeros((0, 1))])


def test_an_image_of_another_set_has_no_bag():
    with pytest.raises(InputError, match="'cat.jpg' is not of MSRC v2"):
        msrc_rows(["1_1_s.jpg", "cat.jpg"])
