"""Scalings of feature columns, learned from training rows."""

import numpy as np

#: Names for the option ``--scaling``.
SCALINGS = ("none", "max01")


def column_divisors(scaling: str, X: np.ndarray) -> np.ndarray | None:
    """Find what to divide each column by.

    Parameters
    ----------
    scaling : {"none", "max01"}
        `max01` divides by the largest absolute value, so that columns of features, which are not
        negative, end between 0 and 1.
    X : ndarray of shape (n, d)
        Training rows.

    Returns
    -------
    ndarray of shape (d,) or None
        Of the type of `X`; 1 for a column of zeros. None for no scaling.

    Examples
    --------
    >>> column_divisors("max01", np.array([[1.0, 0.0], [4.0, 0.0]]))
    array([4., 1.])
    """
    if scaling == "none":
        return None
    from sklearn.preprocessing import MaxAbsScaler  # keeps help texts free of scikit-learn

    return MaxAbsScaler().fit(X).scale_


def divided(X: np.ndarray, divisors: np.ndarray | None) -> np.ndarray:
    """Apply `column_divisors`' answer to rows."""
    return X if divisors is None else X / divisors
