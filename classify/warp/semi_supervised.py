"""A tagger fitted to labeled and unlabeled rows together (SS-RMLC with `WarpTagger`)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from classify.base import (
    UNKNOWN,
    BatchTagger,
    check_sample_weight,
    check_size,
    encode_labels,
    usable_rows,
)
from classify.parameters import Flag, Number, OneOf, check_parameters
from classify.warp.propagation import propagate_labels
from classify.warp.tagger import WarpTagger
from features.errors import InputError, check_choice


class SemiSupervisedTagger(BatchTagger):
    """A tagger on labeled rows and on unlabeled ones, which take their neighbors' labels.

    Each unlabeled row gets the labels of its nearest labeled row, once, before training, and its
    loss the weight exp(-d / t) of their distance d (`classify.warp.propagation`). A clone of the
    estimator is then fitted to the labeled rows, followed by the unlabeled ones.

    A `WarpTagger` sets rows aside for early stopping before labels are propagated: they give no
    labels, and its `init` is fitted to labeled rows only. Any other estimator is fitted to a copy
    of the rows and to the weights as its `sample_weight`.

    A row is unlabeled where all of its cells are -1. In a single column it is where the entry is
    -1, provided that two other classes occur: -1 beside one class only is a class of its own.

    Parameters
    ----------
    estimator : classify.base.Tagger, optional
        Default ``WarpTagger()``. Its `fit` must take `sample_weight`.
    temperature : {"mean_all", "mean_unlabeled"} or float
        t, as in `classify.warp.propagation.propagate_labels`.
    labeled_weight : float
        Weight of the loss of a labeled row; that of an unlabeled one is at most 1.

    Attributes
    ----------
    estimator_ : classify.base.Tagger
        The fitted clone.
    coef_, intercept_ : arrays of shapes (L, d) and (L,)
        Those of a linear `estimator_`.
    temperature_ : float
        t in use; NaN if no row was unlabeled.
    propagated_labels_ : int8 array of shape (n, L)
        The labels that were trained on.
    label_weights_ : float64 array of shape (n,)
        The weight of each row's loss, apart from `sample_weight`.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]]
    >>> Y = [[1, 0], [-1, -1], [-1, -1], [0, 1]]
    >>> SemiSupervisedTagger().fit(X, Y).propagated_labels_[1:3]
    array([[1, 0],
           [0, 1]], dtype=int8)
    """

    #: In the code for few labels, pairs and single labels weigh alike and labeled rows count 5.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"labeled_weight": 1.0},
        "official": {
            "labeled_weight": 5.0,
            "estimator__kappa": 1.0,
            "estimator__divisor": 200.0,
        },
    }

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "labeled_weight": Number(low=0.0, above=True)
    }

    def __init__(self, estimator=None, *, temperature="mean_all", labeled_weight=1.0):
        self.estimator = estimator
        self.temperature = temperature
        self.labeled_weight = labeled_weight

    @classmethod
    def from_preset(cls, name: str, **parameters):
        """Build SS-RMLC with the settings of the paper or of its released code.

        Parameters
        ----------
        name : {"paper", "official"}
        **parameters
            Others in the preset's place, as `set_params` takes them: ``estimator__epochs=5``.

        Returns
        -------
        SemiSupervisedTagger
            Around a `WarpTagger` of the same preset.

        Raises
        ------
        InputError
            For another name.
        """
        check_choice("preset", name, cls.presets, kind="name")
        tagger = cls(WarpTagger.from_preset(name))
        return tagger.set_params(**{**cls.presets[name], **parameters})

    def fit(self, X, y, sample_weight=None):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            As the estimator takes it.
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes and -1
        sample_weight : array of shape (n,), optional
            Default 1.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, for an estimator without sample weights, and as the
            estimator raises it.
        """
        check_parameters(self, self._allowed)
        estimator = self._unfitted()
        X, targets = self._start_fit(X, y)
        if isinstance(estimator, WarpTagger):
            self.estimator_ = estimator.fit_with(X, targets, self._training_rows, sample_weight)
            return self
        weights = check_sample_weight(sample_weight, len(X))
        labeled = usable_rows(targets, weights)
        rows = self._propagate(X, targets, weights, labeled)
        weights = (weights * self.label_weights_)[rows]
        labels = self.propagated_labels_[rows]
        chosen = np.take(X, rows, axis=0)
        self.estimator_ = estimator.fit(chosen, labels, sample_weight=weights)
        return self

    def _unfitted(self):
        if self.estimator is None:
            return WarpTagger()
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise InputError(
                "The 'estimator' parameter of SemiSupervisedTagger must take sample weights, as "
                f"WarpTagger and LogisticTagger do. Got {self.estimator!r}."
            )
        return clone(self.estimator)

    def _start_fit(self, X, y):
        X, y = self._validated(X, y, multi_output=True)
        if not getattr(X, "reads_rows", False):
            check_size(X)
        self.multilabel_ = y.ndim == 2
        known = np.ones(len(y), dtype=bool)
        if y.ndim == 1 and len(np.unique(y)) > 2:
            known = y != UNKNOWN
        encoded, self.classes_ = encode_labels(y[known])
        targets = np.full((len(y), encoded.shape[1]), UNKNOWN, dtype=np.int8)
        targets[known] = encoded
        return X, targets

    def _training_rows(self, X, targets, weights, labeled):
        """Rows, labels and weights of a `WarpTagger`, whose loss is a mean over the rows."""
        rows = self._propagate(X, targets, weights, labeled)
        return rows, self.propagated_labels_, weights / weights[rows].mean() * self.label_weights_

    def _propagate(self, X, targets, weights, labeled):
        """Label rows by their neighbors; return the rows to learn from, labeled ones first."""
        bare = (targets == UNKNOWN).all(axis=1)
        unlabeled = np.flatnonzero(bare & (weights > 0))
        rows = np.concatenate([labeled, unlabeled])
        self.propagated_labels_, self.label_weights_ = targets.copy(), np.zeros(len(X))
        self.label_weights_[labeled], self.temperature_ = self.labeled_weight, np.nan
        if len(unlabeled):
            given = propagate_labels(X, targets, labeled, unlabeled, temperature=self.temperature)
            self.propagated_labels_[unlabeled] = given.labels
            self.label_weights_[unlabeled] = given.weights
            self.temperature_ = given.temperature
        return rows

    @property
    def coef_(self) -> np.ndarray:
        """Coefficients of a linear estimator, of shape (L, d)."""
        return self.estimator_.coef_

    @property
    def intercept_(self) -> np.ndarray:
        """Intercepts of a linear estimator, of shape (L,)."""
        return self.estimator_.intercept_

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give the arrays of the fitted estimator."""
        return self.estimator_.to_arrays()

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_features: int, n_labels: int):
        """Become a fitted tagger, from what `to_arrays` gave."""
        self.estimator_ = self._unfitted().set_arrays(
            arrays, n_features=n_features, n_labels=n_labels
        )
        self.classes_, self.multilabel_ = np.arange(n_labels), True
        self.n_features_in_ = n_features
        return self

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.decision_function(X)
