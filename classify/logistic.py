"""L1 and L2 logistic regression, one per label, over one shared feature matrix.

It turns labels, weights and unknown cells into what a solver takes, and what a solver returns into
an estimator. How a problem is solved lies in ``classify.solvers``.
"""

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from classify.base import (
    UNKNOWN,
    BatchTagger,
    check_fitted_numbers,
    check_sample_weight,
    encode_labels,
)
from classify.losses.class_weights import cell_weights, class_weights
from classify.losses.logistic import LogisticLoss
from classify.parameters import Number, OneOf, check_parameters
from classify.solvers import duality_gap, l2, liblinear, newton_l1, streamed_l2
from classify.solvers.solution import Solution
from features.errors import InputError

_TOL = 1e-4  # relative duality gap
_FROM_DISK = (("l2", "auto"), ("l2", "newton"))  # penalties and solvers that take rows on disk


@dataclass(frozen=True)
class _Problem:
    """The labels that need a solver, and what the others get instead."""

    loss: LogisticLoss
    fitted: np.ndarray  # (L,): whether the label is in the loss
    constants: np.ndarray  # (L,): score of each label, were it constant
    by_class: np.ndarray | None = None  # of the labels in the loss, (k, 2): absent, present


class LogisticTagger(BatchTagger):
    """Logistic regression with an L1 or L2 penalty, an independent problem for every label.

    For one label with signs y of -1 and 1, sample weights s and the penalty norm(w), which is
    ``sum |w|`` or ``sum w**2 / 2``, it minimizes LIBLINEAR's objective

        norm(w) + C sum_i s_i k(y_i) log(1 + exp(-y_i (w . x_i + b))),

    k being the weights of the label's classes, 1 by default.

    A label that has no positive or no negative among its known rows gets no solver but the constant
    score log((p + 1/2) / (q + 1/2)) of its p positive and q negative rows.

    Parameters
    ----------
    penalty : {"l1", "l2"}
    C : float
        Weight of the loss; the default is LIBLINEAR's.
    solver : {"auto", "newton", "liblinear"}
        "newton" fits all labels side by side over one shared matrix, to a certified gap: with L1,
        proximal Newton steps on working sets; with L2, Newton's method in an eigenbasis.
        "liblinear" is the official LIBLINEAR (``-s 6`` or ``-s 0``), which repeats what papers that
        used it report. "auto" is "newton".
    tol : float, optional
        When to stop. For "newton" the duality gap relative to the objective, by default 1e-4. For
        LIBLINEAR its ``-e``, by default its own 0.01, which on image features stops far from the
        optimum.
    bias : {"penalized", "unpenalized", "none"}
        LIBLINEAR's ``-B 1`` (a constant feature, penalized like the others), ``-B 1 -R`` or
        ``-B -1``.
    n_jobs : int, optional
        Processes that share the labels of one LIBLINEAR fit. "newton" takes as many threads as
        numpy's linear algebra does.
    class_weight : None, "balanced", mapping or array_like of shape (L,) or (L, 2)
        k of each label: by the frequency of its classes among known cells, as scikit-learn's for
        each label by itself; or given, as in `classify.losses.class_weights.class_weights`.
    rare_weight : float, optional
        In place of `class_weight`: the power, from 0 to 1, of the "balanced" weights.

    Attributes
    ----------
    coef_ : float64 array of shape (L, d)
    intercept_ : float64 array of shape (L,)
    objective_ : float64 array of shape (L,)
        Value reached; NaN for a constant label, which is no minimum of anything.
    dual_gap_ : float64 array of shape (L,)
        How far above the minimum the objective is at most; NaN for a constant label.
    n_iter_ : int array of shape (L,)
        Newton steps of each label; not set by LIBLINEAR.
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
        "solver": OneOf(("auto", "newton", "liblinear")),
        "tol": Number(low=0.0, above=True, or_none=True),
        "bias": OneOf(("penalized", "unpenalized", "none")),
        "n_jobs": Number(Integral, or_none=True),
        "rare_weight": Number(low=0.0, high=1.0, or_none=True),
    }

    def __init__(
        self,
        penalty="l1",
        *,
        C=1.0,
        solver="auto",
        tol=None,
        bias="penalized",
        n_jobs=None,
        class_weight=None,
        rare_weight=None,
    ):
        self.penalty = penalty
        self.C = C
        self.solver = solver
        self.tol = tol
        self.bias = bias
        self.n_jobs = n_jobs
        self.class_weight = class_weight
        self.rare_weight = rare_weight

    def fit(self, X, y, sample_weight=None):
        """Fit every label.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            With L2 and the solver "newton" also `features.rows.CacheRows`, whose rows stay on disk.
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
        X, problem = self._start_problem(X, y, sample_weight)
        [solution] = self._solve(X, problem, [self.C])
        return self._learn(problem, solution)

    def fit_path(self, X, y, Cs: Sequence[float], sample_weight=None) -> list["LogisticTagger"]:
        """Fit every label at every C, for little more than the largest one alone would take.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        Cs : sequence of float
            In any order.

        Returns
        -------
        list of LogisticTagger
            One fitted for each C, in the order of `Cs`. The estimator itself stays unfitted.

        Raises
        ------
        InputError
            As in `fit`.
        """
        models = [clone(self).set_params(C=C) for C in Cs]
        for model in models:
            check_parameters(model, self._allowed)
        started = clone(self)
        X, problem = started._start_problem(X, y, sample_weight)
        increasing = sorted(set(Cs))
        with np.errstate(over="ignore", invalid="ignore"):
            solutions = dict(zip(increasing, self._solve(X, problem, increasing), strict=True))
        fitted = [copy(started).set_params(C=C)._learn(problem, solutions[C]) for C in Cs]
        for model in fitted:
            check_fitted_numbers(model.to_arrays())
        return fitted

    def _start_problem(self, X, y, sample_weight) -> tuple[np.ndarray, _Problem]:
        if getattr(X, "reads_rows", False) and (self.penalty, self.solver) not in _FROM_DISK:
            raise InputError(
                f"LogisticTagger with {self.penalty!r} and the solver {self.solver!r} takes X in "
                'memory only, and rows on disk came: give an array, or penalty="l2" and "newton"'
            )
        X, targets = self._start_fit(X, y)
        weights = check_sample_weight(sample_weight, len(X))
        options = {"class_weight": self.class_weight, "rare_weight": self.rare_weight}
        by_class = class_weights(targets, weights, self.classes_, **options)
        return X, _problem(targets, weights, by_class)

    def _solve(self, X: np.ndarray, problem: _Problem, Cs: Sequence[float]) -> list[Solution]:
        loss = problem.loss
        if len(loss) == 0:
            return [Solution.zeros(0, X.shape[1]) for _ in Cs]
        if self.solver == "liblinear":
            options = {"penalty": self.penalty, "bias": self.bias, "n_jobs": self.n_jobs}
            options["class_weights"] = problem.by_class
            return [liblinear.solve(X, loss, C=C, tol=self.tol, **options) for C in Cs]
        tol = _TOL if self.tol is None else self.tol
        solve_path = (newton_l1 if self.penalty == "l1" else l2).solve_path
        if getattr(X, "reads_rows", False):
            solve_path = streamed_l2.solve_path
        solutions = solve_path(X, loss, Cs, bias=self.bias, tol=tol)
        worst = np.max([solution.gap / solution.objective for solution in solutions])
        if not worst <= tol:  # a gap that is not a number proves nothing
            warnings.warn(
                f"stopped at a relative duality gap of {worst:.1e}, short of tol={tol:.1e}: "
                "raise tol, scale the features or lower C",
                ConvergenceWarning,
                stacklevel=3,
            )
        return solutions

    def _learn(self, problem: _Problem, solution: Solution) -> "LogisticTagger":
        fitted = problem.fitted
        self.coef_ = np.zeros((len(fitted), solution.coef.shape[1]))
        self.coef_[fitted] = solution.coef
        self.intercept_ = problem.constants.copy()
        self.intercept_[fitted] = solution.intercept
        self.objective_, self.dual_gap_ = np.full((2, len(fitted)), np.nan)
        self.objective_[fitted], self.dual_gap_[fitted] = solution.objective, solution.gap
        if self.solver != "liblinear":
            self.n_iter_ = np.zeros(len(fitted), dtype=int)
            self.n_iter_[fitted] = solution.n_iter
        return self

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T.astype(X.dtype) + self.intercept_


