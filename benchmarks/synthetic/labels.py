"""Labelled rows drawn over a known label graph. Knows no learner.

Two recipes: one with as many labels as there are bird attributes in CUB, of which each image keeps
a tenth, and one with the 5,000 labels of Open Images, of which an image has a few annotated.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.missing import hide


@dataclass(frozen=True)
class Recipe:
    """How a set is drawn.

    Attributes
    ----------
    name : str
    n_labels, n_features : int
    n_train, n_test : int
    parents : int
        Other labels that each label supports, or rather that its presence brings along.
    base_rate : float
        Chance that a label is present by itself.
    noise : float
        Standard deviation of the noise on features, relative to what labels bring.
    positives, negatives : int or None
        Present and absent labels an image keeps annotated; None to hide at random instead.
    missing : float
        Share of the cells that is hidden then.
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


class Drawn(NamedTuple):
    """A set and the truth about it.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
        Training rows, then test rows.
    Y : int8 ndarray of shape (n, L)
        All labels known.
    support : float64 ndarray of shape (L, L)
        Row i, column j: chance that a present j brings i along; 0 where no edge is.
    """

    X: np.ndarray
    Y: np.ndarray
    support: np.ndarray


def draw_set(recipe: Recipe, seed: int) -> Drawn:
    """Draw labels over a graph, and features from labels.

    Each label is present by itself with the base rate; a label that is brings each of its parents
    along with the chance on the edge, once. Features are the sum of a random direction a label
    that is present, and noise.

    Parameters
    ----------
    recipe : Recipe
    seed : int

    Returns
    -------
    Drawn

    Examples
    --------
    >>> small = Recipe("small", 6, 4, 20, 5, parents=1, base_rate=0.2, noise=0.1)
    >>> drawn = draw_set(small, seed=0)
    >>> drawn.Y.shape, (drawn.support > 0).sum(axis=0).tolist()
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
    # P(i is brought along by nobody) = product over present j of 1 - support[i, j].
    spared = np.exp(alone @ np.log1p(-support).T)
    present = alone | (rng.random((n, n_labels)) >= spared)
    directions = rng.normal(size=(n_labels, recipe.n_features)) / np.sqrt(recipe.n_features)
    noise = rng.normal(size=(n, recipe.n_features)) * recipe.noise / np.sqrt(recipe.n_features)
    X = (present @ directions + noise * np.sqrt(max(present.sum(axis=1).mean(), 1))).astype("f4")
    return Drawn(X, present.astype(np.int8), support)


def annotate(Y: np.ndarray, recipe: Recipe, seed: int) -> np.ndarray:
    """Hide labels as the recipe says: a share of them, or all but a few of either kind an image.

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
