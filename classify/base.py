"""What the estimators share: label encoding, checks of arrays, shapes of scores and predictions."""

from collections.abc import Mapping
from functools import wraps
from typing import ClassVar, Protocol

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from features.errors import InputError

UNKNOWN = -1
ROWS_AT_ONCE = 4096  # of labels that are checked together


def encode_labels(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels in any accepted form into one int8 array.

    Parameters
    ----------
    Y : array of shape (n,) or (n, L)
        One column with at most two classes of any type, of which the second in sorted order counts
        as present; or an indicator of 1 (present), 0 (absent) and -1 (unknown).

    Returns
    -------
    targets : int8 array of shape (n, L)
        1, 0 or -1. L is 1 for a single column.
    classes : array
        The sorted classes of a single column, or ``arange(L)`` for an indicator.

    Raises
    ------
    InputError
        For more than two classes, other values than -1, 0 and 1, or no positive label at all.

    Examples
    --------
    >>> encode_labels(["cat", "dog", "cat"])[0].ravel()
    array([0, 1, 0], dtype=int8)
    """
    Y = np.asarray(Y)
    if Y.ndim == 2:
        return _encode_indicator(Y), np.arange(Y.shape[1])
    y = column_or_1d(Y)
    check_classification_targets(y)
    classes = np.unique(y)
    if len(classes) > 2:
        kind = type_of_target(y)
        # The first sentence is the one scikit-learn's own binary classifiers use.
        raise InputError(
            f"Only binary classification is supported. The type of the target is {kind}: "
            f"give one column of 0 and 1 for each of the {len(classes)} classes"
        )
    return (y == classes[-1]).astype(np.int8)[:, None], classes


def _encode_indicator(Y: np.ndarray) -> np.ndarray:
    any_positive = False
    for start in range(0, len(Y), ROWS_AT_ONCE):  # labels may be many, and mapped into memory
        block = Y[start : start + ROWS_AT_ONCE]
        present = block == 1
        any_positive = any_positive or bool(present.any())
        wrong = np.argwhere(~(present | (block == 0) | (block == UNKNOWN)))
        if len(wrong):
            row, column = start + wrong[0][0], wrong[0][1]
            raise InputError(
                f"Y has {Y[row, column]!r} in row {row}, column {column}: "
                "an indicator holds 1 (present), 0 (absent) and -1 (unknown) only"
            )
    if not any_positive:
        raise InputError(
            f"Y has no positive label at all in {Y.shape[0]} rows and {Y.shape[1]} columns: "
            "give at least one image with a label, or check which column holds what"
        )
    return Y.astype(np.int8, copy=False)


def check_finite(X: np.ndarray) -> None:
    """Raise an `InputError` that names the first NaN or infinite value of `X` (n, d)."""
    # A sum is finite only if all its terms are; the search is left for the rare other case.
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(X.sum(axis=1)))
    for row in suspects:
        columns = np.flatnonzero(~np.isfinite(X[row]))
        if len(columns):
            raise InputError(
                f"X has {'NaN' if np.isnan(X[row, columns[0]]) else 'inf'} in row {row}, column "
                f"{columns[0]}: drop that row or extract its features again"
            )


def check_sample_weight(sample_weight, n_rows: int) -> np.ndarray:
    """Return `sample_weight` as float64 of shape (n,), ones for None.

    Raises
    ------
    InputError
        For a wrong shape, NaN, infinite or negative weights, or no weight above 0.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_rows,):
        raise InputError(
            f"sample_weight has shape {weights.shape}: give one weight per row, shape ({n_rows},)"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError(
            "sample_weight has a negative, infinite or NaN value: weights are 0 or more"
        )
    if not weights.any():
        raise InputError("sample_weight is zero in every row: give at least one row some weight")
    return weights


def usable_rows(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """List the rows that can be learned from: with a known label and a weight above 0.

    Parameters
    ----------
    targets : int8 array of shape (n, L)
    weights : array of shape (n,)

    Returns
    -------
    ndarray of int
        Ascending.

    Raises
    ------
    InputError
        There is none.

    Examples
    --------
    >>> usable_rows(np.array([[-1, 0], [-1, -1], [1, 0]]), np.array([1.0, 1.0, 0.0]))
    array([0])
    """
    rows = np.flatnonzero((weights > 0) & (targets != UNKNOWN).any(axis=1))
    if len(rows) == 0:
        raise InputError("no row has both a known label and a sample_weight above 0: give one")
    return rows


def check_size(X: np.ndarray) -> None:
    """Raise an `InputError` where sums of squares of the finite `X` (n, d) overflow its type.

    No solver or descent of this library can then tell a good weight from a bad one.
    """
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", X, X)
        if np.isfinite(squares.sum() * max(X.shape)):
            return
    row = int(np.argmax(squares))
    column = int(np.argmax(np.abs(X[row])))
    raise InputError(
        f"X has {X[row, column]:g} in row {row}, column {column}, and sums of such squares "
        f"overflow {X.dtype}: divide the features by a constant"
    )


def check_fitted_numbers(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise an `InputError` that names the first of a fit's `arrays` that is not finite."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"the fit gave {name} with NaN or infinite values: scale the features, or "
                "regularize more (a lower C, a higher weight_decay)"
            )


class Tagger(ClassifierMixin, BaseEstimator):
    """Base of the estimators: `fit` encodes labels with it, scores and predictions take its shapes.

    A subclass implements ``fit``, which begins with ``self._start_fit(X, y)``, and
    ``_scores(X) -> (n, L)``. `fitted_arrays` names the fitted attributes that ``_scores`` reads;
    a ``fit`` that leaves NaN or infinite values in them raises an `InputError`.
    """

    fitted_arrays: ClassVar[tuple[str, ...]] = ("coef_", "intercept_")

    def __init_subclass__(cls, **options):
        """Check the arrays at the end of the subclass's ``fit``."""
        super().__init_subclass__(**options)
        if "fit" in vars(cls):
            cls.fit = _with_finite_arrays(cls.fit)

    def __sklearn_tags__(self):
        """Declare one binary column or several, and no more than two classes in one column."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags

    def _start_fit(self, X, y) -> tuple[np.ndarray, np.ndarray]:
        """Check `X` and `y`, set what every fitted tagger has; return X and int8 targets (n, L)."""
        X, y = self._validated(X, y, multi_output=True)
        if not getattr(X, "reads_rows", False):
            check_size(X)
        targets, self.classes_ = encode_labels(y)
        self.multilabel_ = y.ndim == 2
        return X, targets

    def _validated(self, *data, **options):
        dtypes = [np.float64, np.float32]  # kept as they come: a float32 matrix is not copied
        try:
            checked = validate_data(self, *data, dtype=dtypes, ensure_all_finite=False, **options)
        except ValueError as error:
            text = " ".join(str(error).split())
            if "features as input" in text:
                text = f"{text.rstrip('.')}: give the layers that it was fitted with"
            raise InputError(text) from error
        check_finite(checked[0] if isinstance(checked, tuple) else checked)
        return checked

    def _scores(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define _scores")

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give the arrays that the scores of a fitted tagger are computed from.

        Returns
        -------
        dict of str to ndarray
            By attribute; a number is an array without dimensions.
        """
        check_is_fitted(self)
        return {name: np.asarray(getattr(self, name)) for name in self.fitted_arrays}

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_features: int, n_labels: int):
        """Become a fitted tagger of an (n, L) indicator, from what `to_arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        n_features, n_labels : int

        Returns
        -------
        self

        Raises
        ------
        KeyError
            An array is missing.
        """
        for name in self.fitted_arrays:
            array = arrays[name]
            setattr(self, name, array if array.ndim else array.item())
        self.classes_, self.multilabel_ = np.arange(n_labels), True
        self.n_features_in_ = n_features
        return self

    def decision_function(self, X) -> np.ndarray:
        """Score every label of every row; above 0 means present.

        Parameters
        ----------
        X : array of shape (n, d)

        Returns
        -------
        scores : array of shape (n, L), or (n,) when fitted with a single column
        """
        check_is_fitted(self)
        scores = self._scores(self._validated(X, reset=False))
        return scores if self.multilabel_ else scores[:, 0]

    def predict(self, X) -> np.ndarray:
        """Decide every label of every row: present where the score is above 0.

        Parameters
        ----------
        X : array of shape (n, d)

        Returns
        -------
        labels : int array of 0 and 1 of shape (n, L), or the classes of shape (n,) when fitted with
            a single column
        """
        positive = self.decision_function(X) > 0
        if self.multilabel_:
            return positive.astype(int)
        return np.where(positive, self.classes_[-1], self.classes_[0])


def _with_finite_arrays(fit):
    @wraps(fit)
    def checked(self, *args, **options):
        # What can't be computed is said in one line, here or where it was noticed.
        with np.errstate(over="ignore", invalid="ignore"):
            fitted = fit(self, *args, **options)
        check_fitted_numbers(fitted.to_arrays())
        return fitted

    return checked


class RowSource(Protocol):
    """A matrix that stays on disk and gives some rows at a time, as `features.rows.CacheRows`.

    It holds no NaN, and `reads_rows` is True so that no check takes it for an array.
    """

    reads_rows: bool
    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def take(self, where, axis=0, out=None, mode="raise") -> np.ndarray:
        """Read some rows, as `numpy.take` does."""


class BatchTagger(Tagger):
    """Base of those that read a batch of rows at a time, and take a `RowSource` too."""

    def _validated(self, *data, **options):
        if not (len(data) == 2 and getattr(data[0], "reads_rows", False)):
            return super()._validated(*data, **options)
        rows, y = data  # scikit-learn's checks would read it as a whole
        y = np.asarray(y)
        if len(rows) != len(y):
            raise InputError(
                f"X has {len(rows)} rows of a cache and y has {len(y)}: give labels of those rows"
            )
        self.n_features_in_ = rows.shape[1]
        return rows, y
