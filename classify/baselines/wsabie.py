"""Wsabie: features and labels embedded in one space of few dimensions.

It gives the scores and their gradients; the loss lies in ``classify.losses.ranknet``, the descent
in ``classify.baselines.ranking_network``.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.baselines.ranking_network import RankingNetwork
from classify.losses.warp import wsabie_loss
from classify.parameters import Flag, Number, OneOf


class WsabieTagger(RankingNetwork):
    """Scores s_j(x) = v_j . U x, trained to rank by the WARP loss (Weston, Bengio and Usunier).

    The rows of U and the vectors v_j are kept at a length of `max_norm` at most, which is what
    regularizes. Each present label is held against the known absent ones only; the draws of the
    original are replaced by their expectation, and its plain stochastic steps by Adam on batches.
    x is centered, divided by its mean length, and has a constant 1 for a last feature.

    Parameters
    ----------
    n_components : int
        Dimensions of the embedding.
    max_norm : float
    threshold : bool
        Rank a virtual label of score 0 between present and absent labels, so that signs of scores
        have a meaning. Without it, as in the original, only the order of a row's scores has: use
        the top k, not `predict`.
    weight_decay, learning_rate : float
        Of Adam; the decay is added to the gradient.
    batch_size, epochs : int
    random_state : int, RandomState instance or None
        Draws the start and the order of rows.
    verbose : bool
        Show a progress bar on stderr.

    Attributes
    ----------
    feature_vectors_ : array of shape (d + 1, n_components)
        The columns of U.
    label_vectors_ : array of shape (L, n_components)
    center_, scale_ : array of shape (d,) and float
        How features are prepared.
    loss_curve_ : list of float
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> WsabieTagger(epochs=50).fit(X, Y).predict([[0.5, 1.0]])
    array([[1, 0]])
    """

    fitted_arrays = ("feature_vectors_", "label_vectors_", "center_", "scale_")

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **RankingNetwork._allowed,
        "n_components": Number(Integral, low=1),
        "max_norm": Number(low=0.0, above=True),
    }

    def __init__(
        self,
        n_components=100,
        *,
        max_norm=3.0,
        threshold=True,
        weight_decay=0.0,
        learning_rate=0.01,
        batch_size=96,
        epochs=30,
        random_state=0,
        verbose=False,
    ):
        self.n_components = n_components
        self.max_norm = max_norm
        self.threshold = threshold
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.verbose = verbose

    def _image_loss(self):
        return wsabie_loss

    def _initialize(self, width, targets, dtype, rng):
        shape = (width + targets.shape[1], self.n_components)
        start = (rng.standard_normal(shape) / np.sqrt(self.n_components)).astype(dtype)
        self.feature_vectors_, self.label_vectors_ = np.split(start, [width])
        self._project()

    def _arrays(self):
        return [self.feature_vectors_, self.label_vectors_]

    def _forward(self, prepared):
        embedded = prepared @ self.feature_vectors_
        return embedded @ self.label_vectors_.T, (embedded,)

    def _backward(self, prepared, kept, slope):
        (embedded,) = kept
        return [prepared.T @ (slope @ self.label_vectors_), slope.T @ embedded]

    def _project(self):
        for vectors in self._arrays():
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors *= np.minimum(1, self.max_norm / np.maximum(lengths, 1e-12))
