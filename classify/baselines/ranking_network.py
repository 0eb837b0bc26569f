"""Base class of the nonlinear taggers: input scaling and the Adam training loop.

A subclass names the arrays that Adam moves, scores rows with them, and turns a gradient by score
into gradients of the arrays.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.utils import check_random_state
from tqdm import tqdm

from classify.base import Tagger, check_sample_weight, usable_rows
from classify.baselines.adam import adam_epochs
from classify.losses.ranknet import ImageLoss, with_threshold
from classify.parameters import Flag, Number, OneOf, check_parameters
from classify.row_blocks import mean_norm, mean_row, row_blocks
from classify.solvers.threads import one_thread
from features.errors import InputError


class RankingNetwork(Tagger):
    """Base of taggers that minimize the mean ranking loss of the rows by Adam.

    Features are centered, divided by their mean length and get a constant 1 as a further column. A
    subclass has the parameters of `_allowed` and the methods that raise NotImplementedError here.
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "threshold": Flag(),
        "weight_decay": Number(low=0.0),
        "learning_rate": Number(low=0.0, above=True),
        "batch_size": Number(Integral, low=1),
        "epochs": Number(Integral, low=1),
        "verbose": Flag(),
    }

    def fit(self, X, y, sample_weight=None):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            May be memory-mapped: rows are read a batch at a time.
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
            Unknown labels are as if they did not exist for that row.
        sample_weight : array of shape (n,), optional
            Default 1.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, for X, y or weights that can't be fitted, and when the
            descent diverges.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        if targets.shape[1] == 1 and not self.threshold:
            raise InputError(
                "threshold=False ranks labels against each other, and y has one only: use "
                "threshold=True"
            )
        weights = check_sample_weight(sample_weight, len(X))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        rows = usable_rows(targets, weights)
        self.center_ = mean_row(X, rows, weights[rows])
        self.scale_ = mean_norm(X, rows, weights[rows], self.center_)
        # One thread: batches are too small to share, and the bits then depend on no thread count.
        with one_thread("blas"):
            self._descend(X, targets, rows, weights / weights[rows].mean(), rng)
        return self

    def _image_loss(self) -> ImageLoss:
        """Give the loss of ranking a row's labels."""
        raise NotImplementedError

    def _arrays(self) -> Sequence[np.ndarray]:
        """Give the fitted arrays that the descent changes in place."""
        raise NotImplementedError

    def _initialize(self, width: int, targets: np.ndarray, dtype, rng) -> None:
        """Set the fitted arrays to where the descent on rows with these targets starts."""
        raise NotImplementedError

    def _forward(self, prepared: np.ndarray) -> tuple[np.ndarray, tuple]:
        """Score prepared rows (b, d + 1); return scores (b, L) and what `_backward` needs."""
        raise NotImplementedError

    def _backward(self, prepared: np.ndarray, kept: tuple, slope: np.ndarray) -> list[np.ndarray]:
        """Turn a gradient by score (b, L) into one for each array."""
        raise NotImplementedError

    def _project(self) -> None:
        """Bring the arrays back to where they are allowed; nothing by default."""

    def _descend(self, X, targets, rows, weights, rng):
        self._initialize(X.shape[1] + 1, targets[rows], X.dtype, rng)
        arrays = self._arrays()

        def gradients(batch):
            values, slopes = self._loss_and_slopes(X[batch], targets[batch], weights[batch])
            decay = self.weight_decay
            return values, [s + decay * a for s, a in zip(slopes, arrays, strict=True)]

        epochs = adam_epochs(
            arrays,
            gradients,
            rows,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            rng=rng,
            project=self._project,
        )
        with np.errstate(over="ignore", invalid="ignore"):
            bar = tqdm(epochs, total=self.epochs, unit="epoch", disable=not self.verbose)
            self.loss_curve_ = list(bar)

    def _loss_and_slopes(self, X, targets, weights):
        """Losses (b,) of some rows, and the gradients of their mean by each array."""
        loss = self._image_loss()
        if self.threshold:
            loss = with_threshold(loss)
        prepared = self._prepare(X)
        scores, kept = self._forward(prepared)
        values, slope = loss(scores, targets)
        slope = (slope * weights[:, None] / len(X)).astype(X.dtype)
        return values * weights, self._backward(prepared, kept, slope)

    def _prepare(self, X):
        ones = np.ones((len(X), 1), dtype=X.dtype)
        return np.hstack([(X - self.center_.astype(X.dtype)) / X.dtype.type(self.scale_), ones])

    def _scores(self, X: np.ndarray) -> np.ndarray:
        blocks = row_blocks(np.arange(len(X)))
        return np.concatenate([self._forward(self._prepare(X[block]))[0] for block in blocks])
