"""Initialize a head by logistic regression on the features that training starts from.

A head that starts at zero needs hundreds of steps to reach what a solver reaches in a second, and
meanwhile its gradients distort the backbone (Kumar et al., "Fine-tuning can distort pretrained
features", 2022). Loads no torch.
"""

from typing import NamedTuple

import numpy as np

from classify.finetune.config import HEAD_CS
from classify.logistic import LogisticTagger
from classify.metrics import Metric


class LinearScores(NamedTuple):
    """Linear scores of features.

    Attributes
    ----------
    coef : float64 ndarray of shape (L, d)
    intercept : float64 ndarray of shape (L,)
    C : float
        The one chosen.
    """

    coef: np.ndarray
    intercept: np.ndarray
    C: float


def fit_head(
    X: np.ndarray,
    Y: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    metric: Metric,
) -> LinearScores:
    """Fit L2 logistic regression at every C of `HEAD_CS`, and choose one on rows held out.

    Parameters
    ----------
    X : float32 ndarray of shape (n, d)
        Features.
    Y : int8 ndarray of shape (n, L)
        Labels: 1, 0 or -1 (unknown, left out).
    held_out : tuple of (ndarray of shape (m, d), ndarray of shape (m, L))
        Further features and labels; with m = 0 the choice is C = 1.
    metric : Metric
        To choose by.

    Returns
    -------
    LinearScores

    Raises
    ------
    InputError
        For what `LogisticTagger.fit_path` refuses.
    """
    X_held_out, truth = held_out
    if not len(truth):
        model = LogisticTagger("l2", C=1.0).fit(X, Y)
        return LinearScores(model.coef_, model.intercept_, model.C)
    sign = 1 if metric.higher_is_better else -1
    best = max(
        LogisticTagger("l2").fit_path(X, Y, HEAD_CS),
        key=lambda model: sign * metric.function(truth, model.decision_function(X_held_out)),
    )
    return LinearScores(best.coef_, best.intercept_, best.C)
