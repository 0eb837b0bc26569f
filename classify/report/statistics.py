"""Means over splits, curves, and paired comparisons of ways to train."""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import wilcoxon

from classify.metrics import METRICS
from classify.report.files import number
from classify.report.lines import AXES, Scored
from classify.trials import REPORTED_METRICS

_TRIAL = ("learner", "scaling", "split")
SAME = 1e-12  # differences below this are rounding

Score = tuple[float, float, int]  # mean, standard deviation (ddof 1, NaN for one), number


class Comparison(NamedTuple):
    """Two ways to train on the same splits.

    Attributes
    ----------
    first, second : str
    difference : tuple of (float, float, int)
        Mean, standard deviation and number of the first's metric minus the second's.
    better, equal, worse : int
        Splits on which the first is better, equal, worse.
    p : float
        Of Wilcoxon's signed-rank test, two-sided; NaN for fewer than two splits.
    adjusted : float
        The same after Holm's correction for all comparisons.
    """

    first: str
    second: str
    difference: Score
    better: int
    equal: int
    worse: int
    p: float
    adjusted: float


def usual(lines: Sequence[Scored]) -> list[Scored]:
    """Keep the lines at the usual end of every axis: most images, no noise, nothing hidden."""
    ends = {
        axis: end(one.places[axis] for one in lines if axis in one.places)
        for axis, (_, end) in AXES.items()
        if any(axis in one.places for one in lines)
    }
    return [one for one in lines if _is_at(one, ends)]


def _is_at(one: Scored, ends: Mapping[str, float]) -> bool:
    return all(one.places.get(axis, end) == end for axis, end in ends.items())


def score(values: Sequence[float]) -> Score:
    """Give mean, standard deviation (ddof 1) and number.

    Examples
    --------
    >>> score([1.0, 3.0])
    (2.0, 1.4142135623730951, 2)
    """
    std = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), std, len(values)


def shown_metrics(lines: Sequence[Scored]) -> list[str]:
    """List the metrics to show: those that sweeps report, or else all that there are."""
    present = {metric for one in lines for metric in one.values}
    usual_ones = [metric for metric in REPORTED_METRICS if metric in present]
    return usual_ones or [metric for metric in METRICS if metric in present]


def summarize(lines: Sequence[Scored], metrics: Sequence[str]) -> dict[str, dict[str, Score]]:
    """Average metrics over splits: name to metric to `Score`."""
    return {
        name: {
            metric: score(found)
            for metric in metrics
            if (found := [one.values[metric] for one in mine if metric in one.values])
        }
        for name, mine in _by_name(lines).items()
    }


def best_first(
    table: Mapping[str, Mapping[str, Score]], metric: str
) -> dict[str, Mapping[str, Score]]:
    """Order what `summarize` gave by the mean of a metric; names without it come last."""
    sign = -1 if METRICS[metric].higher_is_better else 1

    def place(name: str) -> float:
        return sign * table[name][metric][0] if metric in table[name] else np.inf

    return {name: table[name] for name in sorted(table, key=place)}


def curves(lines: Sequence[Scored], metric: str) -> dict[str, dict[str, list[tuple[float, Score]]]]:
    """Average a metric along every axis that has two places or more: axis to name to points.

    Along one axis, all other axes are at their usual end.
    """
    found = {}
    for axis in AXES:
        others = [one for one in lines if axis in one.places]
        kept = usual([_without(one, axis) for one in others])
        kept_lines = {id(one.line) for one in kept}
        mine = [one for one in others if id(one.line) in kept_lines and metric in one.values]
        if len({one.places[axis] for one in mine}) < 2:
            continue
        found[axis] = {
            name: _points([(one.places[axis], one.values[metric]) for one in group])
            for name, group in _by_name(mine).items()
        }
    return found


def strengths(lines: Sequence[Scored]) -> dict[str, list[tuple[float, Score]]]:
    """Average the score of the inner folds along C, for sweeps that chose C so: name to points."""
    names = {
        (id(one.source), *(one.line[field] for field in _TRIAL)): one.name
        for one in lines
        if one.source.is_sweep
    }
    found: dict[str, list[tuple[float, float]]] = {}
    for source in {id(one.source): one.source for one in lines if one.source.is_sweep}.values():
        for line in source.lines:
            name = names.get((id(source), *(line[field] for field in _TRIAL)))
            C, inner = number(line["C"]), number(line["inner"])
            if name is not None and C is not None and C > 0 and inner is not None:
                found.setdefault(name, []).append((C, inner))
    points = {name: _points(pairs) for name, pairs in found.items()}
    return {name: line for name, line in points.items() if len(line) > 1}


def compare(lines: Sequence[Scored], metric: str) -> list[Comparison]:
    """Compare every two ways to train on the splits that both have.

    Wilcoxon, Individual comparisons by ranking methods (1945), with Holm, A simple sequentially
    rejective multiple test procedure (1979).

    Returns
    -------
    list of Comparison
        Only of pairs with common splits; the better one comes first.
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    values: dict[str, dict[tuple, float]] = {}
    for one in lines:
        if metric in one.values:
            values.setdefault(one.name, {})[one.repeat] = one.values[metric]
    found = []
    for first, second in itertools.combinations(values, 2):
        common = [repeat for repeat in values[first] if repeat in values[second]]
        if common:
            d = np.array([values[first][one] - values[second][one] for one in common])
            a, b = (first, second) if sign * d.mean() >= 0 else (second, first)
            found.append(_compared(a, b, d if a == first else -d, sign))
    adjusted = holm([one.p for one in found])
    return [one._replace(adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def _compared(first: str, second: str, d: np.ndarray, sign: int) -> Comparison:
    d = np.where(np.abs(d) < SAME, 0.0, d)
    better, worse = int((sign * d > 0).sum()), int((sign * d < 0).sum())
    equal = len(d) - better - worse
    return Comparison(first, second, score(d.tolist()), better, equal, worse, p_value(d), np.nan)


def p_value(differences: np.ndarray) -> float:
    """Give Wilcoxon's two-sided p; 1 where all differences are 0, NaN for fewer than two.

    Examples
    --------
    >>> p_value(np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    0.0625
    """
    if len(differences) < 2:
        return float("nan")
    if not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few splits, or equal ones: p is then approximate
        return float(wilcoxon(differences).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for their number; NaN stays and doesn't count.

    Examples
    --------
    >>> holm([0.04, 0.01, float("nan"), 0.03])
    [0.06, 0.03, nan, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return adjusted.tolist()


def _by_name(lines: Sequence[Scored]) -> dict[str, list[Scored]]:
    groups: dict[str, list[Scored]] = {}
    for one in lines:
        groups.setdefault(one.name, []).append(one)
    return groups


def _points(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, Score]]:
    places = sorted({place for place, _ in pairs})
    return [(place, score([value for at, value in pairs if at == place])) for place in places]


def _without(one: Scored, axis: str) -> Scored:
    return Scored(
        one.name, one.source, one.line, one.repeat,
        {name: value for name, value in one.places.items() if name != axis}, one.values,
    )  # fmt: skip
