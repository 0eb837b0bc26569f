"""The mean of the scores of several candidates, where it pays out of fold."""

from dataclasses import dataclass

import numpy as np

from classify.metrics import get_metric
from classify.selection.candidates import Candidate
from classify.selection.search import Data, Search, Tried

MOST = 3  # more of them gave no more on MSRC v2, alone and with a second backbone


@dataclass(frozen=True)
class Blend:
    """Candidates, their weights, the metric on each fold, and the out-of-fold scores of the mean.

    Weights bring the candidates' scores to the same spread, so that none drowns the others.
    """

    candidates: tuple[Candidate, ...]
    weights: tuple[float, ...]
    values: tuple[float, ...]
    scores: np.ndarray


def single(found: Search, best: Tried) -> Blend:
    """Give one candidate as a blend of one."""
    return Blend((best.candidate,), (1.0,), best.values, found.scores[best.candidate])


def blend(found: Search, data: Data) -> Blend:
    """Average the best candidates, as many of them as score best out of fold.

    Parameters
    ----------
    found : Search
        With at least one candidate.
    data : Data
        What they were compared on.

    Returns
    -------
    Blend
        Of 1 to `MOST` candidates, the best of their paths, in order of their metric.
    """
    ranked = found.ranked(data.metric)[:MOST]
    metric = get_metric(data.metric)
    best = single(found, ranked[0])
    sign = 1 if metric.higher_is_better else -1
    for size in range(2, len(ranked) + 1):
        candidates = tuple(one.candidate for one in ranked[:size])
        kept = [found.scores[one] for one in candidates]
        spreads = np.array([scores.std() for scores in kept])
        weights = spreads.mean() / np.where(spreads > 0, spreads, np.inf)
        scores = np.mean([w * s for w, s in zip(weights, kept, strict=True)], axis=0)
        values = tuple(metric.function(data.Y[f.test], scores[f.test]) for f in data.folds)
        if sign * np.mean(values) > sign * np.mean(best.values):
            best = Blend(candidates, tuple(weights.tolist()), values, scores)
    return best
