"""Every metric, by import or by name. All take ``(Y, scores)`` and give one float.

Y is (n, L) with 1 = present, 0 = absent, -1 = unknown; scores are (n, L) reals, higher is better.
What each does with ties, empty rows and unknown cells stands in `classify.metrics.example_based`
and `classify.metrics.label_based`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from classify.metrics.example_based import (
    accuracy,
    coverage,
    example_ap,
    hamming_loss,
    one_error,
    ranking_loss,
)
from classify.metrics.label_based import (
    AVERAGES,
    class_average_precision,
    class_precision_recall_f1,
    map_voc07_11pt,
    map_voc12,
    mean_average_precision,
    precision_recall_f1,
    topk,
)
from classify.metrics.ranking import check_truth
from features.errors import InputError

__all__ = [
    "AVERAGES",
    "METRICS",
    "MIML_METRICS",
    "Metric",
    "accuracy",
    "class_average_precision",
    "class_precision_recall_f1",
    "coverage",
    "example_ap",
    "get_metric",
    "hamming_loss",
    "map_voc07_11pt",
    "map_voc12",
    "mean_average_precision",
    "one_error",
    "precision_recall_f1",
    "ranking_loss",
    "topk",
]


class Metric(NamedTuple):
    """A metric that a sweep can select by.

    Attributes
    ----------
    function : callable
        ``(Y, scores) -> float``.
    higher_is_better : bool
    """

    function: Callable[..., float]
    higher_is_better: bool


def _decided(Y, scores, *, value: str, k: int | None = None, threshold: float | None = None):
    Y, scores = check_truth(Y, scores)
    if k is None:
        predicted = scores > 0
    else:
        predicted = topk(scores, min(k, np.shape(scores)[-1]), threshold=threshold)
    return precision_recall_f1(Y, predicted)[value]


def _mean_of_aps(Y, scores) -> float:
    """Mean of the average precisions along examples and along labels."""
    return (example_ap(Y, scores) + mean_average_precision(Y, scores)) / 2


#: The five of the multi-instance multi-label papers, in their order.
MIML_METRICS = ("example_ap", "coverage", "hamming_loss", "one_error", "ranking_loss")

#: Name to metric; averages are named as in scikit-learn. ``f1_micro`` and its kin decide by score
#: > 0; ``top3_*`` predict exactly three labels per image (all of them where there are fewer),
#: ``top3_positive_*`` those of the three above 0.
METRICS: dict[str, Metric] = {
    "example_ap": Metric(example_ap, True),
    "coverage": Metric(coverage, False),
    "hamming_loss": Metric(hamming_loss, False),
    "one_error": Metric(one_error, False),
    "ranking_loss": Metric(ranking_loss, False),
    "accuracy": Metric(accuracy, True),
    "map": Metric(mean_average_precision, True),
    "example_ap+map": Metric(_mean_of_aps, True),
    "map_voc12": Metric(map_voc12, True),
    "map_voc07_11pt": Metric(map_voc07_11pt, True),
} | {
    f"{prefix}{value}": Metric(partial(_decided, value=value, **options), True)
    for prefix, options in (
        ("", {}),
        ("top3_", {"k": 3}),
        ("top3_positive_", {"k": 3, "threshold": 0.0}),
    )
    for value in AVERAGES
}


def get_metric(name: str) -> Metric:
    """Look a metric up by its name.

    Parameters
    ----------
    name : str
        A key of `METRICS`.

    Returns
    -------
    Metric

    Raises
    ------
    InputError
        For any other name; the message lists those there are.

    Examples
    --------
    >>> get_metric("coverage").higher_is_better
    False
    """
    try:
        return METRICS[name]
    except KeyError:
        raise InputError(
            f"there is no metric {name!r}: choose one of {', '.join(METRICS)}"
        ) from None
