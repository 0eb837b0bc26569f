"""Settings chosen inside the training part: 3 folds, lowest ranking loss.

The protocol is that of the MIMLfast paper as recalled; its grids, and ours for the other methods,
are unconfirmed.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import clone

from classify.metrics import get_metric
from classify.miml.base import BagTagger, as_bags
from classify.miml.distance_tagger import PRECOMPUTED, DistanceTagger
from classify.miml.distances import bag_distances
from classify.miml.scaling import InstanceScaler
from features.splits import inner_folds

#: Values to choose from, by method.
GRIDS: dict[str, dict[str, tuple]] = {
    "MIMLSVM": {"relative_gamma": (True,), "gamma": (0.1, 0.5, 1.0, 5.0, 10.0), "C": (1, 4, 32)},
    "MIMLkNN": {"references": (5, 10, 15, 20, 25, 30), "citers": (5, 10, 15, 20, 25, 30)},
    "MIMLfast": {"max_norm": (1.0, 5.0, 10.0), "concepts": (1, 5, 10)},
    "RankLSIM": {"weight_decay": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)},
    "KISAR": {"C": (0.01, 0.1, 1.0, 10.0, 100.0, 500.0)},
    "DBA": {"words": (50, 100, 200, 500), "alpha": (0.1, 1.0, 10.0)},
}


def settings_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List every combination of a grid's values.

    Examples
    --------
    >>> settings_of({"a": (1, 2), "b": (3,)})
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def select(
    estimator: BagTagger,
    X,
    Y: np.ndarray,
    settings: Sequence[Mapping[str, Any]],
    *,
    folds: int = 3,
    seed: int = 0,
    metric: str = "ranking_loss",
) -> tuple[dict[str, Any], np.ndarray]:
    """Choose the setting that is best on average over folds of the training bags.

    Parameters
    ----------
    estimator : BagTagger
        Settings are put into clones of it.
    X : Bags
        The n training bags, or what else `estimator` is fitted to.
    Y : array of shape (n, L)
    settings : sequence of mapping
        As `settings_of` gives them. Ties go to the first.
    folds, seed : int
        As in `features.splits.inner_folds`.
    metric : str
        A name in `classify.metrics.METRICS`.

    Returns
    -------
    best : dict
        One of `settings`.
    scores : ndarray of shape (len(settings), folds)
    """
    scorer, Y = get_metric(metric), np.asarray(Y)
    matrix, model = _distances(estimator, X)
    scores = np.empty((len(settings), folds))
    for column, fold in enumerate(inner_folds(np.arange(len(Y)), folds, seed)):
        train, test = _parts(X, matrix, fold.train, fold.test)
        for row, setting in enumerate(settings):
            fitted = clone(model).set_params(**setting).fit(train, Y[fold.train])
            scores[row, column] = scorer.function(Y[fold.test], fitted.decision_function(test))
    means = scores.mean(axis=1)
    best = int((-means if scorer.higher_is_better else means).argmin())
    return dict(settings[best]), scores


def _distances(estimator: BagTagger, X) -> tuple[np.ndarray | None, BagTagger]:
    """Compute distances once, where the method has no other use for the bags."""
    if not isinstance(estimator, DistanceTagger):
        return None, estimator
    if estimator.distance == PRECOMPUTED:
        return np.asarray(X), estimator
    bags = as_bags(X)
    scaler = InstanceScaler(estimator.scaling).fit(bags.instances)
    matrix = bag_distances(bags.replace(scaler.transform(bags.instances)), kind=estimator.distance)
    return matrix, clone(estimator).set_params(distance=PRECOMPUTED, scaling="none")


def _parts(X, matrix: np.ndarray | None, train: np.ndarray, test: np.ndarray):
    if matrix is None:
        bags = as_bags(X)
        return bags.take(train), bags.take(test)
    return matrix[np.ix_(train, train)], matrix[np.ix_(test, train)]
