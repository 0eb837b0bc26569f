"""Minibatch descent by Adam for models of a few arrays that are not linear in their parameters.

It knows no labels and no model: a function turns rows into losses and gradients, and the arrays are
changed in place. Linear models have ``classify.sgd``.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from features.errors import InputError

FIRST, SECOND = 0.9, 0.999  # decay of the two moments, Kingma and Ba's defaults
EPSILON = 1e-8
DROPS = (0.6, 0.8)  # shares of the epochs after which the learning rate falls to a tenth

Gradients = Callable[[np.ndarray], tuple[np.ndarray, Sequence[np.ndarray]]]


def adam_epochs(
    arrays: Sequence[np.ndarray],
    gradients: Gradients,
    rows: np.ndarray,
    *,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    rng: np.random.Generator,
    project: Callable[[], None] | None = None,
) -> Iterator[float]:
    """Descend, one epoch at each step of the iterator; Adam as Kingma and Ba state it.

    Parameters
    ----------
    arrays : sequence of float ndarray
        The model's parameters, changed in place.
    gradients : callable
        ``rows of a batch -> (losses (b,), gradients of their mean)``, a gradient for each array.
    rows : int array
        Rows to learn from, visited in a new random order every epoch.
    learning_rate : float
        Of the first epochs; a tenth of it from 60 % of them on, a hundredth from 80 %.
    batch_size, epochs : int
    rng : numpy Generator
        Draws the orders.
    project : callable, optional
        Called after every step, to bring the arrays back to where they are allowed.

    Yields
    ------
    float
        Mean loss of the rows as each came by.

    Raises
    ------
    InputError
        As soon as a loss is not finite: the learning rate is too large.

    Examples
    --------
    >>> w = np.zeros(1)
    >>> def gradients(rows):
    ...     return (w - 3) ** 2 / 2 * np.ones(len(rows)), [w - 3]
    >>> settings = {"learning_rate": 0.5, "batch_size": 1, "epochs": 300}
    >>> losses = list(
    ...     adam_epochs([w], gradients, np.arange(1), **settings, rng=np.random.default_rng(0))
    ... )
    >>> w.round(2)
    array([3.])
    """
    adam = _Adam(arrays)
    for epoch in range(epochs):
        drops = sum(epoch >= share * epochs for share in DROPS)
        rate = learning_rate * 0.1**drops
        order = rng.permutation(rows)
        total = 0.0
        for start in range(0, len(order), batch_size):
            losses, slopes = gradients(order[start : start + batch_size])
            total += _checked(losses.sum(), epoch, learning_rate)
            adam.step(slopes, rate)
            if project is not None:
                project()
        yield total / len(order)


class _Adam:
    """Both moments of each array's gradient."""

    def __init__(self, arrays):
        self.arrays, self.steps = arrays, 0
        self.firsts = [np.zeros_like(array) for array in arrays]
        self.seconds = [np.zeros_like(array) for array in arrays]

    def step(self, slopes, rate):
        """Move the arrays in place, against their gradients."""
        self.steps += 1
        size = rate * np.sqrt(1 - SECOND**self.steps) / (1 - FIRST**self.steps)
        moments = zip(self.arrays, slopes, self.firsts, self.seconds, strict=True)
        for array, slope, first, second in moments:
            first += (1 - FIRST) * (slope - first)
            second += (1 - SECOND) * (slope * slope - second)
            array -= (size * first / (np.sqrt(second) + EPSILON)).astype(array.dtype)


def _checked(loss: float, epoch: int, learning_rate: float) -> float:
    if not np.isfinite(loss):
        raise InputError(
            f"the descent diverged in epoch {epoch + 1}: learning_rate={learning_rate:g} is too "
            "large for these features and this loss, divide it by 10"
        )
    return float(loss)
