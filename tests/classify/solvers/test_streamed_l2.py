"""L2 over rows on disk, in passes: certified, and what the solver in memory finds."""

import numpy as np
import pytest

from classify.logistic import _problem, objective_and_gap
from classify.solvers import l2, row_passes, row_sample, streamed_l2

BIASES = ["penalized", "unpenalized", "none"]
CS = [0.01, 1.0]


class Rows:
    """A matrix that gives no more than a block or a sample at a time."""

    def __init__(self, X):
        self.X, self.shape, self.largest, self.passes = X, X.shape, 0, 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, where):
        block = self.X[where]
        self.largest = max(self.largest, len(block))
        self.passes += len(block) / len(self.X)
        return block

    def take(self, where, axis=0):
        return self.X.take(where, axis=axis)


@pytest.fixture(params=["known", "partly unknown and weighed"])
def problem(request):
    rng = np.random.default_rng(0)
    n, d = 3000, 12
    X = np.maximum(rng.normal(size=(n, d)) + 0.3, 0).astype(np.float32)
    Y = (X @ rng.normal(size=(d, 4)) + rng.normal(size=(n, 4)) > rng.normal(size=4)).astype(np.int8)
    Y[:, 3] = 0
    Y[[5, 2000], 3] = 1  # hardly ever in a random sample
    weights = np.ones(n)
    if request.param != "known":
        Y[rng.random(Y.shape) < 0.2] = -1
        Y[[5, 2000], 3] = 1
        weights = rng.uniform(0, 2, n)
    return X, Y, weights


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(row_sample, "_VALUES", 12 * 300)
    monkeypatch.setattr(row_sample, "_RARE", 5)
    monkeypatch.setattr(row_passes, "_BLOCK", 12 * 128)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("tol", [1e-3, 1e-6])
def test_every_gap_is_certified_and_the_optimum_is_that_of_memory(problem, bias, tol):
    X, Y, weights = problem
    rows = Rows(X)
    loss = _problem(Y, weights).loss
    path = streamed_l2.solve_path(rows, loss, CS, bias=bias, tol=tol)
    assert rows.largest <= 128
    exact = l2.solve_path(X.astype(np.float64), loss, CS, bias=bias, tol=1e-12)
    for C, one, best in zip(CS, path, exact, strict=True):
        assert (one.gap <= tol * one.objective).all()
        found, _ = objective_and_gap(
            X, Y, one.coef, one.intercept, penalty="l2", C=C, bias=bias, sample_weight=weights
        )
        np.testing.assert_allclose(one.objective, found, rtol=1e-9)
        # A gap of its own, whose dual point is a cheaper one: never too small.
        assert (one.objective - best.objective <= one.gap + 1e-10 * found).all()
        assert (one.objective <= best.objective * (1 + tol)).all()


@pytest.mark.parametrize("bias", BIASES)
def test_a_few_passes_are_enough(problem, bias):
    X, Y, weights = problem
    rows = Rows(X)
    loss = _problem(Y, weights).loss
    streamed_l2.solve_path(rows, loss, CS, bias=bias, tol=1e-3)
    assert rows.passes <= 12


def test_a_pass_measures_what_the_definition_gives(problem):
    X, Y, weights = problem
    rng = np.random.default_rng(1)
    coef, intercept = rng.normal(size=(4, 12)), rng.normal(size=4)
    loss, C = _problem(Y, weights).loss, 0.3
    for bias in ("penalized", "none"):
        b = intercept * (bias != "none")
        seen = row_passes.measure(
            X, loss, np.arange(4), np.full(4, C), coef, b, bias=bias, kind=np.float64
        )
        value, gap = objective_and_gap(
            X, Y, coef, b, penalty="l2", C=C, bias=bias, sample_weight=weights
        )
        np.testing.assert_allclose(seen.objective, value, rtol=1e-10)
        np.testing.assert_allclose(seen.gap, gap, rtol=1e-8)


def test_a_matrix_that_fits_into_the_sample_is_solved_in_memory(problem):
    X, Y, weights = problem
    rows, loss = Rows(X[:200]), _problem(Y[:200, :3], weights[:200]).loss
    [streamed] = streamed_l2.solve_path(rows, loss, [1.0], bias="penalized", tol=1e-6)
    [memory] = l2.solve_path(X[:200], loss, [1.0], bias="penalized", tol=1e-6)
    np.testing.assert_array_equal(streamed.coef, memory.coef)
