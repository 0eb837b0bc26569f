"""Synthetic labels over a known label graph, and features made from them.

There are two recipes: one with as many labels as CUB has bird attributes, where each image keeps a
tenth of them, and one with the 5,000 labels of Open Images, where a few are annotated per image.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.missing import hide


@dataclass(frozen=True)
class Recipe:
    """How a data set is made.

    Attributes
    ----------
    name : str
    n_labels, n_features : int
    n_train, n_test : int
    parents : int
        Number of other labels that the presence of a label makes likely.
    base_rate : float
        Probability that a label is present by itself.
    noise : float
        Standard deviation of the noise on features, relative to the labels' contribution.
    positives, negatives : int or None
        Present and absent labels that stay annotated per image; None to hide at random instead.
    missing : float
        Share of the labels that is hidden then.
    """

    name: str
    n_labels: int
    n_features: int
    n_train: int
    n_test: int
    parents: int
    base_rate: float
    noise: float
    positives: int | None = None
    negatives: int | None = None
    missing: float = 0.9


RECIPES = (
    Recipe("CUB-like", 312, 128, 1500, 500, parents=3, base_rate=0.03, noise=0.6),
    Recipe(
        "Open-Images-like",
        5000,
        128,
        2000,
        500,
        parents=3,
        base_rate=0.0015,
        noise=0.6,
        positives=4,
        negatives=8,
        missing=0.0,
    ),
)


class SyntheticData(NamedTuple):
    """A data set with the graph that it was made from.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
        Training rows, then test rows.
    Y : int8 ndarray of shape (n, L)
        All labels known.
    support : float64 ndarray of shape (L, L)
        Row i, column j: probability that a present j adds i; 0 where there is no edge.
    """

    X: np.ndarray
    Y: np.ndarray
    support: np.ndarray


def make_dataset(recipe: Recipe, seed: int) -> SyntheticData:
    """Make labels over a random graph, and features from the labels.

    Each label is present by itself with the base rate, and then adds each of its parents with the
    probability on the edge, one step far. Features are the sum of one random direction per present
    label, and noise.

    Parameters
    ----------
    recipe : Recipe
    seed : int

    Returns
    -------
    SyntheticData

    Examples
    --------
    >>> small = Recipe("small", 6, 4, 20, 5, parents=1, base_rate=0.2, noise=0.1)
    >>> made = make_dataset(small, seed=0)
    >>> made.Y.shape, (made.support > 0).sum(axis=0).tolist()
    ((25, 6), [1, 1, 1, 1, 1, 1])
    """
    rng = np.random.default_rng(seed)
    n, n_labels = recipe.n_train + recipe.n_test, recipe.n_labels
    support = np.zeros((n_labels, n_labels))
    for label in range(n_labels):
        others = rng.choice(n_labels - 1, recipe.parents, replace=False)
        others += others >= label
        support[others, label] = rng.uniform(0.5, 0.95, recipe.parents)
    alone = rng.random((n, n_labels)) < recipe.base_rate
    # P(no present label adds i) = product over present j of 1 - support[i, j].
    spared = np.exp(alone @ np.log1p(-support).T)
    present = alone | (rng.random((n, n_labels)) >= spared)
    directions = rng.normal(size=(n_labels, recipe.n_features)) / np.sqrt(recipe.n_features)
    noise = rng.normal(size=(n, recipe.n_features)) * recipe.noise / np.sqrt(recipe.n_features)
    X = (present @ directions + noise * np.sqrt(max(present.sum(axis=1).mean(), 1))).astype("f4")
    return SyntheticData(X, present.astype(np.int8), support)


def annotate(Y: np.ndarray, recipe: Recipe, seed: int) -> np.ndarray:
    """Hide labels as the recipe asks: a share of them, or all but a few of either kind per image.

    Parameters
    ----------
    Y : int8 array of shape (n, L)
    recipe : Recipe
    seed : int

    Returns
    -------
    int8 ndarray of shape (n, L)
    """
    if recipe.positives is None or recipe.negatives is None:
        return hide(Y, recipe.missing, seed)
    draws = np.random.default_rng(seed).random(Y.shape)
    kept = np.zeros(Y.shape, dtype=bool)
    for kind, count in ((1, recipe.positives), (0, recipe.negatives)):
        of_kind = np.equal(Y, kind)
        order = np.argsort(np.where(of_kind, draws, np.inf), axis=1)[:, :count]
        first = np.zeros(Y.shape, dtype=bool)
        np.put_along_axis(first, order, True, axis=1)
        kept |= first & of_kind
    return np.where(kept, Y, -1).astype(np.int8)
