"""Linear taggers trained by stochastic gradient descent on losses that rank a row's labels.

They turn labels, weights and unknown cells into what the descent takes: the objective lies in
`classify.warp.objective`, the descent in `classify.sgd`.
"""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from tqdm import tqdm

from classify.base import UNKNOWN, BatchTagger, check_sample_weight, usable_rows
from classify.losses import LOSSES, RANK_MODES, ROUNDINGS
from classify.losses.class_weights import cell_weights, class_weights
from classify.metrics import METRICS
from classify.parameters import Flag, Number, OneOf, Presets, check_parameters
from classify.sgd import sgd_epochs
from classify.solvers.threads import one_thread
from classify.warp.checks import check_loss
from classify.warp.early_stopping import BestEpoch
from classify.warp.objective import Objective, descent_settings
from features.errors import InputError
from features.splits import inner_split

#: From X, targets, weights and labeled rows to the rows to learn from, all targets, all weights.
TrainingRows = Callable[
    [np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]
]


class WarpTagger(Presets, BatchTagger):
    """Linear scores trained on a ranking loss, by default that of the ramp-loss WARP paper (RMLC).

    With W the coefficients of features that are centered and divided by the mean length of a row,
    it minimizes

        1/n sum_i s_i loss_i / divisor + weight_decay/2 ||W||^2

    by minibatch stochastic gradient descent with momentum, the learning rate falling to a tenth
    after 60 % and again after 80 % of the epochs. s_i are the sample weights divided by their mean;
    the intercept is not decayed. A row without a known label takes no part.

    Parameters
    ----------
    loss : {"ramp", "hinge", "pairwise", "softmax", "lsep", "bce"}
        See `classify.losses`. "ramp" is RMLC; "hinge" with ``kappa=0`` is WARP. With
        "hinge" and ``kappa=0``, "pairwise", "softmax" and "lsep" only the order of a row's scores
        has a meaning, not their signs: use the top k, not `predict`.
    beta : float
        Of the ramp: 1 is flat below -0.8, 0.9 leaks as the released code does. Only for "ramp".
    kappa : float
        Weight of the labels by themselves, beside their pairs. Only for "ramp" and "hinge".
    rank_mode : {"expected", "sample", "exact"}
    rounding : {"floor", "round"}
        How the rank is estimated, as in `classify.losses.warp.rank_weights`.
    warm_up : float
        Share of the epochs, from the first, in which the hinge stands in for the ramp: an addition
        of this library, 0 in the presets. Without them and without `init`, rare labels fall off the
        ramp before they are learned, as nothing moves a score beyond it. Only for "ramp".
    divisor : float, optional
        Default 20 for the losses of pairs, as in the released code, and 1 for the others.
    center : bool
        Subtract the mean of the training rows from every row on its way into the descent, which
        then gets on much faster; the coefficients are still for features as they are.
    learning_rate : float or "auto"
        Of the first epochs. "auto" takes the one that suits the features and the loss by its
        curvature on training rows (`classify.sgd.suitable_rate`).
    momentum : float
    weight_decay : float
        0 is no decay.
    C : float, optional
        Weight of the summed loss beside ``||W||^2 / 2`` of the coefficients of features as they
        are, as in `LogisticTagger`; it replaces `weight_decay`.
    batch_size, epochs : int
        Rows to a step, and passes over all rows.
    average : bool
        Take the mean of the iterates since the learning rate first fell.
    class_weight, rare_weight
        Factors of the losses of each label's absent and present cells, as of `LogisticTagger`. Only
        for "bce" or a single label, as pairs of labels have no class; `init` has its own.
    init : estimator, optional
        A linear classifier such as ``LogisticTagger("l2")``; a clone of it is fitted to the
        training rows, unknown cells as -1, and gives the start. Default all zeros.
    early_stopping : bool
        Set rows aside, keep the epoch that is best on them, and stop after `patience` epochs
        without a better one.
    validation_fraction : float
        Share of the labeled rows to set aside.
    validation_metric : str
        A name of `classify.metrics.METRICS`; the default is what the released code selects by.
    patience : int
    random_state : int, RandomState instance or None
        Draws validation rows, the order of rows and, for "sample", the ranks. Fits with the same
        int are equal to the last bit, whatever the number of threads.
    verbose : bool
        Show a progress bar on stderr.

    Attributes
    ----------
    coef_ : array of shape (L, d), of the type of X
    intercept_ : array of shape (L,)
    learning_rate_, weight_decay_ : float
        Those in use.
    loss_curve_ : list of float
        Mean weighted loss of the training rows over each epoch.
    validation_curve_ : list of float
        Metric on the rows set aside after each epoch; empty without early stopping.
    best_epoch_ : int
        The epoch whose coefficients were kept, counted from 1.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> WarpTagger().fit(X, Y).predict([[0.5, 1.0]])
    array([[1, 0]])
    """

    #: Losses of the paper and of its released code. Neither says how a linear model is trained, and
    #: from zeros the paper's ramp loses rare labels: give `init` with it.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "beta": 1.0,
            "kappa": 5.0,
            "rank_mode": "sample",
            "rounding": "floor",
            "warm_up": 0.0,
            "learning_rate": 1.0,
        },
        "official": {
            "beta": 0.9,
            "kappa": 5.0,
            "rank_mode": "sample",
            "rounding": "round",
            "warm_up": 0.0,
            "learning_rate": 1.0,
        },
    }

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "loss": OneOf(tuple(LOSSES)),
        "beta": Number(low=0.0, high=1.0),
        "kappa": Number(low=0.0),
        "rank_mode": OneOf(RANK_MODES),
        "rounding": OneOf(ROUNDINGS),
        "warm_up": Number(low=0.0, high=1.0),
        "divisor": Number(low=0.0, above=True, or_none=True),
        "center": Flag(),
        "learning_rate": Number(low=0.0, above=True, word="auto"),
        "momentum": Number(low=0.0, high=1.0),
        "weight_decay": Number(low=0.0),
        "C": Number(low=0.0, above=True, or_none=True),
        "batch_size": Number(Integral, low=1),
        "epochs": Number(Integral, low=1),
        "average": Flag(),
        "rare_weight": Number(low=0.0, high=1.0, or_none=True),
        "early_stopping": Flag(),
        "validation_fraction": Number(low=0.0, high=1.0, above=True),
        "validation_metric": OneOf(tuple(METRICS)),
        "patience": Number(Integral, low=1),
        "verbose": Flag(),
    }

    def __init__(
        self,
        loss="ramp",
        *,
        beta=1.0,
        kappa=5.0,
        rank_mode="expected",
        rounding="floor",
        warm_up=0.3,
        divisor=None,
        center=True,
        learning_rate="auto",
        momentum=0.9,
        weight_decay=0.0,
        C=None,
        batch_size=96,
        epochs=30,
        average=False,
        class_weight=None,
        rare_weight=None,
        init=None,
        early_stopping=False,
        validation_fraction=0.1,
        validation_metric="top3_f1_macro",
        patience=5,
        random_state=0,
        verbose=False,
    ):
        self.loss = loss
        self.beta = beta
        self.kappa = kappa
        self.rank_mode = rank_mode
        self.rounding = rounding
        self.warm_up = warm_up
        self.divisor = divisor
        self.center = center
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.C = C
        self.batch_size = batch_size
        self.epochs = epochs
        self.average = average
        self.class_weight = class_weight
        self.rare_weight = rare_weight
        self.init = init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_metric = validation_metric
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            May be memory-mapped, or `features.rows.CacheRows`: rows are read a batch at a time.
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
        return self.fit_with(X, y, _labeled_alone, sample_weight)

    def fit_with(self, X, y, training_rows: TrainingRows, sample_weight=None):
        """Fit all labels at once, on rows, labels and weights that are made after the split.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        training_rows : callable
            Takes X, int8 targets of shape (n, L), weights of shape (n,) and the labeled rows to
            learn from: without those that early stopping sets aside, and all that `init` is fitted
            to. Returns the rows to descend on, and targets and weights of all rows.

        Returns
        -------
        self

        Raises
        ------
        InputError
            As `fit`.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        check_loss(self, targets.shape[1])
        weights = check_sample_weight(sample_weight, len(X))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        rows, validation = self._inner_rows(targets, weights, rng)
        used_rows, used, weights = training_rows(X, targets, weights, rows)
        # One thread: batches are too small to share, and the bits then depend on no thread count.
        with one_thread("blas"):
            start = self._start(X, targets, rows, sample_weight)
            by_class = self._by_class(used, weights, used_rows)
            if by_class is not None and not LOSSES[self.loss].weighs_cells:
                weights, by_class = weights * cell_weights(used, by_class)[:, 0], None
            objective = Objective(self, used, weights, rng, by_class)
            settings = descent_settings(self, objective, X, used_rows, weights)
            self.learning_rate_, self.weight_decay_ = settings.learning_rate, settings.weight_decay
            at_zero = objective.at_zero(used_rows)
            epochs = sgd_epochs(X, used_rows, objective, *start, settings=settings, rng=rng)
            self._follow(epochs, at_zero, X, targets, validation)
        return self

    def _by_class(self, targets, weights, rows):
        """Weights of classes (L, 2) by the rows that are descended on; None without any."""
        if self.class_weight is None and self.rare_weight is None:
            return None
        options = {"class_weight": self.class_weight, "rare_weight": self.rare_weight}
        return class_weights(targets[rows], weights[rows], self.classes_, **options)

    def _inner_rows(self, targets, weights, rng):
        """Rows with a label and a weight, cut into those to learn from and those set aside."""
        rows = usable_rows(targets, weights)
        if not self.early_stopping:
            return rows, None
        parts = inner_split(rows, int(rng.integers(2**31)), self.validation_fraction)
        return parts.train, np.sort(parts.test)

    def _start(self, X, targets, rows, sample_weight):
        """Coefficients and intercepts to descend from."""
        if self.init is None:
            return np.zeros((targets.shape[1], X.shape[1])), np.zeros(targets.shape[1])
        known = np.full_like(targets, UNKNOWN)  # rows set aside are as good as unlabeled
        known[rows] = targets[rows]
        model = clone(self.init).fit(X, known, sample_weight=sample_weight)
        shape = targets.shape[1], X.shape[1]
        if getattr(getattr(model, "coef_", None), "shape", None) != shape:
            raise InputError(
                f"init={self.init!r} has no coef_ of shape {shape} when fitted: give a linear "
                'classifier of several labels, such as LogisticTagger("l2")'
            )
        return model.coef_, model.intercept_

    def _follow(self, epochs, at_zero, X, targets, validation):
        """Run the epochs and keep the last one, or the best one on the rows set aside."""
        self.loss_curve_, self.validation_curve_, best = [], [], None
        if validation is not None:
            best = BestEpoch(X, targets, validation, metric=self.validation_metric)
            self.validation_curve_ = best.curve
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in tqdm(epochs, total=self.epochs, unit="epoch", disable=not self.verbose):
                self.loss_curve_.append(epoch.loss)
                self._check_progress(epoch, at_zero)
                if best is not None and best.see(epoch) >= self.patience:
                    break
        kept = epoch if best is None else best.epoch
        self.coef_, self.intercept_ = kept.coef, kept.intercept
        self.best_epoch_ = len(self.loss_curve_) if best is None else best.number

    def _check_progress(self, epoch, at_zero):
        # On image features a rate ten times the best one overshoots 25-fold in its worst epoch.
        if not epoch.loss + epoch.penalty <= 100 * at_zero:  # so that NaN is caught too
            raise InputError(
                f"training diverges: after epoch {len(self.loss_curve_)} the mean objective is "
                f"{epoch.loss + epoch.penalty:.3g}, and {at_zero:.3g} if all scores are 0: "
                f"learning_rate={self.learning_rate_:g} is too large, divide it by 10"
            )

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T.astype(X.dtype) + self.intercept_.astype(X.dtype)


def _labeled_alone(X, targets, weights, labeled):
    return labeled, targets, weights / weights[labeled].mean()
