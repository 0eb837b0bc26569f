"""Compare candidates over folds of the training rows."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from classify.inputs import fit_scaler, scale
from classify.learners import Weighting, find_learner
from classify.metrics import get_metric
from classify.selection import candidates
from classify.selection.candidates import (
    Candidate,
    Fixed,
    Path,
    first_paths,
    further_paths,
)
from classify.selection.folds import stratified_folds
from classify.solvers.threads import one_thread
from features.errors import InputError, plain_words
from features.splits import Split

LOOSE = 1e-3  # relative gap at which metrics no longer move
NOTHING_FIXED = Fixed()
SMALL = 2e7  # rows x columns x labels, below which processes cost more than they save


@dataclass(frozen=True)
class Tried:
    """A candidate, its metric on each fold, and the seconds that its whole path took."""

    candidate: Candidate
    values: tuple[float, ...]
    seconds: float
    error: str = ""

    @property
    def mean(self) -> float:
        """Mean over the folds; NaN if a fit failed."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """Standard deviation over the folds (ddof 1)."""
        return float(np.std(self.values, ddof=1))


@dataclass(frozen=True)
class Data:
    """Training rows, the columns of each layer, and what all candidates share."""

    X: np.ndarray
    Y: np.ndarray
    widths: Sequence[int]
    folds: Sequence[Split]
    metric: str = "example_ap+map"
    jobs: int = -1
    progress: bool = True
    weighting: Weighting | None = None


@dataclass
class Search:
    """All that was tried, and the out-of-fold scores of the best of each path."""

    tried: list[Tried] = field(default_factory=list)
    scores: dict[Candidate, np.ndarray] = field(default_factory=dict)

    def ranked(self, metric: str) -> list[Tried]:
        """Give the best of each path, the best of all first."""
        kept = [one for one in self.tried if one.candidate in self.scores]
        sign = -1 if get_metric(metric).higher_is_better else 1
        return sorted(kept, key=lambda one: sign * one.mean)


def search(
    X: np.ndarray,
    Y: np.ndarray,
    widths: Sequence[int],
    *,
    metric: str = "example_ap+map",
    folds: int = 3,
    seed: int = 0,
    thorough: bool = False,
    fixed: Fixed = NOTHING_FIXED,
    jobs: int = -1,
    progress: bool = True,
    weighting: Weighting | None = None,
    without: str = "--learner l2, which needs no folds",
) -> tuple[Search, Data]:
    """Compare L2 on every scaling, then slower learners on the best scalings.

    Parameters
    ----------
    X : float array of shape (n, d)
        Training rows, not scaled.
    Y : int8 array of shape (n, L)
    widths : sequence of int
        Columns of each layer.
    metric : str
        A name in `classify.metrics.METRICS`.
    folds, seed : int
        Stratified folds.
    thorough : bool
        Whether the learners trained by descent take part.
    fixed : Fixed
        A scaling or C that is not to be chosen.
    jobs : int
        Processes of one thread each; -1 for one per core.
    progress : bool
        Whether a bar on stderr shows how far it is.
    weighting : mapping, optional
        A `class_weight` or `rare_weight`; learners that take neither then don't take part.
    without : str
        What the command has for rows that can't be cut into folds.

    Returns
    -------
    Search, Data

    Raises
    ------
    InputError
        Too few rows, or no candidate could be fitted.
    """
    data = folded(X, Y, widths, metric=metric, folds=folds, seed=seed, jobs=jobs)
    data = replace(data, progress=progress, weighting=weighting)
    found = Search()
    _try(found, data, first_paths(X, widths, fixed))
    best = found.ranked(metric)
    if not best:
        reasons = sorted({one.error for one in found.tried} - {""}) or [
            f"{metric} has no value on a fold, where too few images have a label or lack it; give "
            f"more of both, or {without}"
        ]
        raise InputError(f"no candidate could be fitted: {'; '.join(reasons)}")
    finalists = [one.candidate.scaling for one in best[: candidates.FINALISTS]]
    paths = further_paths(X, Y, widths, finalists, thorough, fixed.C)
    if weighting:
        paths = _weighted(paths)
    _try(found, data, paths)
    return found, data


def _weighted(paths: Sequence[Path]) -> list[Path]:
    """Leave out learners without weights of classes, and name them on stderr."""
    weighted = [path for path in paths if find_learner(path.learner).class_weights]
    left = dict.fromkeys(path.learner for path in paths if path not in weighted)
    if left:
        print(f"not compared, since they take no class weights: {', '.join(left)}", file=sys.stderr)
    return weighted


def folded(X, Y, widths, *, metric: str, folds: int, seed: int, jobs: int, weighting=None) -> Data:
    """Cut rows into stratified folds; parameters as in `search`."""
    return Data(X, Y, widths, stratified_folds(Y, folds, seed), metric, jobs, weighting=weighting)


def try_one(candidate: Candidate, data: Data) -> Search:
    """Give one candidate's metric and out-of-fold scores."""
    found = Search()
    _try(found, data, [Path(candidate.learner, candidate.scaling, (candidate.C,))])
    if not found.scores:
        raise InputError(f"{candidate} can't be fitted on the folds: {found.tried[0].error}")
    return found


