"""A sample of rows on disk that stands for all of them, held in memory, and its Newton directions.

Every label has some of its rare rows in it, and its cells weigh so that present and absent ones
count as much as in all rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from classify.solvers.l2_coordinates import Columns

_VALUES = 2**27  # of a sample: 512 MiB of float32
_RARE = 64  # rows with a label, and without it, that are added to a random sample
_FORCING = 0.03  # a Newton system is solved to this share of its right-hand side
_MAX_CG_STEPS = 60
_TOGETHER = 2**21  # sampled rows times columns side by side: some ten arrays of 16 MiB


@dataclass
class Sample:
    """Some rows, and the loss on them.

    Attributes
    ----------
    X : float32 array of shape (m, d)
    loss : object
        Of all labels, weighed up to all rows.
    whole : bool
        Whether it is all rows, in their order, with their own weights.
    """

    X: np.ndarray
    loss: Any
    whole: bool

    def newton_direction(
        self, coordinates: Columns, labels, strengths, V: np.ndarray, gradient: np.ndarray
    ) -> np.ndarray:
        """Solve ``H move = -gradient`` with the sample's Hessian at V, roughly.

        Parameters
        ----------
        coordinates : Columns
            Of the sample.
        labels : int array of shape (k,)
        strengths : float64 array of shape (k,)
        V, gradient : float64 arrays of shape (size, k)

        Returns
        -------
        float64 array of shape (size, k)
        """
        move = np.zeros_like(V)
        together = max(1, _TOGETHER // len(self.X))
        for start in range(0, len(labels), together):
            part = slice(start, start + together)
            scores = coordinates.times(V[:, part].astype(np.float32))
            loss = self.loss.cells(slice(None), labels[part])
            curvature = (strengths[part] * loss.curvature(scores)).astype(np.float32)
            move[:, part] = _conjugate_gradients(coordinates, curvature, -gradient[:, part])
        return move


def _conjugate_gradients(coordinates: Columns, curvature: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Solve ``(ridge + F' diag(curvature) F) move = R`` for each column, to the forcing.

    The preconditioner is the inverse for constant curvature.
    """
    means = curvature.mean(axis=0, dtype=np.float64)
    levels = np.round(np.log2(np.maximum(means, 1e-30)) / 2).astype(int)
    R = R.astype(np.float32)
    move, Z = np.zeros_like(R), coordinates.solve(R, levels)
    P, energy = Z.copy(), np.einsum("ij,ij->j", R, Z)
    enough = _FORCING**2 * energy
    for _ in range(_MAX_CG_STEPS):
        Q = coordinates.penalty(P) + coordinates.transpose_times(curvature * coordinates.times(P))
        along = np.einsum("ij,ij->j", P, Q)
        going = (energy > enough) & (along > 0)
        if not going.any():
            break
        length = np.where(going, energy / np.where(along > 0, along, 1), 0).astype(np.float32)
        move += length * P
        R -= length * Q
        Z = coordinates.solve(R, levels)
        energy, last = np.einsum("ij,ij->j", R, Z), energy
        P = Z + (energy / np.maximum(last, np.finfo(np.float32).tiny)).astype(np.float32) * P
    return move.astype(np.float64)


def draw_sample(X, loss) -> Sample:
    """Read a sample of the rows of `X` (n, d), the same for the same matrix and labels."""
    n, d = X.shape
    size = max(_VALUES // max(1, d), 2 * d)
    if n <= size:
        return Sample(np.ascontiguousarray(X[:]), loss, True)
    rng = np.random.default_rng(0)
    drawn = [rng.choice(n, size, replace=False)]
    for label in range(len(loss)):
        for sign in (1, -1):
            cells = np.flatnonzero(loss.signs[:, label] == sign)
            drawn.append(rng.choice(cells, min(_RARE, len(cells)), replace=False))
    rows = np.unique(np.concatenate(drawn))
    return Sample(X.take(rows, axis=0), loss.scaled_up(rows), False)
