"""What is fitted in ``speed sweep``: rows and labels of a cache, on disk for the solvers."""

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from classify.logistic import LogisticTagger, objective_and_gap
from features.cache import FeatureCache
from features.errors import InputError
from features.labels import read_split_csv
from features.splits import random_split

OPTIMUM = 1e-9  # relative duality gap of what objectives are compared with


@dataclass(frozen=True, eq=False)
class Task:
    """Training rows and the labels to fit.

    Attributes
    ----------
    name : str
    folder : Path
        Where X.npy and Y.npy lie, for the solvers.
    X : float32 array of shape (n, d)
    Y : int8 array of shape (n, L)
        Without constant and partly unknown columns; by increasing number of positives.
    """

    name: str
    folder: Path
    X: np.ndarray
    Y: np.ndarray

    @classmethod
    def make(cls, name: str, folder: Path, X: np.ndarray, Y: np.ndarray) -> "Task":
        """Write the arrays that the solvers read; leave out labels that can't be fitted."""
        fitted = Y[:, usable(Y)]
        if not fitted.shape[1]:
            raise InputError(
                f"{name} has no label with both classes among {len(Y)} rows; give more images"
            )
        folder.mkdir(parents=True)
        fitted = fitted[:, np.argsort((fitted == 1).sum(axis=0), kind="stable")]
        np.save(folder / "X.npy", X)
        np.save(folder / "Y.npy", fitted)
        return cls(name, folder, X, fitted)

    def __str__(self) -> str:
        n, d = self.X.shape
        return f"{self.name} ({n:,} rows, {d:,} columns, {self.Y.shape[1]} labels)"

    @cache  # noqa: B019 - a task lives as long as the command
    def optimum(self, penalty: str, C: float) -> np.ndarray:
        """Objective of every label at its minimum, (L,), by this project's solver."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the gap of the table says how near it came
            model = LogisticTagger(penalty, C=C, tol=OPTIMUM).fit(self.X, self.Y)
        weights = model.coef_, model.intercept_
        return objective_and_gap(self.X, self.Y, *weights, penalty=penalty, C=C)[0]

    def some_labels(self, count: int) -> list[int]:
        """Choose labels evenly from the rarest to the commonest."""
        total = self.Y.shape[1]
        return sorted({int((k + 0.5) * total / count) for k in range(min(count, total))})


def usable(Y: np.ndarray) -> np.ndarray:
    """Columns of Y that have both classes and no unknown cell."""
    return np.flatnonzero((Y == 1).any(axis=0) & (Y == 0).any(axis=0) & (Y >= 0).all(axis=0))


def first_task(folder: Path, root: Path) -> tuple[Task, Task]:
    """Everything in a cache, and the training rows of its first random split.

    Parameters
    ----------
    folder : Path
        The cache.
    root : Path
        Where the tasks' folders are made.

    Raises
    ------
    InputError
        It has no labels, or none that can be fitted.
    """
    X, Y, _ = _read(folder)
    train = random_split(len(X), 0).train
    whole = Task.make(folder.stem, root / "whole", X, Y)
    return whole, Task.make(folder.stem, root / "first", X[train], Y[train])


def second_task(folder: Path, split: Path | None, labels: int, root: Path) -> Task:
    """Training rows of a given split, and some of the labels that occur in both parts.

    Parameters
    ----------
    folder : Path
        The cache.
    split : Path
        Its split.csv.
    labels : int
        At most so many, evenly from rare to common.
    root : Path
        Where the task's folder is made.

    Raises
    ------
    InputError
        As in `first_task`, and for a split.csv of other images or none at all.
    """
    if split is None:
        raise InputError("--corel needs --corel-split FILE, the split.csv of its data set")
    X, Y, ids = _read(folder)
    parts = read_split_csv(split, ids)
    occurs = [(Y[parts[part]] == 1).any(axis=0) for part in ("train", "test")]
    X, Y = X[parts["train"]], Y[parts["train"]][:, occurs[0] & occurs[1]]
    task = Task.make(folder.stem, root / "second", X, Y)
    if task.Y.shape[1] > labels:
        task = Task.make(folder.stem, root / "some", X, task.Y[:, task.some_labels(labels)])
    return task


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    cache = FeatureCache(folder)
    if cache.labels is None:
        raise InputError(f"{folder} has no labels; give a cache of a data set with labels.csv")
    rows = cache.valid_rows
    return cache.read(), cache.labels[rows], [cache.ids[row] for row in rows]
