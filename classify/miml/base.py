"""What the estimators of bags share: checks, constant labels, and the T-criterion."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from classify.base import UNKNOWN, encode_labels
from classify.miml.scaling import SCALINGS, InstanceScaler
from classify.miml.stored import Stored
from classify.parameters import Flag, Number, OneOf, check_parameters
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


class BagTagger(Stored, ClassifierMixin, BaseEstimator):
    """Base of the estimators of bags.

    A subclass names its parameters in `_allowed` and implements `_fit(prepared, Y, rng)` and
    `_scores(prepared) -> (n, L)`. Both see only labels with both classes in training: a label
    without a positive example scores below all others, one without a negative above them, and no
    solver is called for either. What they see of bags comes from `_prepare` and `_prepare_new`, by
    default the bags with scaled instances. A method whose fits begin with work that needs no labels
    (distances, clusters) does it there, and names the parameters that this work depends on in
    `preparation`, so that a search of the other parameters does it once.
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {}
    preparation: ClassVar[tuple[str, ...]] = ("scaling",)

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
        return self.fit_prepared(*self._started(X, Y))

    def _started(self, X, Y) -> tuple[Any, np.ndarray]:
        """Check bags and labels, and do the part of `fit` that needs no labels."""
        check_parameters(self, self._allowed)
        bags = self._checked(X)
        Y = _full_labels(Y, len(bags))
        scaled = self._fit_scaling(bags)
        return self._prepare(scaled) if _varying(Y).any() else None, Y

    def prepare(self, X) -> Any:
        """Do the part of `fit` that needs no labels.

        Parameters
        ----------
        X
            Bags, as for `fit`.

        Returns
        -------
        object
            For `fit_prepared`, also of this estimator with other values of the parameters that
            `preparation` does not name.
        """
        check_parameters(self, self._allowed)
        return self._prepare(self._fit_scaling(self._checked(X)))

    def fit_prepared(self, prepared, Y):
        """Do the part of `fit` that needs labels.

        Parameters
        ----------
        prepared
            What `prepare` of this estimator gave.
        Y : array of shape (n, L)
            As for `fit`.

        Returns
        -------
        self
        """
        check_parameters(self, self._allowed)
        Y = np.asarray(Y)
        self.classes_ = np.arange(Y.shape[1])
        self.always_, self.varying_ = Y.all(axis=0), _varying(Y)
        if self.varying_.any():
            self._fit(prepared, Y[:, self.varying_], self._rng())
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
        if self.varying_.any():
            return self.score_prepared(self.prepare_new(X))
        return np.tile(np.where(self.always_, 1.0, -1.0), (len(self._checked_new(X)), 1))

    def prepare_new(self, X) -> Any:
        """Do the part of `decision_function` that depends on `preparation` only."""
        return self._prepare_new(self._checked_new(X))

    def score_prepared(self, prepared) -> np.ndarray:
        """Score bags from what `prepare_new` gave: float64 (n, L)."""
        varying = np.asarray(self._scores(prepared), dtype=np.float64)
        scores = np.zeros((len(varying), len(self.varying_)))
        scores[:, self.varying_] = varying
        low, high = varying.min(axis=1, initial=0.0), varying.max(axis=1, initial=0.0)
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

    def _fit(self, prepared, Y: np.ndarray, rng: np.random.Generator) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fit")

    def _scores(self, prepared) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define _scores")

    def _prepare(self, bags) -> Any:
        return bags

    def _prepare_new(self, bags) -> Any:
        return bags

    def _checked(self, X) -> Bags:
        return as_bags(X)

    def _fit_scaling(self, bags: Bags) -> Bags:
        """Learn the scaling from the training instances and apply it."""
        self.n_features_in_ = bags.width
        self.scaler_ = InstanceScaler(self.scaling).fit(bags.instances)
        return bags.replace(self.scaler_.transform(bags.instances))

    def _checked_new(self, X) -> Bags:
        """Check bags to score, and scale them."""
        bags = self._checked(X)
        if bags.width != self.n_features_in_:
            raise InputError(
                f"the bags have {bags.width} columns, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}: give instances made like those"
            )
        return bags.replace(self.scaler_.transform(bags.instances))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(getattr(self, "random_state", 0))


def _varying(Y: np.ndarray) -> np.ndarray:
    """Tell which labels have both classes."""
    return np.asarray(Y.any(axis=0) & ~Y.all(axis=0))


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
