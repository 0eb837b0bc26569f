"""`WarpTagger` on labelled and unlabelled rows together (SS-RMLC).

It marks rows and joins label propagation to the learner; it knows no loss.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from classify.base import UNKNOWN, Flag, Number, OneOf, encode_labels
from classify.warp.propagation import propagate_labels
from classify.warp.tagger import WarpTagger


class SemiSupervisedWarpTagger(WarpTagger):
    """Ramp-loss WARP on labelled rows and on unlabelled ones, which take their neighbours' labels.

    Each unlabelled row gets the labels of its nearest labelled row, once, before training, and its
    loss the weight exp(-d / t) of their distance d (`classify.warp.propagation`). Rows that early
    stopping sets aside lend no labels.

    A row is unlabelled where all of its cells are -1. In a single column it is where the entry is
    -1, provided that two other classes occur: -1 beside one class only is a class of its own.

    Parameters
    ----------
    temperature : {"mean_all", "mean_unlabelled"} or float
        t, as in `classify.warp.propagation.propagate_labels`.
    labelled_weight : float
        Weight of the loss of a labelled row; that of an unlabelled one is at most 1.
    loss, beta, kappa, rank_mode, rounding, warm_up, divisor, center, learning_rate, \
momentum, weight_decay, batch_size, epochs, average, init, early_stopping, validation_fraction, \
validation_metric, patience, random_state, verbose
        As in `classify.warp.tagger.WarpTagger`. `init` is fitted to labelled rows only.

    Attributes
    ----------
    coef_, intercept_, loss_curve_, validation_curve_, best_epoch_, classes_, multilabel_, \
n_features_in_
        As in `classify.warp.tagger.WarpTagger`.
    temperature_ : float
        t in use; NaN if no row was unlabelled.
    propagated_labels_ : int8 array of shape (n, L)
        The labels that were trained on.
    label_weights_ : float64 array of shape (n,)
        The weight of each row's loss, apart from `sample_weight`.

    Examples
    --------
    >>> X = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]]
    >>> Y = [[1, 0], [-1, -1], [-1, -1], [0, 1]]
    >>> SemiSupervisedWarpTagger().fit(X, Y).propagated_labels_[1:3]
    array([[1, 0],
           [0, 1]], dtype=int8)
    """

    #: In the code for few labels, pairs and single labels weigh alike and labelled rows count 5.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {**WarpTagger.presets["paper"], "labelled_weight": 1.0},
        "official": {
            **WarpTagger.presets["official"],
            "kappa": 1.0,
            "labelled_weight": 5.0,
            "divisor": 200.0,
        },
    }

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **WarpTagger._allowed,
        "labelled_weight": Number(low=0.0, above=True),
    }

    def __init__(
        self,
        loss="ramp",
        *,
        temperature="mean_all",
        labelled_weight=1.0,
        beta=1.0,
        kappa=5.0,
        rank_mode="expected",
        rounding="floor",
        warm_up=0.3,
        divisor=None,
        center=True,
        learning_rate=1.0,
        momentum=0.9,
        weight_decay=0.0,
        batch_size=96,
        epochs=30,
        average=False,
        init=None,
        early_stopping=False,
        validation_fraction=0.1,
        validation_metric="top3_f1_macro",
        patience=5,
        random_state=0,
        verbose=False,
    ):
        super().__init__(
            loss,
            beta=beta,
            kappa=kappa,
            rank_mode=rank_mode,
            rounding=rounding,
            warm_up=warm_up,
            divisor=divisor,
            center=center,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            batch_size=batch_size,
            epochs=epochs,
            average=average,
            init=init,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            validation_metric=validation_metric,
            patience=patience,
            random_state=random_state,
            verbose=verbose,
        )
        self.temperature = temperature
        self.labelled_weight = labelled_weight

    def _start_fit(self, X, y):
        X, y = self._validated(X, y, multi_output=True)
        self.multilabel_ = y.ndim == 2
        known = np.ones(len(y), dtype=bool)
        if y.ndim == 1 and len(np.unique(y)) > 2:
            known = y != UNKNOWN
        encoded, self.classes_ = encode_labels(y[known])
        targets = np.full((len(y), encoded.shape[1]), UNKNOWN, dtype=np.int8)
        targets[known] = encoded
        return X, targets

    def _training_rows(self, X, targets, weights, labelled):
        bare = (targets == UNKNOWN).all(axis=1)
        unlabelled = np.flatnonzero(bare & (weights > 0))
        rows = np.concatenate([labelled, unlabelled])
        self.propagated_labels_, self.label_weights_ = targets.copy(), np.zeros(len(X))
        self.label_weights_[labelled], self.temperature_ = self.labelled_weight, np.nan
        if len(unlabelled):
            given = propagate_labels(X, targets, labelled, unlabelled, temperature=self.temperature)
            self.propagated_labels_[unlabelled] = given.labels
            self.label_weights_[unlabelled] = given.weights
            self.temperature_ = given.temperature
        return rows, self.propagated_labels_, weights / weights[rows].mean() * self.label_weights_
