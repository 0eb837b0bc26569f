"""L1 and L2 logistic regression, one per label, over one shared feature matrix.

It turns labels, weights and unknown cells into what a solver takes, and what a solver returns into
an estimator. How a problem is solved lies in ``classify.solvers``.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.base import (
    UNKNOWN,
    Number,
    OneOf,
    Tagger,
    check_parameters,
    check_sample_weight,
)
from classify.losses import logistic_value
from classify.solvers import liblinear


class LogisticTagger(Tagger):
    """Logistic regression with an L1 or L2 penalty, an independent problem for every label.

    For one label with signs y of -1 and 1, sample weights s and the penalty norm(w), which is
    ``sum |w|`` or ``1/2 sum w**2``, it minimises LIBLINEAR's objective

        norm(w) + C sum_i s_i log(1 + exp(-y_i (w . x_i + b))).

    A label that has no positive or no negative among its known rows gets no solver but the constant
    score log((p + 1/2) / (q + 1/2)) of its p positive and q negative rows.

    Parameters
    ----------
    penalty : {"l1", "l2"}
    C : float
        Weight of the loss; the default is LIBLINEAR's.
    solver : {"auto", "liblinear"}
        "liblinear" is the official LIBLINEAR (``-s 6`` or ``-s 0``), which repeats what papers that
        used it report.
    tol : float, optional
        When to stop. For LIBLINEAR its ``-e``, by default its own 0.01, which on image features
        stops far from the optimum.
    bias : {"penalized", "unpenalized", "none"}
        LIBLINEAR's ``-B 1`` (a constant feature, penalised like the others), ``-B 1 -R`` or
        ``-B -1``.
    n_jobs : int, optional
        Processes that share the labels of one fit.

    Attributes
    ----------
    coef_ : float64 array of shape (L, d)
    intercept_ : float64 array of shape (L,)
    objective_ : float64 array of shape (L,)
        Value reached; NaN for a constant label, which is no minimum of anything.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0], [1.0], [2.0], [3.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> LogisticTagger(penalty="l2").fit(X, Y).predict([[0.5]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number]] = {
        "penalty": OneOf(("l1", "l2")),
        "C": Number(low=0.0, above=True),
        "solver": OneOf(("auto", "liblinear")),
        "tol": Number(low=0.0, above=True, or_none=True),
        "bias": OneOf(("penalized", "unpenalized", "none")),
        "n_jobs": Number(Integral, or_none=True),
    }

    def __init__(
        self, penalty="l1", *, C=1.0, solver="auto", tol=None, bias="penalized", n_jobs=None
    ):
        self.penalty = penalty
        self.C = C
        self.solver = solver
        self.tol = tol
        self.bias = bias
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        """Fit every label.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
            A row counts for a label only where that label is known.
        sample_weight : array of shape (n,), optional
            Default 1. LIBLINEAR takes whole numbers only.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, or for X, y or weights that can't be fitted.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        sample_weight = check_sample_weight(sample_weight, len(X))
        weights = np.where(targets == UNKNOWN, 0.0, sample_weight[:, None])
        signs = np.where(targets == 1, 1.0, -1.0)
        positive = ((signs > 0) * weights).sum(axis=0)
        negative = ((signs < 0) * weights).sum(axis=0)
        fitted = (positive > 0) & (negative > 0)

        self.coef_ = np.zeros((targets.shape[1], X.shape[1]))
        self.intercept_ = np.log((positive + 0.5) / (negative + 0.5))
        self.objective_ = np.full(targets.shape[1], np.nan)
        if fitted.any():
            signs, weights = signs[:, fitted], weights[:, fitted]
            coef, intercept = liblinear.solve(
                X,
                signs,
                weights,
                penalty=self.penalty,
                C=self.C,
                bias=self.bias,
                tol=self.tol,
                n_jobs=self.n_jobs,
            )
            self.coef_[fitted], self.intercept_[fitted] = coef, intercept
            margins = signs * (X @ coef.T + intercept)
            loss = self.C * (weights * logistic_value(margins)).sum(axis=0)
            self.objective_[fitted] = loss + self._norm(coef, intercept)
        return self

    def _norm(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        if self.bias == "penalized":
            coef = np.column_stack([coef, intercept])
        return np.abs(coef).sum(axis=1) if self.penalty == "l1" else (coef**2).sum(axis=1) / 2

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T.astype(X.dtype) + self.intercept_
