"""What a solver returns."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Solution:
    """Weights of L labels at one C.

    Attributes
    ----------
    coef : float64 array of shape (L, d)
    intercept : float64 array of shape (L,)
    objective, gap : float64 arrays of shape (L,)
        The value reached, and how far above the minimum it is at most.
    n_iter : int array of shape (L,)
        Newton steps since the start of the path.
    """

    coef: np.ndarray
    intercept: np.ndarray
    objective: np.ndarray
    gap: np.ndarray
    n_iter: np.ndarray

    @classmethod
    def zeros(cls, n_labels: int, n_features: int) -> "Solution":
        """Arrays to be filled label by label."""
        intercept, objective, gap = np.zeros((3, n_labels))
        coef, n_iter = np.zeros((n_labels, n_features)), np.zeros(n_labels, dtype=int)
        return cls(coef, intercept, objective, gap, n_iter)

    def take(self, labels: slice | np.ndarray) -> "Solution":
        """Return some labels: views of them, for a slice."""
        return Solution(*(array[labels] for array in self.arrays()))

    def put(self, labels: slice | np.ndarray, other: "Solution") -> None:
        """Replace some labels by those of another solution."""
        for mine, theirs in zip(self.arrays(), other.arrays(), strict=True):
            mine[labels] = theirs

    def arrays(self) -> list[np.ndarray]:
        """List the arrays, in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]
