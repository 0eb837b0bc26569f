"""Choose the epoch of a descent that is best on rows held out from training."""

import numpy as np

from classify.metrics import METRICS
from classify.row_blocks import row_blocks
from classify.sgd import Epoch
from features.errors import InputError


class BestEpoch:
    """The epoch with the best metric on rows set aside; the first of equal ones.

    Parameters
    ----------
    X : array of shape (n, d)
    targets : int8 array of shape (n, L)
    rows : int array
        Those set aside.
    metric : str
        A name in `classify.metrics.METRICS`.

    Attributes
    ----------
    curve : list of float
        The metric after each epoch.
    number : int
        The best epoch, counted from 1.
    epoch : Epoch
    """

    def __init__(self, X: np.ndarray, targets: np.ndarray, rows: np.ndarray, *, metric: str):
        self.X, self.targets, self.rows, self.metric = X, targets, rows, metric
        self.curve: list[float] = []
        self.number = 0

    def see(self, epoch: Epoch) -> int:
        """Evaluate one more epoch and return how many have passed since the best.

        Raises
        ------
        InputError
            If the metric is undefined on the rows set aside.
        """
        scores = [self.X[block] @ epoch.coef.T + epoch.intercept for block in row_blocks(self.rows)]
        function, higher_is_better = METRICS[self.metric]
        value = function(self.targets[self.rows], np.concatenate(scores))
        if np.isnan(value):
            raise InputError(
                f"{self.metric} is undefined on the {len(self.rows)} rows set aside, "
                "which have no label present: raise validation_fraction or use more rows"
            )
        sign = 1 if higher_is_better else -1
        if not self.curve or sign * value > sign * self.curve[self.number - 1]:
            self.epoch, self.number = epoch, len(self.curve) + 1
        self.curve.append(value)
        return len(self.curve) - self.number
