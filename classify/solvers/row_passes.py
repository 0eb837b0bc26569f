"""One pass over rows on disk: value, gap and gradient of L2-penalized losses at given weights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

_BLOCK = 2**21  # values read at a time: 8 MiB of float32


@dataclass
class Measured:
    """What a pass found out, for k columns of weights.

    Attributes
    ----------
    objective, gap : float64 arrays of shape (k,)
        The value, and how far above the minimum it is at most.
    pull : float64 array of shape (d, k)
        C times the residual's product with the features: minus the gradient of the loss.
    total : float64 array of shape (k,)
        C times the residual's sum.
    """

    objective: np.ndarray
    gap: np.ndarray
    pull: np.ndarray
    total: np.ndarray

    def take(self, columns: np.ndarray) -> "Measured":
        """Return some columns."""
        return Measured(*(getattr(self, one.name)[..., columns] for one in fields(self)))

    def put(self, columns: np.ndarray, other: "Measured") -> None:
        """Replace some columns by those of another pass."""
        for one in fields(self):
            getattr(self, one.name)[..., columns] = getattr(other, one.name)


def blocks_ahead(X) -> Iterator[tuple[slice, np.ndarray]]:
    """Give the rows of `X` in blocks, each with its place; the next is read meanwhile."""
    step = max(1, _BLOCK // max(1, X.shape[1]))
    places = [slice(start, min(start + step, len(X))) for start in range(0, len(X), step)]
    with ThreadPoolExecutor(1) as reader:
        ahead = None
        for place, following in zip(places, [*places[1:], None], strict=True):
            block = X[place] if ahead is None else ahead.result()
            ahead = None if following is None else reader.submit(X.__getitem__, following)
            yield place, block


def measure(X, loss, labels, strengths, coef, intercept, *, bias: str, kind) -> Measured:
    """Read all rows once.

    Parameters
    ----------
    X : matrix of shape (n, d)
    loss : object
        Of all labels; its ``cells`` gives the loss of some rows.
    labels : int array of shape (k,)
        The label of each column of weights.
    strengths : float64 array of shape (k,)
        Their C.
    coef, intercept : float64 arrays of shape (k, d) and (k,)
    bias : {"penalized", "unpenalized", "none"}
    kind : float32 or float64
        Of the products.

    Returns
    -------
    Measured
        With Fenchel's dual at the residual. Where the intercept is free, a dual point sums to 0:
        the side of the residual, present or absent, that weighs more is scaled down. The dual
        value is concave and 0 at 0, so that it falls by no more than that share.
    """
    k, free = len(labels), bias == "unpenalized"
    value, dual, dual_present = np.zeros((3, k))
    total, total_present = np.zeros((2, k))
    pull, pull_present = np.zeros((2, X.shape[1], k))
    W = coef.T.astype(kind)
    for rows, block in blocks_ahead(X):
        block = block.astype(kind, copy=False)
        part = loss.cells(rows, labels)
        scores = block @ W + intercept
        residual = part.residual(scores)
        value += part.value(scores)
        dual += part.dual_value(residual)
        total += residual.sum(axis=0)
        pull += block.T @ residual.astype(kind)
        if free:
            present = np.where(part.signs > 0, residual, 0.0)
            dual_present += part.dual_value(present)
            total_present += present.sum(axis=0)
            pull_present += block.T @ present.astype(kind)
    objective = (coef**2).sum(axis=1) / 2 + strengths * value
    ours, theirs = pull, 0.0
    if bias == "penalized":
        objective = objective + intercept**2 / 2
        theirs = (strengths * total) ** 2
    elif free:
        absent = total_present - total
        up, down = _balance(total_present, absent)
        dual = up * dual_present + down * (dual - dual_present)
        ours = up * pull_present + down * (pull - pull_present)
    lower = strengths * dual - ((strengths * ours) ** 2).sum(axis=0) / 2 - theirs / 2
    return Measured(objective, objective - lower, strengths * pull, strengths * total)


def _balance(present: np.ndarray, absent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares, at most 1, of two positive sums that make them equal."""
    smaller = np.minimum(present, absent)
    return smaller / np.maximum(present, 1e-300), smaller / np.maximum(absent, 1e-300)
