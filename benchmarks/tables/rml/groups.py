"""Result lines of ``tables rml`` sorted into its three parts, and means and gains over seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report.statistics import Quoted, over_splits
from benchmarks.tables.rml.learners import LEARNERS
from classify.metrics import METRICS
from classify.results import Line

#: (learner, noise, labeled) to its lines, one per seed.
Groups = dict[tuple[str, float, float], list[Line]]


class Parts(NamedTuple):
    """The fits of each part; empty where it was not run.

    Attributes
    ----------
    supervised : Groups
        All labels, all right.
    noise : Groups
        Some labels wrong, and the same seeds without noise.
    semi : Groups
        Some rows labeled.
    """

    supervised: Groups
    noise: Groups
    semi: Groups


def parts_of(lines: Iterable[Line]) -> Parts:
    """Sort the lines of a result file.

    Parameters
    ----------
    lines : iterable of mapping
        Of both stages. Those of "test" get the score they were chosen by as ``inner``.

    Returns
    -------
    Parts
        Learners in the order of `LEARNERS`, shares ascending.
    """
    tested = _with_inner_scores(list(lines))
    noisy = [line for line in tested if line["noise"] > 0]
    few = [line for line in tested if LEARNERS[line["learner"]].unlabeled or line["labeled"] < 1]
    supervised = _group(tested, lambda one: one["noise"] == 0 and one["labeled"] == 1)
    learners, seeds = ({line[name] for line in noisy} for name in ("learner", "seed"))
    noise = _group(
        tested,
        lambda one: one["labeled"] == 1 and one["learner"] in learners and one["seed"] in seeds,
    )
    shares = {line["labeled"] for line in few}
    seeds_of_few = {line["seed"] for line in few}
    learners_of_few = {line["learner"] for line in few}
    semi = _group(
        tested,
        lambda one: (
            one["labeled"] in shares
            and one["noise"] == 0
            and one["learner"] in learners_of_few
            and one["seed"] in seeds_of_few
        ),
    )
    complete = {rate for rate in {key[1] for key in noise} if _all_have(noise, learners, 1, rate)}
    noise = {key: value for key, value in noise.items() if key[1] in complete}
    supervised = {key: v for key, v in supervised.items() if not LEARNERS[key[0]].unlabeled}
    return Parts(supervised, noise, semi)


def chosen_inside(groups: Groups, metric: str) -> list[Line]:
    """Pick, for each seed, the line of the learner with the best score inside the training rows."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    members = [{line["seed"]: line for line in lines} for lines in groups.values()]
    seeds = sorted(set().union(*members))
    # What no seed moves was fitted once for all of them.
    rows = [[lines.get(seed, lines[min(lines)]) for lines in members] for seed in seeds]
    return [max(lines, key=lambda line: sign * line["inner"]) for lines in rows]


def mean_of(lines: Sequence[Line], metric: str) -> Quoted:
    """Mean and standard deviation of a metric over seeds; undefined where a fit failed."""
    return over_splits([line.get(metric) for line in lines])


def gains(ours: Sequence[Line], theirs: Sequence[Line], metric: str) -> np.ndarray:
    """By how much one learner is better than another, seed by seed.

    Parameters
    ----------
    ours, theirs : sequence of mapping
    metric : str

    Returns
    -------
    ndarray
        Over the seeds of both, ascending: positive where `ours` is better, NaN where a fit failed.

    Examples
    --------
    >>> first, second = [{"seed": 0, "coverage": 0.25}], [{"seed": 0, "coverage": 0.75}]
    >>> gains(first, second, "coverage").tolist()
    [0.5]
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    first, second = ({line["seed"]: line.get(metric) for line in lines} for lines in (ours, theirs))
    seeds = sorted(set(first) & set(second))
    values = np.array([[first[seed], second[seed]] for seed in seeds], dtype=float).reshape(-1, 2)
    return sign * (values[:, 0] - values[:, 1])


def _with_inner_scores(lines: Sequence[Line]) -> list[Line]:
    """Give the test lines with the inner score of their setting, the first seed's if shared."""
    names = ("learner", "setting", "noise", "labeled")
    scores: dict[tuple, dict[int, Any]] = {}
    for line in lines:
        if line["stage"] == "inner":
            key = tuple(line[name] for name in names)
            scores.setdefault(key, {})[line["seed"]] = line["score"]
    tested = []
    for line in lines:
        if line["stage"] == "test":
            mine = scores[tuple(line[name] for name in names)]
            tested.append({**line, "inner": mine.get(line["seed"], mine[min(mine)])})
    return tested


def _group(lines: Iterable[Line], wanted: Callable[[Mapping[str, Any]], bool]) -> Groups:
    order = list(LEARNERS)
    groups: Groups = {}
    for line in sorted(
        filter(wanted, lines),
        key=lambda one: (
            order.index(one["learner"]),
            one["noise"],
            one["labeled"],
            one["seed"],
        ),
    ):
        key = (line["learner"], line["noise"], line["labeled"])
        groups.setdefault(key, []).append(line)
    return groups


def _all_have(groups: Groups, learners: Iterable[str], share: float, rate: float) -> bool:
    return all((learner, rate, share) in groups for learner in learners)
