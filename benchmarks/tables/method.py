"""A method of a table: an estimator, settings to choose from, and how it is fitted to a case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from classify.base import UNKNOWN
from classify.metrics import get_metric
from features.errors import InputError
from features.splits import Split

#: How a result line names one of a method's settings.
Name = str | int | float


class Case(NamedTuple):
    """What one trial learns from and is evaluated on.

    Attributes
    ----------
    X : float32 ndarray of shape (n, d)
    Y : int8 ndarray of shape (n, L)
        Labels as the learner gets them: 1 = present, 0 = absent, -1 = unknown.
    train : ndarray of int
        All training rows, with labels or without.
    part : Split
        Training rows with labels, and the rows to evaluate on.
    inner : tuple of Split
        The same inside the training rows, to choose a setting.
    seed : int
    epochs : int
        For descents, on all training rows. A fit to fewer rows takes as many steps.
    """

    X: np.ndarray
    Y: np.ndarray
    train: np.ndarray
    part: Split
    inner: tuple[Split, ...] = ()
    seed: int = 0
    epochs: int = 1


@dataclass(frozen=True)
class Method:
    """A row of a table: an estimator and the settings to choose from.

    Attributes
    ----------
    name : str
        In result lines and on the command line.
    title : str
        In tables.
    make : callable
        Takes the parameters of a setting by keyword; returns an unfitted estimator.
    settings : mapping
        Name in result lines to parameters.
    descent : bool
        Whether the estimator takes ``epochs`` and ``random_state``.
    decides : bool
        Whether a score above 0 predicts a label. Otherwise only the order of scores counts.
    unlabeled : bool
        Whether the estimator also learns from training rows without labels.
    """

    name: str
    title: str
    make: Callable[..., Any]
    settings: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)
    descent: bool = False
    decides: bool = True
    unlabeled: bool = False

    def fit(self, setting: Name, case: Case, part: Split) -> Any:
        """Fit one setting to the training rows of a part; return the estimator.

        Raises
        ------
        InputError
            As the estimator raises, such as for a learning rate that diverges.
        """
        rows, Y = part.train, case.Y
        if self.unlabeled:
            rows = np.setdiff1d(case.train, part.test)
            Y = np.full_like(case.Y, UNKNOWN)
            Y[part.train] = case.Y[part.train]
        parameters = dict(self.settings[setting])
        if self.descent:
            epochs = round(case.epochs * max(1.0, len(case.train) / len(rows)))
            parameters |= {"epochs": epochs, "random_state": case.seed}
        return self.make(**parameters).fit(case.X[rows], Y[rows])

    def score(self, setting: Name, case: Case, part: Split) -> np.ndarray:
        """Fit one setting to a part; give the scores (m, L) of its test rows."""
        return self.fit(setting, case, part).decision_function(case.X[part.test])

    def inner_score(self, setting: Name, case: Case, metric: str) -> float:
        """Average a metric over the inner parts; NaN where it is undefined."""
        judge = get_metric(metric).function
        values = [judge(case.Y[part.test], self.score(setting, case, part)) for part in case.inner]
        return float(np.mean(values))

    def select(self, case: Case, metric: str) -> Name:
        """Choose the setting with the best inner score; a setting that fails is left out.

        Raises
        ------
        InputError
            Every setting fails, or the metric is undefined for all of them.
        """
        scores: dict[Name, float] = {}
        failed = f"{metric} is undefined on the rows set aside: set more rows aside"
        for setting in self.settings:
            try:
                scores[setting] = self.inner_score(setting, case, metric)
            except InputError as error:
                failed = str(error)
        best = best_of(scores, metric)
        if best is None:
            raise InputError(failed)
        return best


def best_of(scores: Mapping[Name, float | None], metric: str) -> Name | None:
    """Give the setting with the best score, the first of equal ones; None if none is defined.

    Examples
    --------
    >>> best_of({"C 1": 0.25, "C 10": None, "C 100": 0.5}, "map")
    'C 100'
    """
    sign = 1 if get_metric(metric).higher_is_better else -1
    known = {name: sign * x for name, x in scores.items() if x is not None and not np.isnan(x)}
    return max(known, key=lambda name: known[name]) if known else None
