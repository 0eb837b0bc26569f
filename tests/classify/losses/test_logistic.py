import numpy as np
import pytest

from classify.losses.logistic import logistic_curvature, logistic_derivative, logistic_value

MARGINS = np.array([-30.0, -3.0, -0.4, 0.0, 0.35, 2.0, 20.0])


def _central_difference(function, at, step=1e-3):
    # Fourth order, so that rounding and truncation both stay near 1e-12.
    near = function(at + step) - function(at - step)
    far = function(at + 2 * step) - function(at - 2 * step)
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [(logistic_value, logistic_derivative), (logistic_derivative, logistic_curvature)],
)
def test_derivatives_equal_finite_differences(function, derivative):
    expected = _central_difference(function, MARGINS)
    np.testing.assert_allclose(derivative(MARGINS), expected, rtol=1e-8, atol=1e-11)


def test_worked_losses():
    # X = [[1,0],[0,2],[1,1]], y = [1,-1,1], w = [.5,-.25], b = .1
    X, y = np.array([[1, 0], [0, 2], [1, 1.0]]), np.array([1, -1, 1])
    margins = y * (X @ [0.5, -0.25] + 0.1)
    np.testing.assert_allclose(margins, [0.6, 0.4, 0.35])
    losses = logistic_value(margins)
    np.testing.assert_allclose(losses, [0.437488, 0.513015, 0.533382], atol=1e-6)


def test_no_overflow_at_extreme_margins():
    margins = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(logistic_value(margins), [1e4, 0])
    np.testing.assert_array_equal(logistic_derivative(margins), [-1, 0])
    np.testing.assert_array_equal(logistic_curvature(margins), [0, 0])