def objective_and_gap(
    X,
    y,
    coef: np.ndarray,
    intercept: np.ndarray,
    *,
    penalty: str = "l1",
    C: float = 1.0,
    bias: str = "penalized",
    sample_weight=None,
    class_weight=None,
    rare_weight=None,
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate weights, whichever solver they come from, by the objective of `LogisticTagger`.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
    coef : array of shape (L, d)
    intercept : array of shape (L,)
    penalty, C, bias, class_weight, rare_weight
        As in `LogisticTagger`.
    sample_weight : array of shape (n,), optional

    Returns
    -------
    objective : float64 array of shape (L,)
    gap : float64 array of shape (L,)
        How far above the minimum the objective is at most.

    Examples
    --------
    >>> objective, gap = objective_and_gap([[1.0], [-1.0]], [1, 0], np.zeros((1, 1)), np.zeros(1))
    >>> float(objective[0]).__round__(4), float(gap[0]).__round__(4)
    (1.3863, 0.0)
    """
    targets, classes = encode_labels(y)
    weights = check_sample_weight(sample_weight, len(targets))
    options = {"class_weight": class_weight, "rare_weight": rare_weight}
    problem = _problem(targets, weights, class_weights(targets, weights, classes, **options))
    fitted = problem.fitted
    result = np.full((2, len(fitted)), np.nan)  # as for a constant label
    result[:, fitted] = duality_gap.objective_and_gap(
        np.asarray(X),
        problem.loss.take(slice(None)),
        np.asarray(coef)[fitted],
        np.asarray(intercept)[fitted],
        penalty=penalty,
        C=C,
        bias=bias,
    )
    return result[0], result[1]


def _problem(
    targets: np.ndarray, sample_weight: np.ndarray, by_class: np.ndarray | None = None
) -> _Problem:
    signs = np.where(targets == 1, 1, -1).astype(np.int8)
    weights = sample_weight[:, None]  # shared by the labels, unless a cell is unknown
    if (targets == UNKNOWN).any():
        weights = weights * (targets != UNKNOWN)
    positive = ((signs > 0) * weights).sum(axis=0)
    negative = ((signs < 0) * weights).sum(axis=0)
    if by_class is not None:
        weights = sample_weight[:, None] * cell_weights(targets, by_class)
        # A class without weight is as good as absent.
        negative, positive = negative * (by_class[:, 0] > 0), positive * (by_class[:, 1] > 0)
    fitted = (positive > 0) & (negative > 0)
    constants = np.log((positive + 0.5) / (negative + 0.5))
    loss = LogisticLoss(signs[:, fitted], weights[:, fitted] if weights.shape[1] > 1 else weights)
    return _Problem(loss, fitted, constants, None if by_class is None else by_class[fitted])
