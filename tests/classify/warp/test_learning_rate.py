"""The learning rate that a descent chooses by itself, and the C that its penalty follows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.logistic import LogisticTagger
from classify.losses import LOSSES
from classify.warp.tagger import WarpTagger


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from(sorted(LOSSES)),
    factor=st.sampled_from([0.25, 8.0]),
)
def test_the_rate_follows_the_scale_of_the_loss_and_not_that_of_the_features(seed, loss, factor):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(40, 5)), (rng.random((40, 4)) < 0.4).astype(np.int8)
    Y[0, 0] = 1
    options = {"epochs": 1, "divisor": 2.0}
    one = WarpTagger(loss, **options).fit(X, Y)
    assert 0 < one.learning_rate_ < np.inf
    divided = WarpTagger(loss, **{**options, "divisor": 2 * factor}).fit(X, Y)
    assert divided.learning_rate_ == pytest.approx(factor * one.learning_rate_)
    wide = WarpTagger(loss, **options).fit(factor * X, Y)
    assert wide.learning_rate_ == pytest.approx(one.learning_rate_)
    np.testing.assert_allclose(wide.coef_ * factor, one.coef_, rtol=1e-5, atol=1e-8)


def test_the_rate_of_cross_entropy_is_that_of_its_curvature():
    """The intercept sees a curvature of 1/4, measured over a change of scores of 1."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(200, 8)), (rng.random((200, 3)) < 0.3).astype(np.int8)
    rate = WarpTagger("bce", epochs=1).fit(X, Y).learning_rate_
    assert 1.9 / 2 / 0.26 < rate < 1.9 / 2 / 0.22
    fixed = WarpTagger("bce", epochs=1, learning_rate=0.5).fit(X, Y)
    assert fixed.learning_rate_ == 0.5


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_C_weighs_the_loss_of_features_as_they_are(scale):
    rng = np.random.default_rng(0)
    X = scale * rng.normal(size=(60, 4))
    Y = (X @ rng.normal(size=(4, 3)) + scale * rng.normal(size=(60, 3)) > 0).astype(np.int8)
    ours = WarpTagger("bce", C=0.02, epochs=2000, batch_size=60).fit(X, Y)
    peer = LogisticTagger("l2", C=0.02, bias="unpenalized", tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(ours.decision_function(X), peer.decision_function(X), atol=2e-3)


def test_one_row_or_nothing_to_learn_has_a_rate_too():
    with_gradient = WarpTagger("bce").fit(np.ones((1, 2)), np.ones((1, 2), dtype=np.int8))
    without = WarpTagger("softmax").fit(np.eye(2), np.array([[1, -1], [1, -1]]))
    assert np.isfinite(with_gradient.coef_).all() and without.learning_rate_ == 1.0
