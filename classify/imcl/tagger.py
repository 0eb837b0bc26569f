"""Interactive multi-label learning (IMCL): a linear tagger, a graph over labels, one over images.

It joins the parts: the loss lies in ``classify.imcl.loss``, the search for neighbors in
``classify.imcl.neighbors`` and ``classify.imcl.joint_omp``, the label graph in
``classify.imcl.label_graph``; ``classify.imcl.variants`` holds where the paper and its code differ.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from tqdm import tqdm

from classify.base import UNKNOWN, BatchTagger
from classify.imcl.checks import check_choices, check_side_information
from classify.imcl.descent import Descent, PlateauSchedule, Settings
from classify.imcl.early_stopping import evaluate, held_out, held_out_curve, stopping_of
from classify.imcl.loss import Penalty
from classify.imcl.start import initial_weights, parameters_of, source_of
from classify.imcl.variants import as_variant
from classify.parameters import Flag, Number, OneOf, Presets, check_parameters
from classify.row_blocks import row_blocks
from features.errors import InputError
from features.splits import inner_split


class InteractiveTagger(Presets, BatchTagger):
    """IMCL on fixed features: logistic regression that also learns from unknown labels.

    Unknown labels (-1) are filled with predictions, on a scale from -1/c (absent) to 1 (present).
    Each image then has to resemble, by its completed labels and by its features, at most `k` other
    training images; the labels of these reach it over a graph in which labels support each other.
    From a masked logistic regression on, it descends on

        logistic loss of the known labels + L2 penalty
        + lambda_y sum_i |y_i - sum_j c_ij A y_j|^2 + lambda_f sum_i |f_i - sum_j c'_ij f_j|^2

    a batch at a time: the neighbors and their weights c and c' are found anew by a joint matching
    pursuit, then the classifier and the label graph A move by their gradients. Rows without any
    known label take part. A row that finds no neighbor has no part in the two latter sums, and
    where nothing could be smoothed (`k` = 0, or no weight) the result is the initial one itself.

    Parameters
    ----------
    variant : {"default", "paper", "official"} or classify.imcl.variants.Variant
        Which reading of the method: this library's, the paper's text or its released code. The
        record says what they differ in; `from_preset` also sets the numbers published with them.
    C : float
        Of the initial ``LogisticTagger("l2", C=C)``, and of the penalty later on.
    lambda_y, lambda_f : float
        Weights of similar labels and of similar features, 0 or more. Without a feature map
        `lambda_f` acts on the choice of neighbors only.
    k : int
        Most neighbors of an image, from 0.
    graph : {"cooccurrence", "identity"} or array of shape (L, L)
        The label graph to start from; row i, column j is how strongly i supports j.
    label_neighbors : int
        Labels that support a label beside itself, in the graph of co-occurrences.
    learn_graph : bool
        Move the weights of the label graph, within [0, 1].
    image_graph : {"learned", "fixed"}
        Find neighbors at every step, or once for all, from the initial predictions.
    dictionary_size : int
        Training rows among which neighbors are found, drawn at random where there are more; they
        are held in memory. The paper's variant looks within the batch instead.
    refresh : int, optional
        Steps after which the label values of the dictionary are computed anew; default once an
        epoch.
    scaling : {"center", "length", "none"}
        What features pass through on their way into the search and the descent: centered and
        divided by their mean length; divided only; neither. The coefficients are still for features
        as they are.
    feature_map : bool
        Learn a linear map of the features too, from the identity on: d (d + 1) weights.
    learning_rate, graph_learning_rate : float
        Of the classifier and of the label graph. The former counts up to the inverse of the
        penalty's curvature; longer steps would overshoot zero.
    batch_size, epochs : int
    steps : int, optional
        Most batches an epoch.
    early_stopping : {"auto", "folds", "rows", "never"}
        "folds" keeps the start, fitted to all rows, unless known labels of held-out rows gain by an
        epoch (`classify.imcl.early_stopping`); else as many epochs follow on all rows as gain most.
        A descent that diverges on some of the rows gains nothing.
        A start that is given has seen these labels, and is kept the more. "rows" sets rows aside
        for good, keeps the epoch with the best mean average precision of their known labels (the
        start counts too), slows down when it falls, and stops after `patience` epochs without a
        better one. "never" keeps the last epoch. "auto" is "never" for the variants "paper" and
        "official", and else "folds".
    validation_folds : int
        For "folds".
    validation_fraction : float
        Share of the rows to set aside, for "rows".
    patience : int
    init : estimator, optional
        A linear classifier in place of the initial one; a clone is fitted.
    random_state : int, RandomState instance or None
        Draws validation rows, dictionary and order. Fits with the same int and the same number of
        threads are equal to the last bit.
    verbose : bool
        Show a progress bar on stderr.

    Attributes
    ----------
    coef_ : array of shape (L, d), of the type of X
    intercept_ : array of shape (L,)
    initial_coef_, initial_intercept_ : arrays of the same shapes
        What it started from.
    graph_ : LabelGraph
        The label graph with its final weights.
    lambda_y_, lambda_f_ : float
        Weights in the loss.
    loss_curve_ : list of float
        Mean loss of the batches of each epoch.
    validation_curve_ : list of float
        Mean average precision of held-out known labels, at the start and after each epoch.
    best_epoch_ : int
        The epoch that was kept; 0 is the start.
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0], [1.0], [2.0], [3.0]], [[1, 0], [1, -1], [-1, 1], [0, 1]]
    >>> InteractiveTagger().fit(X, Y).predict([[0.0], [3.0]])
    array([[1, 0],
           [0, 1]])
    """

    #: The paper's text, and its released code for Open Images with fixed features.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "variant": "paper",
            "k": 5,
            "scaling": "none",
            "learning_rate": 0.001,
            "epochs": 1,
        },
        "official": {
            "variant": "official",
            "dictionary_size": 50_000,
            "refresh": 250,
            "k": 3,
            "scaling": "none",
            "learning_rate": 0.001,
            "graph_learning_rate": 0.5,
            "epochs": 1,
        },
    }

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "C": Number(low=0.0, above=True),
        "lambda_y": Number(low=0.0),
        "lambda_f": Number(low=0.0),
        "k": Number(Integral, low=0),
        "label_neighbors": Number(Integral, low=0),
        "learn_graph": Flag(),
        "image_graph": OneOf(("learned", "fixed")),
        "dictionary_size": Number(Integral, low=1),
        "refresh": Number(Integral, low=1, or_none=True),
        "scaling": OneOf(("center", "length", "none")),
        "feature_map": Flag(),
        "learning_rate": Number(low=0.0, above=True),
        "graph_learning_rate": Number(low=0.0),
        "batch_size": Number(Integral, low=1),
        "epochs": Number(Integral, low=1),
        "steps": Number(Integral, low=1, or_none=True),
        "early_stopping": OneOf(("auto", "folds", "rows", "never")),
        "validation_folds": Number(Integral, low=2),
        "validation_fraction": Number(low=0.0, high=1.0, above=True),
        "patience": Number(Integral, low=1),
        "verbose": Flag(),
    }

    def __init__(
        self,
        *,
        variant="default",
        C=1.0,
        lambda_y=1.0,
        lambda_f=0.5,
        k=5,
        graph="cooccurrence",
        label_neighbors=50,
        learn_graph=True,
        image_graph="learned",
        dictionary_size=10_000,
        refresh=None,
        scaling="center",
        feature_map=False,
        learning_rate=0.1,
        graph_learning_rate=0.05,
        batch_size=32,
        epochs=5,
        steps=None,
        early_stopping="auto",
        validation_folds=3,
        validation_fraction=0.1,
        patience=3,
        init=None,
        random_state=0,
        verbose=False,
    ):
        self.variant = variant
        self.C = C
        self.lambda_y = lambda_y
        self.lambda_f = lambda_f
        self.k = k
        self.graph = graph
        self.label_neighbors = label_neighbors
        self.learn_graph = learn_graph
        self.image_graph = image_graph
        self.dictionary_size = dictionary_size
        self.refresh = refresh
        self.scaling = scaling
        self.feature_map = feature_map
        self.learning_rate = learning_rate
        self.graph_learning_rate = graph_learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps = steps
        self.early_stopping = early_stopping
        self.validation_folds = validation_folds
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.init = init
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, side_information=None, coef_init=None, intercept_init=None):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
            May be memory-mapped, or `features.rows.CacheRows` if a start is given: rows are read a
            batch at a time, apart from the dictionary.
        y : array of shape (n, L) of 1, 0 and -1 (unknown), or (n,) with two classes
        side_information : array of shape (n, q) of 1, 0 and -1 (unknown), optional
            Further labels, such as the class of a bird beside its attributes. They are compared
            where neighbors are chosen and weighed, and nothing predicts them.
        coef_init, intercept_init : arrays of shape (L, d) and (L,), optional
            Where to start, in place of `init`; both or neither.

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, for arrays that can't be fitted, and when the descent
            diverges.
        """
        check_parameters(self, self._allowed)
        variant = as_variant(self.variant)
        check_choices(self, variant)
        X, targets = self._start_fit(X, y)
        side = check_side_information(side_information, len(X))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        stopping = stopping_of(self, variant)
        rows, validation = np.arange(len(X)), None
        if stopping == "rows":
            parts = inner_split(rows, int(rng.integers(2**31)), self.validation_fraction)
            rows, validation = np.sort(parts.train), np.sort(parts.test)

        def begin(rows):
            start = initial_weights(self, X, targets, rows, coef_init, intercept_init)
            source = source_of(self, X, targets, side, rows, variant)
            return source, parameters_of(self, start, source, rows)

        source, parameters = begin(rows)
        self.initial_coef_, self.initial_intercept_ = source.linear(parameters)
        self.lambda_y_, self.lambda_f_ = float(self.lambda_y), float(self.lambda_f)
        self.loss_curve_, self.validation_curve_, self.best_epoch_ = [], [], 0
        self._keep(parameters, source)
        if self.k and (self.lambda_y or (self.lambda_f and self.feature_map)):
            epochs = self.epochs
            if stopping == "folds":
                epochs = self._epochs_that_gain(begin, targets, rng.spawn(1)[0], variant)
            if epochs:
                descent = self._descent(parameters, source, rows, rng, variant)
                self._descend(descent, validation, epochs)
        return self

    def _epochs_that_gain(self, begin, targets, rng, variant) -> int:
        """Count the epochs after which held-out known labels are ranked best; 0 without a gain."""
        if not self.feature_map and not (targets == UNKNOWN).any():
            return 0  # soft labels move nothing where all are known

        def scores_of(train, test):
            source, parameters = begin(train)
            descent = self._descent(parameters, source, train, rng, variant)
            yield held_out(descent, test)
            for _ in range(self.epochs):
                descent.epoch()
                yield held_out(descent, test)

        folds, seed = self.validation_folds, int(rng.integers(2**31))
        try:
            curve, epochs = held_out_curve(targets, scores_of, folds=folds, seed=seed)
        except InputError:  # what diverges gains nothing
            return 0
        self.validation_curve_ = curve
        return epochs

    def _descent(self, parameters, source, rows, rng, variant) -> Descent:
        known = sum(int((source.targets[block] != UNKNOWN).sum()) for block in row_blocks(rows))
        count = max(1, known) if variant.reduction == "mean" else len(rows)
        penalty = Penalty(1 / (self.C * count), source.center, source.scale)
        settings = Settings.of(self, variant)
        return Descent(parameters, source, rows, penalty=penalty, settings=settings, rng=rng)

    def _descend(self, descent, validation, epochs):
        parameters, source = descent.parameters, descent.source
        self.lambda_y_, self.lambda_f_ = descent.lambda_y, descent.lambda_f
        pace = None
        if validation is not None:
            pace = PlateauSchedule(evaluate(descent, validation))
            self.validation_curve_.append(pace.best)
        for epoch in tqdm(range(1, epochs + 1), unit="epoch", disable=not self.verbose):
            self.loss_curve_.append(descent.epoch(1.0 if pace is None else pace.factor))
            if pace is None:
                self.best_epoch_ = epoch
                continue
            self.validation_curve_.append(evaluate(descent, validation))
            if pace.improves(self.validation_curve_[-1]):
                self.best_epoch_ = epoch
                self._keep(parameters, source)
            elif epoch - self.best_epoch_ >= self.patience:
                return
        if pace is None:
            self._keep(parameters, source)

    def _keep(self, parameters, source):
        self.coef_, self.intercept_ = source.linear(parameters)
        self.graph_ = parameters.graph.with_weights(parameters.graph.weights.copy())

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T.astype(X.dtype) + self.intercept_.astype(X.dtype)
