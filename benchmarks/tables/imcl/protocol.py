"""What one fit of ``tables imcl`` is: rows, hidden cells, a learner, and what it is worth.

A selection line judges one setting of a learner on rows set aside from the training rows, by their
known cells; a result line judges the setting that was chosen on the test rows. Writes no table.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables.imcl.learners import IMCL, PARTIAL_LEARNERS, VARIANTS
from benchmarks.tables.reading import read_task
from benchmarks.tables.task import Task, keep_labels
from classify.metrics.label_based import mean_average_precision
from classify.metrics.label_groups import group_map
from classify.parallel import Trial
from classify.results import Line
from classify.row_blocks import mean_norm
from features.errors import InputError
from features.missing import hide
from features.splits import inner_split

SELECTION_KEY = ("learner", "rate", "seed", "setting")
KEY = ("learner", "section", "variant", "rate", "seed")
SET_ASIDE = 0.25  # of the training rows, to choose settings on
GROUPS = 5


def read_partial_task(
    cache: Path, layers: Sequence[str] | None = None, split: Path | None = None
) -> Task:
    """Read a cache that has labels.

    Parameters
    ----------
    cache, layers, split
        As for `benchmarks.tables.experiment.read_task`.

    Returns
    -------
    Task
        Under an official split without the labels that lack a present image in either part, as is
        usual for Corel5k.

    Raises
    ------
    InputError
        As `read_task` and `keep_labels`.
    """
    task = read_task([cache], split=split, layers=layers)
    return keep_labels(task) if split else task


def judge_setting(cell: Trial, data: Task, scheme: str) -> dict[str, float]:
    """Fit one setting to some of the training rows and judge it on the others' known cells.

    Parameters
    ----------
    cell : mapping
        The fields of `SELECTION_KEY`. The seed is that of the split and of the hidden cells.
    data : Task
    scheme : str
        As in `features.missing.hide`.

    Returns
    -------
    dict
        ``score``, the mAP, NaN where no label has a present one among those cells or the fit fails.
    """
    train = data.split(cell["seed"]).train
    Y = hide(data.Y[train], cell["rate"], cell["seed"], scheme)
    parts = inner_split(np.arange(len(train)), cell["seed"], SET_ASIDE)
    X = scaled(data.X, train)[train]
    try:
        model = make(cell["learner"], cell["setting"]).fit(X[parts.train], Y[parts.train])
    except InputError:  # a descent that diverges, say: a setting not to be chosen
        return {"score": np.nan}
    return {"score": mean_average_precision(Y[parts.test], model.decision_function(X[parts.test]))}


def judge_learner(cell: Trial, data: Task, scheme: str) -> dict[str, Any]:
    """Fit a learner to all training rows, some of their cells hidden, and judge it on test rows.

    Parameters
    ----------
    cell : mapping
        The fields of `KEY`, and ``setting``.
    data : Task
    scheme : str

    Returns
    -------
    dict
        ``map`` over labels with a known present test image, ``map_zero`` with 0 for the others,
        ``evaluable``, and ``g1`` to ``g5``: by groups of labels, those with the fewest training
        images first, counted before cells are hidden.
    """
    split = data.split(cell["seed"])
    X = scaled(data.X, split.train)
    Y = hide(data.Y[split.train], cell["rate"], cell["seed"], scheme)
    model = make(cell["learner"], cell["setting"], cell["section"], cell["variant"])
    scores = model.fit(X[split.train], Y).decision_function(X[split.test])
    counts = (data.Y[split.train] == 1).sum(axis=0)
    truth, groups = data.Y[split.test], min(GROUPS, data.Y.shape[1])
    result = group_map(truth, scores, counts, n_groups=groups)
    by_group = {f"g{number}": value for number, value in enumerate(result.groups, start=1)}
    return {
        "map": result.all,
        "map_zero": mean_average_precision(truth, scores, without_positives="zero"),
        "evaluable": result.evaluable,
        **by_group,
    }


def make(learner: str, setting: int, section: str = "main", variant: str = "") -> Any:
    """Build the estimator of a line, unfitted."""
    (record,) = [one for one in PARTIAL_LEARNERS if one.name == learner]
    parameters = dict(record.settings[setting])
    if section != "main":
        (found,) = [one for one in VARIANTS if (one.section, one.name) == (section, variant)]
        parameters |= found.parameters
    return record.make(**parameters)


def scaled(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Divide all rows by the mean length of the training rows."""
    return X / X.dtype.type(mean_norm(X, train, np.ones(len(train))))


def selection_cells(
    learners: Sequence[str], rates: Sequence[float], seeds: Sequence[int]
) -> list[Trial]:
    """List every setting of every learner."""
    counts = {one.name: len(one.settings) for one in PARTIAL_LEARNERS}
    return [
        {"learner": learner, "rate": rate, "seed": seed, "setting": setting}
        for rate in rates
        for seed in seeds
        for learner in learners
        for setting in range(counts[learner])
    ]


def choose(lines: Sequence[Line]) -> dict[tuple, int]:
    """Give the setting with the highest mAP, by learner, rate and seed; the first of equal ones.

    Examples
    --------
    >>> line = {"learner": "lsep", "rate": 0.9, "seed": 0}
    >>> choose([{**line, "setting": 0, "score": None}, {**line, "setting": 1, "score": 0.4}])
    {('lsep', 0.9, 0): 1}
    """
    best: dict[tuple, Mapping[str, Any]] = {}
    for line in sorted(lines, key=lambda line: line["setting"]):
        key = (line["learner"], line["rate"], line["seed"])
        if key not in best or (line["score"] or 0) > (best[key]["score"] or 0):
            best[key] = line
    return {key: line["setting"] for key, line in best.items()}


def result_cells(
    learners: Sequence[str],
    rates: Sequence[float],
    seeds: Sequence[int],
    chooser: Mapping[int, int],
    chosen: Mapping[tuple, int],
    variant_rates: Sequence[float],
) -> list[Trial]:
    """List every fit to judge: learners at all rates, variants of IMCL at some.

    `chooser` maps each seed to the one whose settings it takes.
    """
    cells: list[Trial] = []
    for rate in rates:
        for seed in seeds:
            place, source = {"rate": rate, "seed": seed}, chooser[seed]
            for learner in learners:
                key = {"learner": learner, "section": "main", "variant": ""}
                cells.append({**key, **place, "setting": chosen[learner, rate, source]})
            if rate in variant_rates and IMCL in learners:
                cells += [
                    {
                        **{"learner": IMCL, "section": one.section, "variant": one.name},
                        **place,
                        "setting": chosen[IMCL, rate, source],
                    }
                    for one in VARIANTS
                    if one.parameters
                ]
    return cells
