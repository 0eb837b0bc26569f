"""Scaling of features as an estimator: learned from training rows, applied to any."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.scaling import find_scaling
from features.errors import InputError


class FeatureScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale the columns of features in one of the ways of `classify.scaling`.

    Nothing is centered, so that zeros stay zeros. A column, or a layer of a row, that is all zeros
    is left as it is.

    Parameters
    ----------
    scaling : str
        A name in `classify.scaling.SCALINGS`.
    widths : sequence of int, optional
        Columns of each layer, in order; by default all columns are one layer.

    Attributes
    ----------
    divisors_ : ndarray of shape (d,) or None
        What each column is divided by; None where the scaling learns nothing.
    n_features_in_ : int

    Examples
    --------
    >>> FeatureScaler("sqrt-max").fit_transform([[4.0, 0.0], [16.0, 0.0]])
    array([[0.5, 0. ],
           [1. , 0. ]])
    >>> FeatureScaler("layer-l2", widths=[2, 1]).fit_transform([[3.0, 4.0, 7.0]])
    array([[0.6, 0.8, 1. ]])
    """

    fitted_arrays: ClassVar[tuple[str, ...]] = ("divisors_",)

    def __init__(self, scaling="max", widths=None):
        self.scaling = scaling
        self.widths = widths

    def fit(self, X, y=None):
        """Learn what columns are divided by.

        Parameters
        ----------
        X : float array of shape (n, d)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            An unknown scaling, or widths that don't sum to d.
        """
        record = find_scaling(self.scaling)
        X = self._validated(X)
        self._check_widths(X.shape[1])
        if record.root:
            X = _signed_root(X)
        self.divisors_ = self._learn(record.divide_by, X)
        return self

    def fit_blocks(self, blocks: Iterable[np.ndarray]) -> "FeatureScaler":
        """Learn as `fit` does from rows that come in blocks (b, d), float32, at least one.

        Sums are in float64, so that divisors may differ from those of `fit` by rounding.
        """
        record = find_scaling(self.scaling)
        count, center = 0, None
        largest, total, square = np.zeros((3, 1))
        for block in blocks:
            X = self._validated(block, reset=center is None)
            if center is None:
                self._check_widths(X.shape[1])
            X = _signed_root(X) if record.root else X
            center = X.mean(axis=0, dtype=np.float64) if center is None else center
            count += len(X)
            if record.divide_by == "column max":
                largest = np.maximum(largest, np.abs(X).max(axis=0))
            elif record.divide_by == "column std":
                away = X - center
                total, square = total + away.sum(axis=0), square + (away**2).sum(axis=0)
            elif record.divide_by == "mean length":
                lengths = [_lengths(X[:, columns]) for columns in self._layers()]
                total = total + np.array([one.sum(dtype=np.float64) for one in lengths])
        learned: dict[str, Callable[[], np.ndarray]] = {
            "column max": lambda: np.asarray(largest),
            "column std": lambda: np.sqrt(square / count - (total / count) ** 2),
            "mean length": lambda: np.repeat(
                total / count, [columns.stop - columns.start for columns in self._layers()]
            ),
        }
        found = learned.get(record.divide_by)
        self.divisors_ = _nonzero(found().astype(np.float32)) if found else None
        return self

    def transform(self, X) -> np.ndarray:
        """Scale rows.

        Parameters
        ----------
        X : float array of shape (n, d)

        Returns
        -------
        ndarray of shape (n, d)
            Of the type of `X`; float64 for integers.

        Raises
        ------
        InputError
            X has another number of columns than in `fit`, or isn't finite.
        """
        check_is_fitted(self)
        record = find_scaling(self.scaling)
        X = self._validated(X, reset=False)
        if record.root:
            X = _signed_root(X)
        if record.divide_by == "row length":
            X = np.array(X)
            for columns in self._layers():
                X[:, columns] /= _nonzero(_lengths(X[:, columns]))[:, None]
            return X
        return X if self.divisors_ is None else X / self.divisors_

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give what was learned, for a model file: nothing, or ``divisors_``."""
        check_is_fitted(self, "n_features_in_")
        return {} if self.divisors_ is None else {"divisors_": self.divisors_}

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_features: int) -> "FeatureScaler":
        """Become a fitted scaler from what `to_arrays` gave.

        Raises
        ------
        ValueError
            The array has another shape, is missing, or is one too many.
        """
        self.n_features_in_ = n_features
        self._check_widths(n_features)
        self.divisors_ = arrays.get("divisors_")
        learns = find_scaling(self.scaling).divide_by not in ("", "row length")
        if learns != (self.divisors_ is not None):
            raise ValueError(f"its divisors don't belong to the scaling {self.scaling!r}")
        if self.divisors_ is not None and self.divisors_.shape != (n_features,):
            raise ValueError("its divisors don't fit its features")
        return self

    def _validated(self, X, **options) -> np.ndarray:
        try:
            return validate_data(self, X, dtype=[np.float64, np.float32], **options)
        except ValueError as error:
            raise InputError(" ".join(str(error).split())) from error

    def _check_widths(self, n_features: int) -> None:
        if self.widths is not None and sum(self.widths) != n_features:
            raise InputError(
                f"The 'widths' parameter of FeatureScaler must sum to the {n_features} columns of "
                f"X. Got {list(self.widths)!r}, which sum to {sum(self.widths)}."
            )

    def _layers(self) -> Iterator[slice]:
        widths: Sequence[int] = [self.n_features_in_] if self.widths is None else self.widths
        end = 0
        for width in widths:
            yield slice(end, end + width)
            end += width

    def _learn(self, divide_by: str, X: np.ndarray) -> np.ndarray | None:
        if divide_by == "column max":
            return _nonzero(np.abs(X).max(axis=0))
        if divide_by == "column std":
            return _nonzero(X.std(axis=0, dtype=np.float64)).astype(X.dtype)
        if divide_by == "mean length":
            means = np.empty(X.shape[1], dtype=X.dtype)
            for columns in self._layers():
                means[columns] = _lengths(X[:, columns]).mean(dtype=np.float64)
            return _nonzero(means)
        return None


def _signed_root(X: np.ndarray) -> np.ndarray:
    return np.copysign(np.sqrt(np.abs(X)), X)


def _lengths(X: np.ndarray) -> np.ndarray:
    """Euclidean lengths of rows; the largest value is taken out, so that squares can't overflow."""
    largest = _nonzero(np.abs(X).max(axis=1, initial=0))
    return largest * np.sqrt(np.square(X / largest[:, None]).sum(axis=1))


def _nonzero(values: np.ndarray) -> np.ndarray:
    return np.where(values == 0, values.dtype.type(1), values)
