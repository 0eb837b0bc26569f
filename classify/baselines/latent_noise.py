"""Latent noise: whether a label is to be seen, and whether an annotator mentions what is.

It gives the loss of the joint model and its gradient; the descent lies in ``classify.sgd``.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.utils import check_random_state
from tqdm import tqdm

from classify.base import UNKNOWN, Tagger, check_sample_weight, usable_rows
from classify.parameters import Flag, Number, OneOf, check_parameters
from classify.row_blocks import mean_norm, mean_row
from classify.sgd import settings_for, sgd_epochs
from classify.solvers.threads import one_thread

_TINY = 1e-7  # h is kept as far from 0 and 1


def mention_probability(visual, if_present, if_absent) -> np.ndarray:
    """Probability h = r1 v + r0 (1 - v) that a label is mentioned (Misra et al.).

    Parameters
    ----------
    visual : array_like
        v, the probability that it is to be seen.
    if_present, if_absent : array_like
        r1 and r0, those that it is mentioned if it is to be seen and if it is not.

    Examples
    --------
    >>> float(mention_probability(0.8, 0.9, 0.2).round(6))
    0.76
    """
    visual = np.asarray(visual, dtype=float)
    return np.asarray(if_present) * visual + np.asarray(if_absent) * (1 - visual)


def latent_noise_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy of h against the labels that are known.

    Parameters
    ----------
    scores : array of shape (b, 3 L)
        The logits of v, then of r1, then of r0, of every label.
    labels : int8 array of shape (b, L)
        1, 0 and -1 (unknown, which costs nothing).

    Returns
    -------
    values : float64 array of shape (b,)
        Summed over labels.
    gradient : float64 array of shape (b, 3 L)

    Examples
    --------
    >>> values, _ = latent_noise_loss(np.zeros((1, 3)), np.array([[1]], dtype=np.int8))
    >>> values.round(6)
    array([0.693147])
    """
    visual, if_present, if_absent = np.split(expit(scores.astype(np.float64)), 3, axis=1)
    mentioned = mention_probability(visual, if_present, if_absent)
    mentioned = np.clip(mentioned, _TINY, 1 - _TINY)
    known = labels != UNKNOWN
    values = -np.where(labels == 1, np.log(mentioned), np.log1p(-mentioned)) * known
    slope = known * (mentioned - (labels == 1)) / (mentioned * (1 - mentioned))
    gradient = [
        slope * (if_present - if_absent) * visual * (1 - visual),
        slope * visual * if_present * (1 - if_present),
        slope * (1 - visual) * if_absent * (1 - if_absent),
    ]
    return values.sum(axis=1), np.hstack(gradient)


class LatentNoiseTagger(Tagger):
    """Visual presence and relevance of every label, learned together (Misra et al.).

    v, r1 and r0 of every label are sigmoids of linear functions of the features, which are centered
    and divided by their mean length. Only h, the probability of a mention, is compared with labels.
    At the start r1 and r0 are constants; equal ones would leave v without a gradient.

    Parameters
    ----------
    output : {"visual", "relevance"}
        What `decision_function` gives: the logit of v, or that of h.
    start_present, start_absent : float
        r1 and r0 at the start, between 0 and 1.
    init : estimator, optional
        A linear classifier such as ``LogisticTagger("l2")``; a clone of it is fitted and gives the
        start of v. Default all zeros.
    learning_rate : float or "auto"
    momentum, weight_decay : float
    C : float, optional
        As in `classify.warp.tagger.WarpTagger`.
    batch_size, epochs : int
    random_state : int, RandomState instance or None
        Draws the order of rows.
    verbose : bool
        Show a progress bar on stderr.

    Attributes
    ----------
    coef_ : array of shape (3 L, d), of the type of X
        Of the logits of v, then of r1, then of r0.
    intercept_ : array of shape (3 L,)
    learning_rate_, weight_decay_ : float
        Those in use.
    loss_curve_ : list of float
        Mean loss of the rows over each epoch.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> LatentNoiseTagger().fit(X, Y).predict([[0.5, 1.0]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "output": OneOf(("visual", "relevance")),
        "start_present": Number(low=_TINY, high=1 - _TINY),
        "start_absent": Number(low=_TINY, high=1 - _TINY),
        "learning_rate": Number(low=0.0, above=True, word="auto"),
        "momentum": Number(low=0.0, high=1.0),
        "weight_decay": Number(low=0.0),
        "C": Number(low=0.0, above=True, or_none=True),
        "batch_size": Number(Integral, low=1),
        "epochs": Number(Integral, low=1),
        "verbose": Flag(),
    }

    def __init__(
        self,
        output="visual",
        *,
        start_present=0.9,
        start_absent=0.1,
        init: Any = None,
        learning_rate=1.0,
        momentum=0.9,
        weight_decay=1e-4,
        C=None,
        batch_size=96,
        epochs=30,
        random_state=0,
        verbose=False,
    ):
        self.output = output
        self.start_present = start_present
        self.start_absent = start_absent
        self.init = init
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.C = C
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            May be memory-mapped: rows are read a batch at a time.
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
        sample_weight : array of shape (n,), optional
            Default 1.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, for X, y or weights that can't be fitted, and when the
            descent diverges.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        weights = check_sample_weight(sample_weight, len(X))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        rows = usable_rows(targets, weights)
        # One thread: batches are too small to share, and the bits then depend on no thread count.
        with one_thread("blas"):
            coef, intercept = self._start(X, targets, sample_weight)
            epochs = self._descent(X, targets, rows, weights, coef, intercept, rng)
            self.loss_curve_ = []
            for epoch in tqdm(epochs, total=self.epochs, unit="epoch", disable=not self.verbose):
                self.loss_curve_.append(epoch.loss)
        self.coef_, self.intercept_ = epoch.coef, epoch.intercept
        return self

    def _start(self, X, targets, sample_weight):
        n_labels = targets.shape[1]
        coef, intercept = np.zeros((3 * n_labels, X.shape[1])), np.zeros(3 * n_labels)
        if self.init is not None:
            model = clone(self.init).fit(X, targets, sample_weight=sample_weight)
            coef[:n_labels], intercept[:n_labels] = model.coef_, model.intercept_
        intercept[n_labels : 2 * n_labels] = logit(self.start_present)
        intercept[2 * n_labels :] = logit(self.start_absent)
        return coef, intercept

    def _descent(self, X, targets, rows, weights, coef, intercept, rng):
        weights = weights / weights[rows].mean()

        def batch_loss(batch, scores, epoch):
            values, gradient = latent_noise_loss(scores, targets[batch])
            return values * weights[batch], gradient * weights[batch, None]

        def loss_from_start(batch, scores, epoch):  # where r1 and r0 differ: else v has no gradient
            return batch_loss(batch, scores + intercept, epoch)

        center = mean_row(X, rows, weights[rows])
        scale = mean_norm(X, rows, weights[rows], center)
        settings = settings_for(
            self, X, rows, loss_from_start, n_scores=len(coef), center=center, scale=scale
        )
        self.learning_rate_, self.weight_decay_ = settings.learning_rate, settings.weight_decay
        return sgd_epochs(X, rows, batch_loss, coef, intercept, settings=settings, rng=rng)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        scores = X @ self.coef_.T.astype(X.dtype) + self.intercept_.astype(X.dtype)
        if self.output == "visual":
            return scores[:, : scores.shape[1] // 3]
        parts = np.split(expit(scores.astype(np.float64)), 3, axis=1)
        return logit(np.clip(mention_probability(*parts), _TINY, 1 - _TINY))
