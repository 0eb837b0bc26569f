"""After how many epochs to stop, by known labels that a descent has not seen."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from classify.base import UNKNOWN
from classify.imcl.descent import Descent
from classify.imcl.variants import VARIANTS, Variant
from classify.metrics import class_average_precision, mean_average_precision
from classify.row_blocks import row_blocks
from features.errors import InputError
from features.splits import inner_folds

#: From the rows to learn from and those held out to the scores (h, L) of the latter, first at the
#: start and then after each epoch.
FoldScores = Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]


def held_out_curve(
    targets: np.ndarray, scores_of: FoldScores, *, folds: int, seed: int
) -> tuple[list[float], int]:
    """Follow the mean average precision of held-out known labels, and say which epoch to keep.

    Each row is held out once. An epoch is kept only where its gain over the start, a mean over the
    labels, exceeds the standard error of that mean; else the start is, as where nothing can be
    compared.

    Parameters
    ----------
    targets : int8 array of shape (n, L)
        1, 0 and -1 (unknown).
    scores_of : callable
        Called once per fold that has a present label to learn from.
    folds : int
    seed : int
        Of the folds.

    Returns
    -------
    curve : list of float
        At the start and after each epoch; empty where nothing could be compared.
    epoch : int
        The one to keep; 0 is the start.
    """
    n = len(targets)
    if n < 2 * folds:
        return [], 0
    seen = np.full_like(targets, UNKNOWN)
    every: list[np.ndarray] = []
    for fold in inner_folds(np.arange(n), folds, seed):
        train, test = np.sort(fold.train), np.sort(fold.test)
        if not ((targets[train] == 1).any() and (targets[test] != UNKNOWN).any()):
            continue
        seen[test] = targets[test]
        for epoch, scores in enumerate(scores_of(train, test)):
            if epoch == len(every):
                every.append(np.zeros(targets.shape))
            every[epoch][test] = scores
    if not (seen == 1).any():
        return [], 0
    values = np.array([class_average_precision(seen, scores) for scores in every])
    return _best(values[:, np.isfinite(values).all(axis=0)])


def _best(values: np.ndarray) -> tuple[list[float], int]:
    """Choose the epoch by the average precision (epochs + 1, labels) of each label."""
    curve = values.mean(axis=1)
    epoch = int(np.argmax(curve))
    gains = values[epoch] - values[0]
    if len(gains) < 2 or not gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)):
        epoch = 0
    return curve.tolist(), epoch


def stopping_of(tagger: Any, variant: Variant) -> str:
    """Say what "auto" is for a variant: the published ones stop nowhere."""
    if tagger.early_stopping != "auto":
        return tagger.early_stopping
    return "never" if variant in (VARIANTS["paper"], VARIANTS["official"]) else "folds"


def held_out(descent: Descent, rows: np.ndarray) -> np.ndarray:
    """Score rows (h, L) that a descent does not read, as it stands."""
    X, (coef, intercept) = descent.source.X, descent.source.linear(descent.parameters)
    return np.concatenate([X[block] @ coef.T + intercept for block in row_blocks(rows)])


def evaluate(descent: Descent, rows: np.ndarray) -> float:
    """Rank rows that a descent does not read: the mean average precision of their known labels.

    Raises
    ------
    InputError
        None of them has a present label.
    """
    value = mean_average_precision(descent.source.targets[rows], held_out(descent, rows))
    if np.isnan(value):
        raise InputError(
            f"mean average precision is undefined on the {len(rows)} rows set aside, "
            "which have no label present: raise validation_fraction or use more rows"
        )
    return value
