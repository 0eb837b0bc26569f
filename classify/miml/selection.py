"""Settings chosen inside the training part: 3 folds, lowest ranking loss.

The protocol is that of the MIMLfast paper as recalled; its grids, and ours for the other methods,
are unconfirmed.
"""

from collections.abc import Iterator, Mapping, Sequence
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

Grid = Mapping[str, Sequence[Any]]

#: Values to choose from, by method: grids that are searched one after the other, each with what the
#: earlier ones chose. MIMLfast's values are those recalled from its paper, 288 combinations, and
#: the number of epochs. KISAR's C takes longest where it is large and prototypes are many, which
#: never wins; so the number of prototypes is chosen at the best C.
GRIDS: dict[str, tuple[Grid, ...]] = {
    "MIMLSVM": ({"relative_gamma": (True,), "gamma": (0.1, 0.5, 1.0, 5.0, 10.0), "C": (1, 4, 32)},),
    "MIMLkNN": ({"references": (5, 10, 15, 20, 25, 30), "citers": (5, 10, 15, 20, 25, 30)},),
    "MIMLfast": (
        {
            "max_norm": (1.0, 5.0, 10.0),
            "concepts": (1, 5, 10, 15),
            "learning_rate": (1e-4, 5e-4, 1e-3, 5e-3),
        },
        {"dimensions": (50, 100, 200), "epochs": (15, 50)},
        {"decay": (1e-5, 1e-6)},
    ),
    "RankLSIM": ({"weight_decay": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)},),
    "KISAR": (
        {"C": (0.01, 0.1, 1.0, 10.0, 100.0, 500.0), "ratio": (0.25,)},
        {"ratio": (0.1, 0.25, 0.5)},
    ),
    "DBA": ({"words": (50, 100, 200, 500), "alpha": (0.1, 1.0, 10.0), "kappa": (0.01, 0.1, 1.0)},),
}


def settings_of(grid: Grid) -> list[dict[str, Any]]:
    """List every combination of a grid's values.

    Examples
    --------
    >>> settings_of({"a": (1, 2), "b": (3,)})
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def tune(
    estimator: BagTagger,
    X,
    Y: np.ndarray,
    grids: Sequence[Grid] | None = None,
    *,
    folds: int = 3,
    seed: int = 0,
    metric: str = "ranking_loss",
) -> dict[str, Any]:
    """Choose a setting by grids one after the other, each with what the earlier ones chose.

    Parameters
    ----------
    estimator, X, Y, folds, seed, metric
        As for `select`.
    grids : sequence of mapping, optional
        By default those of the method in `GRIDS`.

    Returns
    -------
    dict
        Parameters for `estimator`.
    """
    chosen: dict[str, Any] = {}
    known: dict[str, np.ndarray] = {}  # a later grid repeats what the earlier ones chose
    for grid in GRIDS[type(estimator).__name__] if grids is None else grids:
        settings = [{**chosen, **setting} for setting in settings_of(grid)]
        names = [repr(sorted({**estimator.get_params(), **one}.items())) for one in settings]
        new = [row for row, name in enumerate(names) if name not in known]
        if new:
            fresh = [settings[row] for row in new]
            _, scores = select(estimator, X, Y, fresh, folds=folds, seed=seed, metric=metric)
            known |= {names[row]: score for row, score in zip(new, scores, strict=True)}
        chosen = settings[_best(np.array([known[name] for name in names]), metric)]
    return chosen


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

    What does not depend on a setting is computed once: distances for all folds, and the estimator's
    `preparation` once a fold.

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
        for rows in _prepared_alike(model, settings):
            fitted = clone(model).set_params(**settings[rows[0]])
            seen = fitted.prepare(train)
            unseen = fitted.prepare_new(test)
            for row in rows:
                fitted.set_params(**settings[row]).fit_prepared(seen, Y[fold.train])
                found = fitted.score_prepared(unseen)
                scores[row, column] = scorer.function(Y[fold.test], found)
    return dict(settings[_best(scores, metric)]), scores


def _best(scores: np.ndarray, metric: str) -> int:
    """Give the first of the best settings by their scores (settings, folds)."""
    means = scores.mean(axis=1)
    return int((-means if get_metric(metric).higher_is_better else means).argmin())


def _prepared_alike(
    model: BagTagger, settings: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, ...]]:
    """Give the places of the settings that agree in what the model's preparation depends on."""
    groups: dict[tuple, list[int]] = {}
    for row, setting in enumerate(settings):
        values = {**model.get_params(), **setting}
        groups.setdefault(tuple(values[name] for name in model.preparation), []).append(row)
    yield from map(tuple, groups.values())


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
