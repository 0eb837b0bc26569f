"""Each scaling against scikit-learn or its formula; layers, overflow and the shared checks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import MaxAbsScaler, StandardScaler, normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.feature_scaler import FeatureScaler
from classify.scaling import SCALINGS, describe_scalings, find_scaling
from features.errors import InputError

WIDTHS = [3, 2]
X = np.array([[1.0, 0, 4, 9, 0], [0, 0, 16, 1, 0], [4, 0, 1, 0, 0], [0, 0, 0, 25, 0]])


@parametrize_with_checks([FeatureScaler(name) for name in SCALINGS])
def test_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


def per_layer(function, X):
    return np.hstack([function(X[:, :3]), function(X[:, 3:])])


REFERENCES = {
    "none": lambda X: X,
    "max": lambda X: MaxAbsScaler().fit_transform(X),
    "std": lambda X: StandardScaler(with_mean=False).fit_transform(X),
    "sqrt-max": lambda X: MaxAbsScaler().fit_transform(np.sqrt(X)),
    "layer-l2": lambda X: per_layer(normalize, X),
    "sqrt-layer-l2": lambda X: per_layer(normalize, np.sqrt(X)),
    "layer-mean": lambda X: per_layer(lambda Z: Z / np.linalg.norm(Z, axis=1).mean(), X),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SCALINGS)
def test_scaling_is_what_its_record_says(name, dtype):
    scaled = FeatureScaler(name, WIDTHS).fit_transform(X.astype(dtype))
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled, REFERENCES[name](X), rtol=1e-6)


@pytest.mark.parametrize("name", SCALINGS)
def test_new_rows_take_what_was_learned_and_X_stays(name):
    scaler, before = FeatureScaler(name, WIDTHS).fit(X[:3]), X.copy()
    np.testing.assert_array_equal(scaler.transform(X)[:3], scaler.transform(X[:3]))
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", SCALINGS)
def test_a_restored_scaler_does_the_same(name):
    scaler = FeatureScaler(name, WIDTHS).fit(X)
    again = FeatureScaler(name, WIDTHS).set_arrays(scaler.to_arrays(), n_features=5)
    np.testing.assert_array_equal(again.transform(X), scaler.transform(X))


def test_a_restored_scaler_refuses_foreign_arrays():
    for name, divisors in (("max", np.ones(4)), ("max", None), ("layer-l2", np.ones(5))):
        given_arrays = {} if divisors is None else {"divisors_": divisors}
        with pytest.raises(ValueError, match="its divisors don't"):
            FeatureScaler(name).set_arrays(given_arrays, n_features=5)


@given(
    arrays(
        np.float32,
        (3, 5),
        elements=st.floats(-(2.0**100), 2.0**100, width=32),
    ),
    st.sampled_from(sorted(SCALINGS)),
)
def test_finite_features_stay_finite(X, name):
    scaled = FeatureScaler(name, WIDTHS).fit_transform(X)
    assert np.isfinite(scaled).all()
    np.testing.assert_array_equal(np.sign(scaled)[scaled != 0], np.sign(X)[scaled != 0])


def test_bad_settings_are_one_line():
    with pytest.raises(InputError, match="'scaling' option must be one of none, max, .* Got 'log'"):
        FeatureScaler("log").fit(X)
    with pytest.raises(
        InputError, match=r"must sum to the 5 columns of X. Got \[3, 3\], which sum"
    ):
        FeatureScaler("max", [3, 3]).fit(X)
    with pytest.raises(InputError, match="X contains NaN"):
        FeatureScaler("max").fit(X * np.nan)


def test_earlier_names_are_found_and_all_are_described():
    assert find_scaling("max01") is SCALINGS["max"]
    assert all(f"  {name} " in describe_scalings() for name in SCALINGS)
