import pickle

import numpy as np
import pytest
from scipy.io import savemat

from features.bags import Bags, read_bags
from features.bags.cached import bags_of, instance_layers
from features.bags.msrc import msrc_rows
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from tests.caches import write_cache, write_data


def cells(matrices):
    array = np.empty((len(matrices), 1), dtype=object)
    for row, matrix in enumerate(matrices):
        array[row, 0] = np.asarray(matrix, dtype=float)
    return array


def test_bags_are_taken_in_any_order():
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(size, 3)) for size in (2, 1, 4)]
    bags = Bags.from_list(matrices)
    for number, (bag, matrix) in enumerate(zip(bags, matrices, strict=True)):
        np.testing.assert_array_equal(bag, matrix)
        np.testing.assert_array_equal(bags.instances[bags.owners == number], matrix)
    taken = bags.take(np.array([2, 0, 2]))
    np.testing.assert_array_equal(
        taken.instances, np.concatenate([matrices[2], matrices[0], matrices[2]])
    )
    assert taken.sizes.tolist() == [4, 2, 4]
    assert len(bags.take(np.array([True, False, True]))) == 2
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bags)).starts, bags.starts)


def test_single_precision_stays():
    array = np.ones((2, 3, 4), dtype=np.float32)
    assert Bags.from_array(array).instances.dtype == np.float32
    assert Bags.from_array(array.astype(np.uint8)).instances.dtype == np.float64


@pytest.mark.parametrize(
    ("instances", "sizes", "message"),
    [
        (np.ones((2, 3)), [2, 0], "bag 1 is empty"),
        (np.ones((2, 3)), [1, 2], "sum to 3, not 2"),
        (np.ones((2, 3)), [2.0], "integer sizes"),
        (np.ones(3), [3], r"shapes \(3,\)"),
        (np.ones((0, 3)), np.zeros(0, int), "0 bags"),
        ([[1.0, np.nan], [0, 0]], [1, 1], "bag 0 has NaN in column 1"),
        ([[1.0, 0], [-np.inf, 0]], [1, 1], "bag 1 has inf in column 0"),
        ([["a"]], [1], "must be numbers"),
    ],
)
def test_what_is_no_bag_is_named(instances, sizes, message):
    with pytest.raises(InputError, match=message):
        Bags(instances, np.asarray(sizes))


def test_sums_may_overflow():
    assert len(Bags(np.full((2, 3), 1e308), [1, 1])) == 2


def test_lists_must_agree_in_width():
    with pytest.raises(InputError, match=r"bag 1 has shape \(1, 2\) and bag 0 has shape \(1, 3\)"):
        Bags.from_list([np.ones((1, 3)), np.ones((1, 2))])


def test_the_form_of_msrc(tmp_path):
    matrices = [np.arange(6.0).reshape(2, 3), np.ones((1, 3)), np.zeros((3, 3))]
    arrays = {
        "data": cells([matrix.T for matrix in matrices]),
        "targets": np.array([[1, -1], [-1, 1], [1, 1]]),
        "idx_train": np.array([[1, 3], [2, 3]], dtype=np.uint16),
        "idx_test": np.array([[2], [1]], dtype=np.uint16),
    }
    savemat(tmp_path / "m.mat", arrays)
    found = read_bags(tmp_path / "m.mat")
    for bag, matrix in zip(found.bags, matrices, strict=True):
        np.testing.assert_array_equal(bag, matrix)
    assert found.Y.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert found.label_names == ("label1", "label2")
    assert [(s.train.tolist(), s.test.tolist()) for s in found.splits] == [
        ([0, 2], [1]),
        ([1, 2], [0]),
    ]
    savemat(tmp_path / "m.mat", arrays | {"idx_test": np.array([[3], [1]])})
    with pytest.raises(InputError, match="split 1 does not hold each of the 3 bags once"):
        read_bags(tmp_path / "m.mat")
    savemat(tmp_path / "m.mat", arrays | {"targets": np.array([[1, 0], [0, 1], [1, 1]])})
    with pytest.raises(InputError, match="other values than 1 and -1"):
        read_bags(tmp_path / "m.mat")


