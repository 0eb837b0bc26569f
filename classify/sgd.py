"""Minibatch stochastic gradient descent with momentum for scores that are linear in the features.

It knows no labels and no loss: a function turns the scores of some rows into a gradient. Rows of X
are read a batch at a time, so that a memory-mapped matrix never lies in memory as a whole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from features.errors import InputError

RATE_ROWS = 512  # that the curvature is measured on
RATE_LENGTHS, RATE_ITERATIONS = (1.0, 2.0, 4.0, 8.0), 4
DROPS = (0.6, 0.8)  # shares of the epochs after which the learning rate falls to a tenth

BatchLoss = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Settings:
    """How far and how fast to descend.

    Attributes
    ----------
    learning_rate : float
        Of the first epochs; a tenth of it from 60 % of them on, a hundredth from 80 %.
    momentum : float
    weight_decay : float
        Factor of 1/2 ||W||^2, W being the coefficients of features so prepared.
    batch_size : int
    epochs : int
    center : array of shape (d,) or None
        Subtracted from every row. The scores that can be had stay the same, as there is an
        intercept; the way to them is shorter where features are far from centered.
    scale : float
        All features are then divided by it.
    average : bool
        Give the mean of all iterates since the first fall of the learning rate, once there is one.
    """

    learning_rate: float
    momentum: float
    weight_decay: float
    batch_size: int
    epochs: int
    center: np.ndarray | None
    scale: float
    average: bool


def suitable_rate(
    X: np.ndarray, rows: np.ndarray, batch_loss: BatchLoss, n_scores: int, settings: Settings
) -> float:
    """Choose the learning rate that suits the features and the loss, by the loss's curvature.

    The rate is ``(1 + momentum) / (2 K)``, a quarter of the limit beyond which gradient descent
    with momentum diverges on a quadratic of curvature K (Polyak, 1964). K is the largest ratio of a
    change of the mean gradient to the change of the weights that causes it, plus the weight decay.
    Changes start at the first gradient and go on, as in power iteration, to the change of gradient
    that was found; each is scaled so that scores change by 1, 2, 4 and 8 at most. Measured over
    such lengths, K also has a meaning for a hinge, and sees a softmax that is flat at zero.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    rows : int array
        Rows to learn from; at most 512 of them, evenly spaced, are read.
    batch_loss : callable
        As in `sgd_epochs`, of scores that are all 0 at the start.
    n_scores : int
        Scores of a row.
    settings : Settings
        Its `learning_rate` is not read.

    Returns
    -------
    float
        1 where the loss has no gradient and nothing decays.
    """
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, RATE_ROWS).astype(int))]
    Z = np.take(X, chosen, axis=0).astype(np.float64)
    if settings.center is not None:
        Z -= settings.center
    Z = np.hstack([Z / settings.scale, np.ones((len(Z), 1))])  # the last column is the intercept

    def gradient(scores):
        return batch_loss(chosen, scores, 0)[1].T.astype(np.float64) @ Z / len(Z)

    first = gradient(np.zeros((len(Z), n_scores)))
    largest = 0.0
    for length in RATE_LENGTHS:
        change = -first
        for _ in range(RATE_ITERATIONS):
            scores = Z @ change.T
            reach = np.abs(scores).max()
            if not reach > 0:
                break
            following = gradient(scores * (length / reach)) - first
            norm = np.linalg.norm(change) * (length / reach)
            largest, change = max(largest, float(np.linalg.norm(following) / norm)), following
    largest = largest or (1 + settings.momentum) / 2
    return (1 + settings.momentum) / (2 * (largest + settings.weight_decay))


def settings_for(
    tagger: Any,
    X: np.ndarray,
    rows: np.ndarray,
    batch_loss: BatchLoss,
    *,
    n_scores: int,
    center: np.ndarray | None,
    scale: float,
    average: bool = False,
) -> Settings:
    """Give the settings of an estimator's descent, by its parameters and its training rows.

    Parameters
    ----------
    tagger : estimator
        With the parameters `learning_rate` (a number or "auto"), `momentum`, `weight_decay`, `C`,
        `batch_size` and `epochs`. A `C` that is not None gives ``weight_decay = 1/(C n scale**2)``,
        which is the L2 penalty of a sum of losses weighted by C, of features as they are.
    X, rows, batch_loss, n_scores
        As for `suitable_rate`.
    center : array of shape (d,) or None
    scale : float
    average : bool

    Returns
    -------
    Settings
    """
    decay = tagger.weight_decay
    if tagger.C is not None:
        decay = 1 / (tagger.C * len(rows) * scale**2)
    settings = Settings(
        learning_rate=1.0 if tagger.learning_rate == "auto" else tagger.learning_rate,
        momentum=tagger.momentum,
        weight_decay=decay,
        batch_size=tagger.batch_size,
        epochs=tagger.epochs,
        center=center,
        scale=scale,
        average=average,
    )
    if tagger.learning_rate != "auto":
        return settings
    rate = suitable_rate(X, rows, batch_loss, n_scores, settings)
    return replace(settings, learning_rate=rate)


class Epoch(NamedTuple):
    """What an epoch ends with.

    Attributes
    ----------
    coef : array of shape (L, d)
        For features as they are, not divided by the scale.
    intercept : array of shape (L,)
    loss : float
        Mean loss of the rows as each came by.
    penalty : float
        weight_decay/2 ||W||^2 at the end.
    """

    coef: np.ndarray
    intercept: np.ndarray
    loss: float
    penalty: float


def sgd_epochs(
    X: np.ndarray,
    rows: np.ndarray,
    batch_loss: BatchLoss,
    coef: np.ndarray,
    intercept: np.ndarray,
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[Epoch]:
    """Descend from `coef` and `intercept`, one epoch at each step of the iterator.

    With velocity V, V <- momentum V - rate (gradient + weight_decay W) and W <- W + V; the
    intercept goes likewise without decay. The gradient is the mean over the batch.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
        May be memory-mapped. Everything is computed in its type.
    rows : int array
        Rows to learn from, visited in a new random order every epoch.
    batch_loss : callable
        ``(rows of a batch, their scores (b, L), epoch counted from 0) -> (losses (b,), gradient by
        score (b, L))``.
    coef, intercept : arrays of shape (L, d) and (L,)
        Where to start, for features as they are.
    settings : Settings
    rng : numpy Generator
        Draws the orders.

    Yields
    ------
    Epoch

    Raises
    ------
    InputError
        As soon as a score or a coefficient is not finite: the learning rate is too large.
    """
    descent = _Descent(X, coef, intercept, settings)
    for epoch in range(settings.epochs):
        descent.start_epoch(epoch)
        order = rng.permutation(rows)
        total = 0.0
        for start in range(0, len(order), settings.batch_size):
            total += descent.step(order[start : start + settings.batch_size], batch_loss)
        yield descent.state(total / len(order))


class _Descent:
    """Weights, velocities and the buffers that every step reuses."""

    def __init__(self, X, coef, intercept, settings):
        self.X, self.settings = X, settings
        self.weights = np.ascontiguousarray(coef, dtype=X.dtype) * X.dtype.type(settings.scale)
        self.bias = np.array(intercept, dtype=X.dtype)
        if settings.center is not None:
            self.bias += coef.astype(X.dtype) @ settings.center
        self.velocity, self.bias_velocity = np.zeros_like(self.weights), np.zeros_like(self.bias)
        self.mean_weights, self.mean_bias = np.zeros_like(self.weights), np.zeros_like(self.bias)
        self.averaged = 0
        self.buffer = np.empty((settings.batch_size, X.shape[1]), dtype=X.dtype)
        self.gemm = get_blas_funcs("gemm", (self.buffer,))

    def start_epoch(self, epoch):
        settings = self.settings
        self.epoch = epoch
        self.drops = sum(epoch >= share * settings.epochs for share in DROPS)
        self.rate = settings.learning_rate * 0.1**self.drops

    def step(self, batch, batch_loss):
        """Move by one batch and return the sum of its losses."""
        block = np.take(self.X, batch, axis=0, out=self.buffer[: len(batch)], mode="clip")
        if self.settings.center is not None:
            block -= self.settings.center
        scores = block @ self.weights.T
        scores /= self.settings.scale
        scores += self.bias
        self._check_finite(scores)
        losses, gradient = batch_loss(batch, scores, self.epoch)
        self._move(block, gradient.astype(block.dtype))
        return losses.sum()

    def _move(self, block, gradient):
        settings, rate = self.settings, self.rate / len(block)
        # velocity.T <- momentum velocity.T - rate block.T @ gradient, in place and in one pass.
        self.velocity = self.gemm(
            -rate / settings.scale,
            block.T,
            gradient.T,
            beta=settings.momentum,
            c=self.velocity.T,
            trans_b=True,
            overwrite_c=True,
        ).T
        if settings.weight_decay:
            self.velocity -= self.rate * settings.weight_decay * self.weights
        self.weights += self.velocity
        self.bias_velocity *= settings.momentum
        self.bias_velocity -= rate * gradient.sum(axis=0)
        self.bias += self.bias_velocity
        if settings.average and self.drops:
            self.averaged += 1
            self.mean_weights += (self.weights - self.mean_weights) / self.averaged
            self.mean_bias += (self.bias - self.mean_bias) / self.averaged

    def _check_finite(self, numbers):
        if not np.isfinite(numbers).all():
            raise InputError(
                f"stochastic gradient descent diverged in epoch {self.epoch + 1}: learning_rate="
                f"{self.settings.learning_rate:g} is too large for these features and this loss, "
                "divide it by 10"
            )

    def state(self, loss):
        """Return the epoch's end, in arrays of its own."""
        weights, bias = self.weights, self.bias
        if self.averaged:
            weights, bias = self.mean_weights, self.mean_bias
        self._check_finite(weights)
        penalty = self.settings.weight_decay / 2 * float(np.vdot(weights, weights))
        coef = weights / self.settings.scale
        if self.settings.center is not None:
            bias = bias - coef @ self.settings.center
        return Epoch(coef, bias.copy(), float(loss), penalty)
