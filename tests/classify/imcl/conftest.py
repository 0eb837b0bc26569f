"""A problem with unknown labels."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def problem():
    """200 rows of 12 features, 6 labels in two groups; 6 of 10 labels of the first 120 unknown."""
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(200, 12)))
    scores = X @ rng.normal(size=(12, 2)).repeat(3, axis=1) + rng.normal(size=(200, 6)) / 4
    truth = (scores > np.quantile(scores, 0.7, axis=0)).astype(np.int8)
    Y = truth.copy()
    Y[:120][rng.random((120, 6)) < 0.6] = -1
    return X, Y, truth
