"""Scalings of instances, learned from training instances; none of the papers states its own."""

import numpy as np

from features.errors import check_choice

SCALINGS = ("none", "range01", "standard", "unit")


class InstanceScaler:
    """One of the scalings.

    Parameters
    ----------
    scaling : {"none", "range01", "standard", "unit"}
        "range01" maps each column's training range to [0, 1]; "standard" subtracts each column's
        mean and divides by its standard deviation; "unit" divides each instance by its length.
        A column that is constant in training becomes 0, an instance of length 0 stays 0.

    Examples
    --------
    >>> InstanceScaler("range01").fit(np.array([[0.0], [2.0]])).transform(np.array([[1.0]]))
    array([[0.5]])
    """

    def __init__(self, scaling: str = "none"):
        check_choice("scaling", scaling, SCALINGS, kind="parameter")
        self.scaling = scaling

    @property
    def fitted_arrays(self) -> tuple[str, ...]:
        """Names of what `fit` learns."""
        return ("shift", "factor") if self.scaling in ("range01", "standard") else ()

    def fit(self, X: np.ndarray) -> "InstanceScaler":
        """Learn from instances (N, d)."""
        if self.scaling == "range01":
            self.shift = X.min(axis=0)
            spread = X.max(axis=0) - self.shift
        elif self.scaling == "standard":
            self.shift = X.mean(axis=0, dtype=np.float64).astype(X.dtype)
            spread = X.std(axis=0, dtype=np.float64).astype(X.dtype)
        else:
            return self
        constant = spread <= 1e-12 * np.abs(self.shift)
        self.factor = np.where(constant, 0, 1 / np.where(constant, 1, spread)).astype(X.dtype)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scale instances (N, d) in their own precision."""
        if self.scaling == "none":
            return X
        if self.scaling == "unit":
            lengths = np.linalg.norm(X, axis=1, keepdims=True)
            return X / np.where(lengths == 0, 1, lengths)
        return ((X - self.shift) * self.factor).astype(X.dtype, copy=False)


def with_constant(X: np.ndarray) -> np.ndarray:
    """Append a column of ones, for linear scores that have no other bias."""
    return np.hstack([X, np.ones((len(X), 1), dtype=X.dtype)])
