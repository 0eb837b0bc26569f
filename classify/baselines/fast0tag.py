"""Fast0Tag: a network turns features into a direction along which the labels' word vectors rank.

It gives the scores and their gradients; the loss lies in ``classify.losses.ranknet``, the descent
in ``classify.baselines.ranking_network``.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.baselines.label_embeddings import ppmi_vectors
from classify.baselines.ranking_network import RankingNetwork
from classify.losses.ranknet import ranknet_loss
from classify.parameters import Flag, Number, OneOf
from features.errors import InputError


class Fast0TagTagger(RankingNetwork):
    """Scores s_j(x) = w_j . g(x) with given label vectors w_j (Zhang, Gong and Shah).

    g is a network with one hidden layer of rectified units, trained on the RankNet loss of known
    present against known absent labels. x is centered, divided by its mean length, and has a
    constant 1 for a last feature; so has the hidden layer.

    Parameters
    ----------
    word_vectors : array of shape (L, e), optional
        w_j. By default those that `classify.baselines.label_embeddings.ppmi_vectors` draws from the
        labels that are fitted, with `n_components` dimensions: with fewer labels than dimensions, L
        of them.
    n_components : int
    hidden : int
        Units of the hidden layer.
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
    hidden_weights_ : array of shape (d + 1, hidden)
    output_weights_ : array of shape (hidden + 1, e)
    word_vectors_ : array of shape (L, e)
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
    >>> Fast0TagTagger(epochs=50).fit(X, Y).predict([[0.5, 1.0]])
    array([[1, 0]])
    """

    fitted_arrays = ("hidden_weights_", "output_weights_", "word_vectors_", "center_", "scale_")

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **RankingNetwork._allowed,
        "n_components": Number(Integral, low=1),
        "hidden": Number(Integral, low=1),
    }

    def __init__(
        self,
        word_vectors=None,
        *,
        n_components=100,
        hidden=256,
        threshold=True,
        weight_decay=0.0,
        learning_rate=0.003,
        batch_size=96,
        epochs=30,
        random_state=0,
        verbose=False,
    ):
        self.word_vectors = word_vectors
        self.n_components = n_components
        self.hidden = hidden
        self.threshold = threshold
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.verbose = verbose

    def _image_loss(self):
        return ranknet_loss

    def _initialize(self, width, targets, dtype, rng):
        vectors = self.word_vectors
        if vectors is None:
            vectors = ppmi_vectors(targets, min(self.n_components, targets.shape[1]))
        vectors = np.asarray(vectors, dtype=dtype)
        if vectors.ndim != 2 or len(vectors) != targets.shape[1]:
            raise InputError(
                f"word_vectors has shape {vectors.shape} and y {targets.shape[1]} labels: give one "
                "vector a label, or None"
            )
        self.word_vectors_ = vectors
        start = rng.standard_normal((width, self.hidden)) * np.sqrt(2 / width)
        self.hidden_weights_ = start.astype(dtype)
        end = rng.standard_normal((self.hidden + 1, vectors.shape[1])) / np.sqrt(self.hidden)
        self.output_weights_ = end.astype(dtype)

    def _arrays(self):
        return [self.hidden_weights_, self.output_weights_]

    def _forward(self, prepared):
        units = np.maximum(prepared @ self.hidden_weights_, 0)
        units = np.hstack([units, np.ones((len(units), 1), dtype=units.dtype)])
        return (units @ self.output_weights_) @ self.word_vectors_.T, (units,)

    def _backward(self, prepared, kept, slope):
        (units,) = kept
        direction = slope @ self.word_vectors_
        inner = (direction @ self.output_weights_.T * (units > 0))[:, :-1]
        return [prepared.T @ inner, units.T @ direction]
