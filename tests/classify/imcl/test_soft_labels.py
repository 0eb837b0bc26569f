import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.imcl.soft_labels import complete_labels, label_values, value_slope

# snapml, a peer of the speed tests, turns subnormal numbers off in every process that loads it.
NORMAL = {"allow_subnormal": False}


def test_worked_numbers():
    x = np.array([-5, -1, -0.5, 0, 0.5, 1, 5])
    expected = [-0.499966, -0.404932, -0.266956, 0, 0.364175, 0.680479, 0.999864]
    np.testing.assert_allclose(label_values(x), expected, atol=1e-6)
    assert label_values(-1.0, asymmetry=1.0) == pytest.approx(np.tanh(-1))
    assert label_values(-1.0, asymmetry=1.0, half=True) == pytest.approx(2 / (1 + np.e) - 1)
    assert label_values(1.0, half=True) == pytest.approx(0.364175, abs=1e-6)
    assert value_slope(np.zeros(1))[0] == pytest.approx(2 / 3)


@given(st.floats(-15, 15, **NORMAL), st.floats(0.2, 5), st.booleans())
def test_the_slope_is_the_derivative(x, c, half):
    options = {"asymmetry": c, "half": half}
    around = label_values(np.array([x - 1e-5, x + 1e-5]), **options)
    slope = value_slope(label_values(np.array([x]), **options), **options)[0]
    assert slope == pytest.approx((around[1] - around[0]) / 2e-5, abs=1e-8)


@given(st.floats(-1e6, 1e6, **NORMAL), st.floats(0.2, 5))
def test_values_stay_in_their_range_in_float32(x, c):
    value = label_values(np.array([x], dtype=np.float32), asymmetry=c)
    assert value.dtype == np.float32
    assert -1 / c * (1 + 1e-6) <= value[0] <= 1
    assert np.sign(value[0]) == np.sign(np.float32(x)) or abs(x) < 1e-30


def test_known_labels_stand_over_predicted_ones():
    targets = np.array([[1, 0, -1], [0, -1, 1]], dtype=np.int8)
    values = label_values(np.array([[2, 0.3, -1], [-0.4, 0.2, 0.1]]))
    completed = complete_labels(targets, values)
    np.testing.assert_allclose(completed[0], [1, -0.5, -0.404932], atol=1e-6)
    np.testing.assert_allclose(completed[1], [-0.5, 0.140850, 1], atol=1e-6)
