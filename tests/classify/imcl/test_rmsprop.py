import numpy as np
import pytest

from classify.imcl.rmsprop import RMSProp


def test_the_first_step_by_its_worked_number():
    theta = np.zeros(1)
    RMSProp(theta).step(np.array([2.0]), rate=0.001)
    assert theta[0] == pytest.approx(-0.00131876, rel=1e-5)


def test_steps_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, 2)).astype(np.float32)
    expected, m, v = theta.astype(float), np.ones((3, 2)), np.zeros((3, 2))
    optimizer = RMSProp(theta)
    for _ in range(20):
        g = rng.normal(size=(3, 2)).astype(np.float32)
        optimizer.step(g, rate=0.1)
        m = 0.9 * m + 0.1 * g**2
        v = 0.9 * v + 0.1 * g / np.sqrt(m + 1)
        expected -= v
    assert theta.dtype == np.float32
    np.testing.assert_allclose(theta, expected, rtol=1e-4)
