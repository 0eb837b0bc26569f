"""What the estimators of bags share: checks, constant labels, and the T-criterion."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from classify.base import UNKNOWN, Flag, Number, OneOf, check_parameters, encode_labels
from classify.miml.scaling import SCALINGS, InstanceScaler
from features.bags.packed import Bags
from features.errors import InputError


def t_criterion(scores: np.ndarray) -> np.ndarray:
    """Predict the labels with a positive score, or the best one where there is none.

    The rule of MIMLSVM (Zhou et al., Artificial Intelligence 2012, section 4.2).

    Parameters
    ----------
    scores : array of shape (n, L)

    Returns
    -------
    int array of shape (n, L)
        1 and 0. Of equal best scores the first counts.

    Examples
    --------
    >>> t_criterion(np.array([[1.0, 2.0, -1.0], [-3.0, -2.0, -2.0]]))
    array([[1, 1, 0],
           [0, 1, 0]])
    """
    predicted = scores > 0
    rows = np.flatnonzero(~predicted.any(axis=1))
    predicted[rows, scores[rows].argmax(axis=1)] = True
    return predicted.astype(int)


def as_bags(X: Any) -> Bags:
    """Take bags as `Bags`, as an array (n, size, d), or as a sequence of matrices (size, d).

    Raises
    ------
    InputError
        For an empty bag, NaN, infinite values, and anything else.
    """
    if isinstance(X, Bags):
        return X
    if isinstance(X, np.ndarray) and X.dtype != object:
        return Bags.from_array(X)
    if isinstance(X, Sequence | np.ndarray) and not isinstance(X, str):
        return Bags.from_list(list(X))
    raise InputError(f"bags must be Bags, an array or a list of matrices, got {type(X).__name__}")


class BagTagger(ClassifierMixin, BaseEstimator):
    """Base of the estimators of bags.

    A subclass names its parameters in `_allowed` and implements `_fit(bags, Y, rng)` and
    `_scores(bags) -> (n, L)`. Both see scaled instances, and only labels with both classes in
    training: a label without a positive example scores below all others, one without a negative
    above them, and no solver is called for either.
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {}

    def fit(self, X, Y):
        """Fit to labeled bags.

        Parameters
        ----------
        X : Bags, array of shape (n, size, d) or sequence of n arrays of shape (size, d)
        Y : array of shape (n, L)
            1 = present, 0 = absent. Unknown labels are refused.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, bags or labels that can't be used, and labels of
            another number of bags.
        """
        X, Y = self._start_fit(X, Y)
        if self.varying_.any():
            self._fit(X, Y[:, self.varying_], self._rng())
        return self

    def decision_function(self, X) -> np.ndarray:
        """Score every label of every bag; higher is likelier, above 0 means present.

        Parameters
        ----------
        X
            Bags, as for `fit`.

        Returns
        -------
        float64 ndarray of shape (n, L)
        """
        check_is_fitted(self, "varying_")
        bags = self._prepared(X)
        scores = np.zeros((len(bags), len(self.varying_)))
        if self.varying_.any():
            varying = np.asarray(self._scores(bags), dtype=np.float64)
            scores[:, self.varying_] = varying
            low, high = varying.min(axis=1, initial=0.0), varying.max(axis=1, initial=0.0)
        else:
            low = high = np.zeros(len(bags))
        scores[:, ~self.varying_ & ~self.always_] = (low - 1)[:, None]
        scores[:, ~self.varying_ & self.always_] = (high + 1)[:, None]
        return scores

    def predict(self, X) -> np.ndarray:
        """Predict label sets by the T-criterion: positive scores, or else the best one.

        Parameters
        ----------
        X
            Bags, as for `fit`.

        Returns
        -------
        int ndarray of 0 and 1, shape (n, L)
        """
        return t_criterion(self.decision_function(X))

    def _fit(self, bags, Y: np.ndarray, rng: np.random.Generator) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fit")

    def _scores(self, bags) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define _scores")

    def _start_fit(self, X, Y) -> tuple[Any, np.ndarray]:
        check_parameters(self, self._allowed)
        bags = self._checked(X)
        Y = _full_labels(Y, len(bags))
        self.classes_ = np.arange(Y.shape[1])
        self.always_ = Y.all(axis=0)
        self.varying_ = Y.any(axis=0) & ~self.always_
        return self._fit_scaling(bags), Y

    def _checked(self, X) -> Bags:
        return as_bags(X)

    def _fit_scaling(self, bags: Bags) -> Bags:
        """Learn the scaling from the training instances and apply it."""
        self.n_features_in_ = bags.width
        self.scaler_ = InstanceScaler(self.scaling).fit(bags.instances)
        return bags.replace(self.scaler_.transform(bags.instances))

    def _prepared(self, X) -> Bags:
        bags = self._checked(X)
        if bags.width != self.n_features_in_:
            raise InputError(
                f"the bags have {bags.width} columns, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}: give instances made like those"
            )
        return bags.replace(self.scaler_.transform(bags.instances))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(getattr(self, "random_state", 0))


def _full_labels(Y, n: int) -> np.ndarray:
    targets = np.asarray(Y)
    if targets.ndim != 2 or len(targets) != n:
        raise InputError(
            f"labels of {n} bags must have shape ({n}, L), got {targets.shape}: give one row per "
            "bag and one column per label"
        )
    encoded, _ = encode_labels(targets)
    unknown = np.argwhere(encoded == UNKNOWN)
    if len(unknown):
        raise InputError(
            f"label {unknown[0][1]} of bag {unknown[0][0]} is unknown (-1): multi-instance methods "
            "need every label; leave such bags out"
        )
    return encoded


#: Rules for the parameters that every method has.
SHARED: Mapping[str, OneOf | Number | Flag] = {"scaling": OneOf(SCALINGS)}