def test_the_forms_of_scene_and_text(tmp_path):
    bags, targets = cells([np.ones((2, 3)), np.zeros((1, 3))]), np.array([[1, -1], [1, 1]])
    names = np.array([["sea"], ["sunset"]], dtype=object)
    savemat(tmp_path / "s.mat", {"bags": bags, "targets": targets, "class_name": names})
    scene = read_bags(tmp_path / "s.mat")
    assert (scene.Y.tolist(), scene.label_names) == ([[1, 1], [0, 1]], ("sea", "sunset"))
    assert scene.bags.sizes.tolist() == [2, 1] and scene.splits == ()
    savemat(tmp_path / "t.mat", {"bags": bags, "target": targets})
    assert read_bags(tmp_path / "t.mat").label_names == ("label1", "label2")
    savemat(tmp_path / "t.mat", {"bags": cells([np.ones((2, 3))]), "target": targets})
    with pytest.raises(InputError, match="1 bags and labels of 2"):
        read_bags(tmp_path / "t.mat")
    savemat(tmp_path / "t.mat", {"pages": bags})
    with pytest.raises(InputError, match="no variable 'data'.*bags are read from the variables"):
        read_bags(tmp_path / "t.mat")


ARFF = """% a comment
@relation toy
 @attribute id {bag1,bag2}
 @attribute bag relational
   @attribute f1 numeric
   @attribute f2 numeric
 @end bag
 @attribute sea {0,1}
 @attribute sky {0,1}

 @data
 bag1,"42,-198\\n41.9,1.0E-3",1,0
 bag2, '11.25, -98', 0, 1
"""


def test_the_form_of_the_toolboxes(tmp_path):
    path = tmp_path / "toy.arff"
    path.write_text(ARFF)
    found = read_bags(path)
    assert [bag.tolist() for bag in found.bags] == [[[42, -198], [41.9, 0.001]], [[11.25, -98]]]
    assert (found.Y.tolist(), found.label_names) == ([[1, 0], [0, 1]], ("sea", "sky"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@data", "", "no line @data"),
        ("bag relational", "bag numeric", "it has 0 columns of instances"),
        ("42,-198", "42", "line 12: it must have 2 columns per instance and 2 labels"),
        ("',", "' 1,", "line 13: "),
        ("0, 1", "0, 2", "line 13: labels must be 0 or 1"),
        ("41.9", "high", "line 12: could not convert"),
    ],
)
def test_what_does_not_fit_the_header_is_named(tmp_path, old, new, message):
    path = tmp_path / "toy.arff"
    assert old in ARFF
    path.write_text(ARFF.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_bags(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="one of .arff, .mat"):
        read_bags(tmp_path / "bags.csv")
    with pytest.raises(InputError, match="is no file"):
        read_bags(tmp_path / "bags.mat")


def test_quadrants_of_several_layers_stand_side_by_side(tmp_path):
    data = write_data(tmp_path / "data", ["a", "b"], ["x"], np.array([[1], [0]]))
    one, two = np.arange(16.0).reshape(2, 8), 100 + np.arange(8.0).reshape(2, 4)
    cache = FeatureCache(write_cache(tmp_path / "cache", data, {"p1": one, "p2": two}))
    with pytest.raises(InputError, match="one vector per image only"):
        bags_of(cache, None, cache.valid_rows)
    folder = write_cache(tmp_path / "q", data, {"p1": one, "p2": two}, pooling="quadrant_max")
    cache = FeatureCache(folder)
    assert instance_layers(cache) == ["p1", "p2"]
    bags = bags_of(cache, None, cache.valid_rows)
    # Columns are channel-major, then top left, top right, bottom left, bottom right.
    assert bags[1].tolist() == [[8, 12, 104], [9, 13, 105], [10, 14, 106], [11, 15, 107]]
    assert bags_of(cache, ["p2"], np.array([1, 0])).instances[0].tolist() == [104]


def test_bags_of_msrc_are_the_images(msrc):
    path = msrc.parent / "miml" / "MSRC_MIML.mat"
    if not path.exists():
        pytest.skip(f"no {path}: set TAGGING_SHARED to the folder that holds it")
    found, data = read_bags(path), load_dataset(msrc)
    rows = msrc_rows(data.ids)
    assert len(found.bags) == 591 and found.bags.instances.shape == (1758, 48)
    assert len(found.splits) == 30 and found.label_names == tuple(data.label_names)
    assert (data.labels[rows] != found.Y).sum() == 83
    assert (data.labels[rows] == found.Y).all(axis=1).sum() == 513
    with pytest.raises(InputError, match="'sea.jpg' is not of MSRC v2"):
        msrc_rows(["sea.jpg"])
