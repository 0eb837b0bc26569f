import numpy as np
import pytest

from classify.miml import distances
from classify.miml.distances import bag_distances
from features.bags.packed import Bags
from features.errors import InputError

TOY = {
    "max": [[4.472136, 5.385165, 3], [3.605551, 4.123106], [4.472136]],
    "average": [[1.971587, 4.367782, 1.603553], [1.521110, 2.432164], [3.458254]],
}
TOY_TEST = {
    "max": [4.242641, 1.414214, 3.905125, 3],
    "average": [1.590169, 0.957107, 1.828239, 2.059017],
}


def slow(a, b, kind):
    d = [[float(np.linalg.norm(x - y)) for y in b] for x in a]
    from_a, from_b = [min(row) for row in d], [min(column) for column in zip(*d, strict=True)]
    if kind == "max":
        return max(*from_a, *from_b)
    return (sum(from_a) + sum(from_b)) / (len(a) + len(b))


@pytest.mark.parametrize("kind", ["max", "average"])
def test_the_worked_example(toy, kind):
    bags, _, test = toy
    upper = bag_distances(bags, kind=kind)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(upper, np.concatenate(TOY[kind]), atol=1e-5)
    np.testing.assert_allclose(bag_distances(test, bags, kind)[0], TOY_TEST[kind], atol=1e-5)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("block", [1, 7, 1024])
def test_blocks_agree_with_a_loop_over_pairs(problem, kind, block, monkeypatch):
    monkeypatch.setattr(distances, "_BLOCK", block)
    bags, _ = problem
    expected = [[slow(a, b, kind) for b in bags] for a in bags]
    np.testing.assert_allclose(bag_distances(bags, kind=kind), expected, atol=1e-6)
    np.testing.assert_allclose(bag_distances(bags, bags, kind), expected, atol=1e-6)
    assert not np.diag(bag_distances(bags, kind=kind)).any()


@pytest.mark.parametrize("kind", ["max", "average"])
def test_single_precision_stays_and_is_close(problem, kind):
    bags, _ = problem
    single = bags.replace(bags.instances.astype(np.float32) + np.float32(100))
    found = bag_distances(single, kind=kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, bag_distances(bags, kind=kind), atol=1e-3)


def test_a_repeated_instance_changes_the_average_only(problem):
    bags, _ = problem
    doubled = Bags.from_list([[*bag, bag[0]] for bag in bags])
    same, other = (
        np.abs(bag_distances(doubled, kind=kind) - bag_distances(bags, kind=kind)).max()
        for kind in ("max", "average")
    )
    assert same < 1e-9
    assert other > 0.01


def test_widths_must_agree():
    with pytest.raises(InputError, match="2 and 3 columns"):
        bag_distances(Bags.from_array(np.ones((1, 1, 2))), Bags.from_array(np.ones((1, 1, 3))))
