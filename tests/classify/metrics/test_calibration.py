"""Calibration measures against scikit-learn's and against sums written out."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from classify.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    reliability_curve,
)
from features.errors import InputError


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    P = rng.random((200, 4))
    Y = (rng.random(P.shape) < P**2).astype(np.int8)
    Y[rng.random(Y.shape) < 0.2] = -1
    return Y, P


def test_reliability_and_brier_are_scikit_learns(drawn):
    Y, P = drawn
    known = Y != -1
    curve = reliability_curve(Y, P, 7)
    observed, predicted = calibration_curve(Y[known], P[known], n_bins=7)
    np.testing.assert_allclose(curve.observed, observed)
    np.testing.assert_allclose(curve.predicted, predicted)
    assert curve.cells.sum() == known.sum()
    assert brier_score(Y, P) == pytest.approx(brier_score_loss(Y[known], P[known]))


def test_calibration_error_is_the_mean_over_cells(drawn):
    Y, P = drawn
    total = 0.0
    for low in np.arange(0, 1, 0.1):
        inside = (Y != -1) & (low <= P) & (low + 0.1 > P)
        total += abs(P[inside].sum() - (Y[inside] == 1).sum())
    assert expected_calibration_error(Y, P) == pytest.approx(total / (Y != -1).sum())


def test_perfect_probabilities_have_no_error():
    Y = np.array([[0, 1, -1]])
    assert expected_calibration_error(Y, Y.clip(0)) == brier_score(Y, Y.clip(0)) == 0


def test_bad_input_is_one_line():
    Y = np.array([[0, 1]])
    for labels, P, match in (
        (Y, np.zeros((1, 3)), "give one probability per label"),
        (Y, np.array([[0.5, 1.2]]), "not between 0 and 1"),
        (Y, np.array([[0.5, np.nan]]), "P holds NaN"),
        (np.array([[-1, -1]]), np.zeros((1, 2)), "no known cell"),
    ):
        with pytest.raises(InputError, match=match):
            brier_score(labels, P)
