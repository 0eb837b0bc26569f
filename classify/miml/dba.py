"""DBA: a topic model whose topics are the labels.

Source: Yang, Zha, Hu, "Dirichlet-Bernoulli alignment", NIPS 2009. The model is that of its
abstract; the inference is derived from it here, and the paper's own bound of the label term may
differ. Unconfirmed: the label biases, defaults and grid.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from classify.miml.base import SHARED, BagTagger
from classify.miml.dba_inference import (
    CHANGE,
    MAX_SWEEPS,
    bound_points,
    expected_logs,
    infer,
    lower_bound,
    moments,
    newton_alpha,
    tau,
)
from classify.miml.dba_words import (
    VOCABULARIES,
    Words,
    channel_unit,
    channel_words,
    find_centers,
    given_words,
    nearest_words,
)
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags

_RIDGE = 1e-6


class DBA(BagTagger):
    """Dirichlet-Bernoulli alignment.

    A bag has theta ~ Dir(alpha), each instance a class z ~ Mult(theta) and words x ~ Mult(beta_z);
    label c is present with probability sigma(b_c + lambda_c zbar_c), zbar_c being the share of
    instances of class c. Inference is variational, with a quadratic bound of the label term;
    instances start from the uniform distribution over their bag's labels.

    Parameters
    ----------
    vocabulary : {"kmeans", "channels", "counts"}
        What the words of an instance are: the nearest of `words` k-means centers; its columns,
        counted round(max(x, 0) / mean positive x) times; or columns that are counts already.
    words : int
        Of the k-means vocabulary; at most as many as there are distinct training instances.
    alpha : float
        Of the Dirichlet distribution, for every label.
    learn_alpha : bool
        Take a Newton step of alpha, from that value, after every M step.
    kappa : float
        Added to the count of each word in each class.
    rounds : int
        Of E and M steps.
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.
    random_state : int
        Of k-means.

    Attributes
    ----------
    log_beta_ : ndarray of shape (L', V)
    slope_, bias_, alpha_ : ndarrays of shape (L',)
        lambda, b and alpha, for the labels that vary in training.
    bound_curve_ : list of float
        The lower bound with kappa's log prior after each E and each M step; it never falls.
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> DBA(words=2).fit(bags, [[1, 0], [1, 0], [0, 1], [0, 1]]).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "vocabulary": OneOf(VOCABULARIES),
        "words": Number(Integral, low=1),
        "alpha": Number(low=0.0, above=True),
        "kappa": Number(low=0.0, above=True),
        "rounds": Number(Integral, low=1),
        "learn_alpha": Flag(),
    }
    preparation = ("scaling", "vocabulary", "words", "random_state")
    fitted_arrays = ("log_beta_", "slope_", "bias_", "alpha_")

    def __init__(
        self,
        *,
        vocabulary="kmeans",
        words=200,
        alpha=1.0,
        kappa=0.01,
        rounds=8,
        learn_alpha=False,
        scaling="none",
        random_state=0,
    ):
        self.vocabulary = vocabulary
        self.words = words
        self.alpha = alpha
        self.kappa = kappa
        self.rounds = rounds
        self.learn_alpha = learn_alpha
        self.scaling = scaling
        self.random_state = random_state

    def _prepare(self, bags: Bags) -> Words:
        """Learn the vocabulary from the training instances and count their words."""
        if self.vocabulary == "kmeans":
            self.centers_ = find_centers(bags.instances, self.words, self.random_state)
        elif self.vocabulary == "channels":
            self.unit_ = channel_unit(bags.instances)
        return self._prepare_new(bags)

    def _prepare_new(self, bags: Bags) -> Words:
        if self.vocabulary == "kmeans":
            return Words(bags, nearest_words(bags.instances, self.centers_))
        if self.vocabulary == "channels":
            return Words(bags, channel_words(bags.instances, self.unit_))
        return Words(bags, given_words(bags.instances))

    def _array_names(self) -> tuple[str, ...]:
        vocabulary = {"kmeans": ("centers_",), "channels": ("unit_",)}.get(self.vocabulary, ())
        return (*vocabulary, *self.fitted_arrays)

    def _fit(self, documents: Words, Y: np.ndarray, rng: np.random.Generator) -> None:
        bags, counts = documents
        alpha = np.full(Y.shape[1], float(self.alpha))
        phi = start(Y)[bags.owners]
        slope, bias = solve_labels(*moments(phi, bags), np.ones(Y.shape), Y)
        log_beta = log_words_of(phi, counts, self.kappa)
        present = np.ascontiguousarray(Y)  # loops are compiled anew for every layout
        self.bound_curve_: list[float] = []
        for _ in range(self.rounds):
            words = counts @ log_beta.T
            given = (alpha, slope, bias, present, True, MAX_SWEEPS, CHANGE)
            infer(words, bags.starts, bags.sizes, phi, *given)
            self._note(words, bags, phi, alpha, slope, bias, Y, log_beta)
            mu, e2 = moments(phi, bags)
            slope, bias = solve_labels(mu, e2, bound_points(mu, e2, slope, bias), Y)
            log_beta = log_words_of(phi, counts, self.kappa)
            if self.learn_alpha:
                alpha = newton_alpha(alpha, expected_logs(mu, bags.sizes, alpha))
            self._note(counts @ log_beta.T, bags, phi, alpha, slope, bias, Y, log_beta)
        self.log_beta_, self.slope_, self.bias_, self.alpha_ = log_beta, slope, bias, alpha

    def _note(self, words, bags, phi, alpha, slope, bias, Y, log_beta) -> None:
        bound = lower_bound(words, bags, phi, alpha, slope, bias, Y)
        self.bound_curve_.append(bound + self.kappa * float(log_beta.sum()))

    def _scores(self, documents: Words) -> np.ndarray:
        bags, labels = documents.bags, len(self.bias_)
        words = documents.counts @ self.log_beta_.T
        phi, unused = np.full(words.shape, 1 / labels), np.zeros((len(bags), labels), np.int8)
        given = (self.alpha_, self.slope_, self.bias_, unused, False, MAX_SWEEPS, CHANGE)
        infer(words, bags.starts, bags.sizes, phi, *given)
        return self.bias_ + self.slope_ * moments(phi, bags)[0]


def start(Y: np.ndarray) -> np.ndarray:
    """Give the uniform distribution over each bag's labels, over all where it has none: (n, L)."""
    weights = np.where(Y.any(axis=1, keepdims=True), Y, 1).astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def log_words_of(phi: np.ndarray, counts: Any, kappa: float) -> np.ndarray:
    """Give log beta (L, V) that fits classes phi (N, L) of instances with word counts (N, V)."""
    beta = kappa + (counts.T @ phi).T
    return np.log(beta) - np.log(beta.sum(axis=1, keepdims=True))


def solve_labels(mu, e2, xi, Y) -> tuple[np.ndarray, np.ndarray]:
    """Maximize the bound of the label term over slopes of 0 or more and biases.

    Parameters
    ----------
    mu, e2, xi : ndarrays of shape (n, L)
    Y : ndarray of shape (n, L)

    Returns
    -------
    slope, bias : ndarrays of shape (L,)
        A slope that would be negative is 0, and its bias the best with that.
    """
    weights, centered = 2 * tau(xi), Y - 0.5
    a, b, c = weights.sum(axis=0), (weights * mu).sum(axis=0), (weights * e2).sum(axis=0)
    right, right_mu = centered.sum(axis=0), (centered * mu).sum(axis=0)
    a, c = a + _RIDGE, c + _RIDGE
    determinant = a * c - b * b
    slope = np.maximum((a * right_mu - b * right) / determinant, 0)
    return slope, (right - b * slope) / a
