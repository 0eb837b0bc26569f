import numpy as np
import pytest
from sklearn.svm import LinearSVC

from classify.miml.scaling import with_constant
from classify.miml.squared_hinge import SquaredHinge


def problem(n, width, seed=0):
    rng = np.random.default_rng(seed)
    Z = np.exp(-3 * rng.random((n, width)))
    truth = (Z[:, :3].sum(axis=1) + 0.1 * rng.normal(size=n) > 1).astype(int)
    truth[:2] = [0, 1]
    return Z, truth, np.exp(rng.normal(size=width))


def liblinear(Z, truth, C, weights):
    machine = LinearSVC(C=C, dual=False, tol=1e-9, max_iter=100_000)
    machine.fit(Z / np.sqrt(weights), truth)
    return np.append(machine.coef_[0] / np.sqrt(weights), machine.intercept_)


@pytest.mark.parametrize(
    ("n", "width", "C"), [(50, 10, 1.0), (60, 90, 10.0), (300, 100, 500.0), (40, 3, 0.01)]
)
def test_liblinear_run_to_the_end_finds_the_same(n, width, C):
    Z, truth, weights = problem(n, width)
    solver = SquaredHinge(with_constant(Z), truth, C)
    for factor in (1.0, 0.5, 3.0):  # the second and third start from the solution before
        found = solver.solve(np.append(factor * weights, 1.0))
        expected = liblinear(Z, truth, C, factor * weights)
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_the_solution_is_where_no_direction_leads_down():
    Z, truth, weights = problem(200, 20, seed=3)
    whole, penalty, signs = with_constant(Z), np.append(weights, 1.0), 2 * truth - 1
    w = SquaredHinge(whole, truth, 2.0).solve(penalty)
    slack = np.maximum(0, 1 - signs * (whole @ w))
    np.testing.assert_allclose(penalty * w, 4.0 * (slack * signs) @ whole, rtol=1e-8, atol=1e-9)


def test_a_second_call_gives_what_a_new_solver_gives():
    Z, truth, weights = problem(80, 15, seed=5)
    used = SquaredHinge(with_constant(Z), truth, 30.0)
    used.solve(np.append(100 * weights, 1.0))
    fresh = SquaredHinge(with_constant(Z), truth, 30.0).solve(np.append(weights, 1.0))
    np.testing.assert_allclose(used.solve(np.append(weights, 1.0)), fresh, rtol=1e-8, atol=1e-10)
