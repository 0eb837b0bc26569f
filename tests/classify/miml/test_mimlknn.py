import numpy as np
import pytest

from classify.miml.distances import bag_distances
from classify.miml.mimlknn import MIMLkNN


@pytest.mark.parametrize(
    ("neighbors", "count", "weights", "scores"),
    [
        (
            1,
            "multiset",
            [[0, -1 / 3, 1 / 3], [0, 2 / 3, -2 / 3], [0.5, -1 / 6, -5 / 6]],
            [0, 1 / 3, -1 / 3],
        ),
        (1, "union", None, [0, 0, 0]),
        (2, "multiset", [[2, -4, 2], [-2.5, 5.5, -2.5], [-1, 2, -2]], [1.5, -1.5, 0.5]),
        (2, "union", None, [0.833333, -0.166667, -0.5]),
    ],
)
def test_the_worked_example(toy, neighbors, count, weights, scores):
    bags, Y, test = toy
    model = MIMLkNN(references=neighbors, citers=neighbors, count=count).fit(bags, Y)
    np.testing.assert_allclose(model.decision_function(test), [scores], atol=1e-5)
    if weights is not None:
        np.testing.assert_allclose(model.weights_, weights, atol=1e-5)


def slow_counts(D, within, r, c, own):
    """Counts of one row of distances to the training bags; `own` is its place among them."""
    n = len(D)
    others = [j for j in range(n) if j != own]
    votes = np.zeros(n)
    for j in sorted(others, key=lambda j: D[j])[:r]:
        votes[j] += 1
    for j in others:
        rest = [within[j, k] for k in range(n) if k not in (j, own)] + [D[j]]
        if D[j] <= sorted(rest)[min(c, len(rest)) - 1]:
            votes[j] += 1
    return votes


def test_a_loop_over_neighbors_agrees(problem):
    bags, Y = problem
    train, test = bags.take(np.arange(30)), bags.take(np.arange(30, 40))
    within, between = bag_distances(train, kind="average"), bag_distances(test, train, "average")
    A = [slow_counts(within[i], within, 3, 5, i) @ Y[:30] for i in range(30)]
    W = np.linalg.pinv(np.array(A)) @ (2.0 * Y[:30] - 1)
    delta = np.array([slow_counts(row, within, 3, 5, None) @ Y[:30] for row in between])
    model = MIMLkNN(references=3, citers=5).fit(train, Y[:30])
    np.testing.assert_allclose(model.decision_function(test), delta @ W, atol=1e-8)
    np.testing.assert_array_equal(model.predict(test), delta @ W >= 0)


def test_precomputed_distances_give_the_same(problem):
    bags, Y = problem
    train, test = bags.take(np.arange(30)), bags.take(np.arange(30, 40))
    model = MIMLkNN(distance="precomputed").fit(bag_distances(train, kind="average"), Y[:30])
    ours = model.decision_function(bag_distances(test, train, "average"))
    expected = MIMLkNN().fit(train, Y[:30]).decision_function(test)
    np.testing.assert_allclose(ours, expected, atol=1e-8)