def _try(found: Search, data: Data, paths: Sequence[Path]) -> None:
    """Run paths over the folds, and keep the scores of the best C of each."""
    function = get_metric(data.metric)
    better = np.nanargmax if function.higher_is_better else np.nanargmin
    for path, scores, seconds, error in _over_folds(data, paths):
        values = [_values(data, one, function.function) for one in scores]
        records = [
            Tried(candidate, tuple(value), seconds, error)
            for candidate, value in zip(path.candidates, values, strict=True)
        ]
        found.tried += records
        means = np.array([one.mean for one in records])
        if not np.isnan(means).all():
            best = int(better(means))
            found.scores[records[best].candidate] = scores[best]


def _values(data: Data, scores: np.ndarray, function: Callable) -> list[float]:
    if not np.isfinite(scores).all():
        return [np.nan] * len(data.folds)
    return [function(data.Y[fold.test], scores[fold.test]) for fold in data.folds]


def _over_folds(data: Data, paths: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray, float, str]]:
    """Yield each path with its out-of-fold scores (C, n, L), seconds and error."""
    tasks = [(path, fold) for path in paths for fold in data.folds]
    jobs = data.jobs if data.X.size * data.Y.shape[1] > SMALL else 1
    run = Parallel(n_jobs=jobs, return_as="generator")
    given = data.X, data.Y, data.widths, data.weighting
    results = run(delayed(_run)(path, fold, *given) for path, fold in tasks)
    shape = (len(data.Y), data.Y.shape[1])
    hidden = not data.progress
    results = tqdm(results, "select", len(tasks), leave=False, disable=hidden, unit="fit")
    results = iter(results)
    for path in paths:
        scores = np.full((len(path.Cs), *shape), np.nan, dtype=np.float32)
        seconds, errors = 0.0, set()
        for fold in data.folds:
            scores[:, fold.test], taken, error = next(results)
            seconds += taken
            errors |= {error} - {""}
        yield path, scores, seconds, "; ".join(sorted(errors))


def _run(path: Path, fold: Split, X, Y, widths, weighting) -> tuple[np.ndarray, float, str]:
    """Fit a path on one fold: scores of its test rows (C, m, L), seconds, error."""
    start = time.perf_counter()
    shape = (len(path.Cs), len(fold.test), Y.shape[1])
    try:
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            train = fold.train[find_learner(path.learner).rows_to_train_on(Y[fold.train])]
            scaler = fit_scaler(path.scaling, widths, X[train])
            models = fit_along(path, scale(scaler, X[train]), Y[train], weighting)
            test = scale(scaler, X[fold.test])
            scores = np.array([model.decision_function(test) for model in models])
        return scores.astype(np.float32), time.perf_counter() - start, ""
    except Exception as error:  # a candidate that fails is a line of the table
        reason = f"{type(error).__name__}: {plain_words(error)}"
        return np.full(shape, np.nan, np.float32), time.perf_counter() - start, reason


def fit_along(path: Path, X: np.ndarray, Y: np.ndarray, weighting: Weighting | None = None) -> list:
    """Fit a learner at every C on scaled rows, along a path where it has one."""
    learner = find_learner(path.learner)
    taggers = [learner.make(C, Y, weighting) for C in path.Cs]
    if hasattr(taggers[0], "fit_path"):
        loose = {"tol": LOOSE} if "tol" in taggers[0].get_params(deep=False) else {}
        return taggers[0].set_params(**loose).fit_path(X, Y, path.Cs)
    return [tagger.fit(X, Y) for tagger in taggers]
