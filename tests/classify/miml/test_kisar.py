import numpy as np
import pytest

from classify.miml import kisar
from classify.miml.kisar import KISAR, column_weights, degrees, related_pairs, shares_of
from classify.miml.prototypes import Prototypes, find_prototypes, similarities

Z = np.array([[1, 0.001273], [0.606531, 1], [0.000123, 0.716531], [0.367879, 0.013124]])
W = np.array([[1, -0.5], [0.2, 0.8], [-0.3, 0.1]])
PAIRS = np.array([[0, 0], [0, 1], [1, 1], [2, 2]])


def test_similarities_of_the_worked_example(toy):
    bags, _, test = toy
    prototypes = Prototypes(np.array([[0.0, 0], [3, 4]]), np.array([2.0, 3]))
    np.testing.assert_allclose(similarities(bags, prototypes), Z, atol=1e-5)
    np.testing.assert_allclose(similarities(test, prototypes), [[0.882497, 0.513417]], atol=1e-5)


SECOND = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]])


@pytest.mark.parametrize(
    ("relation", "first", "second"),
    [
        ("none", [], []),
        ("mean", [], [(0, 1), (0, 2)]),
        ("off_diagonal_mean", [(0, 1), (0, 2)], [(0, 1), (0, 2)]),
        ("conditional", [(0, 1), (0, 2)], [(0, 1), (0, 2), (0, 3), (1, 2)]),
    ],
)
def test_relations_of_the_worked_examples(toy, relation, first, second):
    for Y, expected in ((toy[1], first), (SECOND, second)):
        found = [(int(a), int(b)) for a, b in related_pairs(Y, relation)]
        assert [pair for pair in found if pair[0] != pair[1]] == expected
        assert sum(a == b for a, b in found) == Y.shape[1]


def test_shares_of_the_worked_example(toy):
    shares = shares_of(W, PAIRS)
    expected = [[0.666667, 0.333333], [0.519459, 0.480541], [0.2, 0.8], [0.75, 0.25]]
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    weights = column_weights(shares, PAIRS, 3)
    expected = [[0.856269, 1.270247], [1.731269, 0.832747], [0.666667, 2]]
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    assert (weights * W**2).sum() / 2 == pytest.approx(0.928020, abs=1e-5)
    equal = column_weights(np.full((4, 2), 0.5), PAIRS, 3)
    np.testing.assert_allclose(equal, 1)
    assert degrees(PAIRS, 3).tolist() == [2, 2, 1]
    value = kisar.objective(Z, toy[1], W, np.zeros(3), PAIRS, 1.0)
    assert value == pytest.approx(0.928020 + 8.135489, abs=1e-4)


def test_the_objective_falls_and_what_is_kept_is_the_lowest(problem):
    bags, Y = problem
    model = KISAR(tol=0.0).fit(bags, Y)
    assert len(model.objective_curve_) > 3
    assert (np.diff(model.objective_curve_)[:-1] < 0).all()
    Z, pairs = similarities(bags, model.prototypes_), related_pairs(Y, model.relation)
    kept = kisar.objective(Z, Y, model.coef_, model.intercept_, pairs, 1.0)
    assert kept == pytest.approx(min(model.objective_curve_), rel=1e-9)


def slow_objective(parameters, Z, Y, pairs, deg, C):
    K, labels = Z.shape[1], Y.shape[1]
    w, b = parameters[: labels * K].reshape(labels, K), parameters[labels * K :]
    value = (b**2).sum() / 2
    for p, q in pairs:
        norm = 0.0
        for k in range(K):
            square = w[p, k] ** 2 / deg[p] + (w[q, k] ** 2 / deg[q] if q != p else 0)
            norm += np.sqrt(square + 1e-12)
        value += norm**2 / (2 * K)
    for i in range(len(Z)):
        for c in range(labels):
            value += C * max(0, 1 - (2 * int(Y[i, c]) - 1) * (w[c] @ Z[i] + b[c])) ** 2
    return value


def test_a_general_minimizer_finds_the_same_value(problem):
    from scipy.optimize import minimize

    bags, Y = (problem[0].take(np.arange(15)), problem[1][:15, :3])
    model = KISAR(ratio=0.3, max_iter=200, tol=1e-9).fit(bags, Y)
    Z, pairs = similarities(bags, model.prototypes_), related_pairs(Y, model.relation)
    arguments = (Z, Y, pairs, degrees(pairs, 3), 1.0)
    start = np.zeros(3 * Z.shape[1] + 3) + 0.01
    found = minimize(slow_objective, start, arguments, method="L-BFGS-B", options={"maxfun": 10**5})
    assert min(model.objective_curve_) == pytest.approx(found.fun, rel=2e-3)


@pytest.mark.parametrize(("width", "power"), [("mean", 1), ("mean_square", 2)])
def test_prototypes_are_instances_and_widths_mean_distances(width, power):
    X = np.array([[0.0], [1.0], [3.0], [100.0]])
    points, widths = find_prototypes(X, 2, width, 0)
    order = points[:, 0].argsort()
    assert points[order, 0].tolist() == [1.0, 100.0]
    assert widths[order[0]] == pytest.approx((1 + 2**power + 3**power) / 3)
    centers = np.abs(X[:3, 0] - 4 / 3) ** power
    assert widths[order[1]] == pytest.approx(centers.sum() / 4)
