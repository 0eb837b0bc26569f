"""Platt against scikit-learn's sigmoid, isotonic against scikit-learn's, rare labels, files."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.base import clone
from sklearn.isotonic import IsotonicRegression

from classify.decisions.calibration import Calibrator
from classify.metrics.calibration import expected_calibration_error
from features.errors import InputError


@pytest.fixture(scope="module")
def drawn():
    """Scores of three labels with sigmoids of their own as probabilities; the third is rare."""
    rng = np.random.default_rng(0)
    scores = 3 * rng.normal(size=(600, 3))
    P = expit(scores * [0.3, 2.0, 1.0] + [0.5, -1.0, -8.0])
    Y = (rng.random(P.shape) < P).astype(np.int8)
    Y[rng.random(Y.shape) < 0.1] = -1
    return scores, Y, P


def likelihood(place, s, y):
    p, q = (y == 1).sum(), (y == 0).sum()
    t = np.where(y == 1, (p + 1) / (p + 2), 1 / (q + 2))
    z = place[0] * s + place[1]
    return -np.sum(t * log_expit(z) + (1 - t) * log_expit(-z))


def test_platt_is_the_minimum_of_his_likelihood(drawn):
    scores, Y, _ = drawn
    calibrator = Calibrator().fit(scores, Y)
    assert calibrator.shared_.tolist() == [False, False, True]
    for label in (0, 1):
        rows = Y[:, label] != -1
        s, y = scores[rows, label], Y[rows, label]
        found = np.array([calibrator.slopes_[label], calibrator.intercepts_[label]])
        best = minimize(likelihood, [1.0, 0.0], args=(s, y), method="BFGS")
        np.testing.assert_allclose(found, best.x, rtol=1e-4, atol=1e-4)
        assert likelihood(found, s, y) <= best.fun + 1e-9


def test_platt_agrees_with_scikit_learn(drawn):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    scores, Y, _ = drawn
    rows = Y[:, 1] != -1
    s, y = scores[rows, 1:2], Y[rows, 1]
    identity = LogisticRegression().fit(s, y)
    identity.coef_, identity.intercept_ = np.ones((1, 1)), np.zeros(1)
    theirs = CalibratedClassifierCV(FrozenEstimator(identity), method="sigmoid").fit(s, y)
    ours = Calibrator().fit(s, y[:, None]).predict_proba(s)[:, 0]
    np.testing.assert_allclose(ours, theirs.predict_proba(s)[:, 1], atol=1e-4)


def test_isotonic_is_scikit_learns(drawn):
    scores, Y, _ = drawn
    P = Calibrator("isotonic").fit(scores, Y).predict_proba(scores)
    for label in (0, 1):
        rows = Y[:, label] != -1
        steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        steps.fit(scores[rows, label], Y[rows, label])
        np.testing.assert_allclose(P[:, label], steps.predict(scores[:, label]))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_rare_label_takes_the_shared_slope_and_its_own_frequency(drawn, method):
    scores, Y, _ = drawn
    calibrator = Calibrator(method).fit(scores, Y)
    assert calibrator.slopes_[2] > 0
    known = Y[:, 2] != -1
    p, q = (Y[:, 2] == 1).sum(), (Y[:, 2] == 0).sum()
    mean_target = (p * (p + 1) / (p + 2) + q / (q + 2)) / (p + q)
    P = calibrator.predict_proba(scores)[known, 2]
    np.testing.assert_allclose(P.mean(), mean_target, rtol=1e-9)
    assert (np.diff(P[np.argsort(scores[known, 2])]) >= 0).all()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_lowers_the_calibration_error(drawn, method):
    scores, Y, _ = drawn
    P = Calibrator(method).fit(scores[:300], Y[:300]).predict_proba(scores[300:])
    before = expected_calibration_error(Y[300:], expit(scores[300:]))
    assert expected_calibration_error(Y[300:], P) < before / 2


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [1, 1, 1, 1], [-1, -1, -1, 1]])
def test_a_label_without_both_signs_gives_finite_probabilities(values):
    Y = np.array([values, [0, 1, 0, 1]], dtype=np.int8).T
    scores = np.array([[0.0, -1], [0, 1], [0, -2], [0, 2]])
    P = Calibrator().fit(scores, Y).predict_proba(scores)
    assert ((P > 0) & (P < 1)).all()


def test_a_separable_label_stays_between_zero_and_one():
    s = np.linspace(-3, 3, 40)[:, None]
    P = Calibrator().fit(s, (s > 0).astype(np.int8)).predict_proba(s)
    assert 0 < P.min() < 0.05 and 0.95 < P.max() < 1
    np.testing.assert_allclose(P.mean(), 0.5, rtol=1e-6)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_restored_calibrator_does_the_same(drawn, method):
    scores, Y, _ = drawn
    calibrator = Calibrator(method).fit(scores, Y)
    again = clone(calibrator).set_arrays(calibrator.to_arrays(), n_labels=3)
    np.testing.assert_array_equal(again.predict_proba(scores), calibrator.predict_proba(scores))
    with pytest.raises(ValueError, match="doesn't fit its labels"):
        clone(calibrator).set_arrays(calibrator.to_arrays(), n_labels=2)
    edited = calibrator.to_arrays() | {"knot_ends_": np.array([5, 1, 0])}
    with pytest.raises(ValueError, match="knots don't fit"):
        clone(calibrator).set_arrays(edited, n_labels=3)


def test_bad_input_is_one_line():
    scores, Y = np.zeros((3, 2)), np.zeros((3, 2), np.int8)
    for given_scores, labels, match in (
        (scores[:2], Y, r"scores have shape \(2, 2\) and labels \(3, 2\)"),
        (scores * np.nan, Y, "scores hold NaN or infinity"),
        (scores, Y - 1, "all labels are unknown"),
    ):
        with pytest.raises(InputError, match=match):
            Calibrator().fit(given_scores, labels)
    with pytest.raises(InputError, match="'method' parameter of Calibrator must be one of 'platt'"):
        Calibrator("beta").fit(scores, Y)
