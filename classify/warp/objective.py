"""The weighted loss of a batch that `WarpTagger` descends on, and the settings of its descent."""

from typing import Any

import numpy as np

from classify.losses import LOSSES, named_loss
from classify.row_blocks import ROWS_AT_ONCE, mean_norm, mean_row, row_blocks
from classify.sgd import Settings, settings_for


class Objective:
    """Losses of rows by the parameters of a `WarpTagger`, the hinge first where there is a ramp.

    Parameters
    ----------
    tagger : WarpTagger
    targets : int8 array of shape (n, L)
    weights : array of shape (n,)
        Of the rows; their mean is about 1.
    rng : numpy Generator
        Draws the ranks where `rank_mode` is "sample".
    class_weights : array of shape (L, 2), optional
        Of absent and of present cells.
    """

    def __init__(
        self,
        tagger: Any,
        targets: np.ndarray,
        weights: np.ndarray,
        rng,
        class_weights: np.ndarray | None = None,
    ):
        options = {"kappa": tagger.kappa, "rank_mode": tagger.rank_mode, "rng": rng}
        options |= {"rounding": tagger.rounding, "class_weights": class_weights}
        self._hinge = named_loss(tagger.loss, beta=0.0, **options)
        self._ramp = named_loss(tagger.loss, beta=tagger.beta, **options)
        # Draws nothing, so that the rate and the descent depend on no order of draws.
        expected = {**options, "rank_mode": "expected"}
        self._expected_hinge = named_loss(tagger.loss, beta=0.0, **expected)
        self._hinge_epochs = tagger.warm_up * tagger.epochs
        self._targets = targets
        self._factors = weights / (tagger.divisor or LOSSES[tagger.loss].loss_scale)

    def __call__(self, batch, scores, epoch) -> tuple[np.ndarray, np.ndarray]:
        """Losses (b,) and their gradient by score (b, L) in an epoch."""
        loss = self._hinge if epoch < self._hinge_epochs else self._ramp
        return self._weighted(loss, batch, scores)

    def expected_hinge(self, batch, scores, epoch) -> tuple[np.ndarray, np.ndarray]:
        """Give the same of the hinge and of expected ranks, in any epoch."""
        return self._weighted(self._expected_hinge, batch, scores)

    def at_zero(self, rows: np.ndarray) -> float:
        """Mean loss of some rows if all scores are 0."""
        zeros = np.zeros((ROWS_AT_ONCE, self._targets.shape[1]))
        blocks = row_blocks(rows)
        return sum(self(block, zeros[: len(block)], 0)[0].sum() for block in blocks) / len(rows)

    @property
    def n_labels(self) -> int:
        """Number of labels L."""
        return self._targets.shape[1]

    def _weighted(self, loss, batch, scores):
        values, gradient = loss(scores, self._targets[batch])
        return values * self._factors[batch], gradient * self._factors[batch, None]


def descent_settings(tagger: Any, objective: Objective, X, rows, weights) -> Settings:
    """Give the settings of the descent of a `WarpTagger` on some rows of X."""
    center = mean_row(X, rows, weights[rows]) if tagger.center else None
    scale = mean_norm(X, rows, weights[rows], center)
    return settings_for(
        tagger,
        X,
        rows,
        objective.expected_hinge,
        n_scores=objective.n_labels,
        center=center,
        scale=scale,
        average=tagger.average,
    )
