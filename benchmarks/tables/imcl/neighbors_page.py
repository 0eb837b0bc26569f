"""The neighbors that IMCL finds for test images, as pictures on a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report.html import Picture, write_picture_rows
from benchmarks.tables.imcl.trials import PartialExperiment
from benchmarks.tables.method import Case
from benchmarks.tables.task import Task
from classify.base import UNKNOWN
from classify.imcl.joint_omp import Dictionary, joint_omp
from classify.imcl.soft_labels import complete_labels, label_values
from classify.imcl.variants import as_variant
from classify.parallel import Trial
from classify.row_blocks import mean_norm, mean_row
from features.datasets import load_dataset
from features.errors import InputError

SHOWN = 10  # test images
STRONGEST = 12  # edges of the label graph


class Neighbor(NamedTuple):
    """A training row that helps to explain another one: by its labels, and by its features."""

    row: int
    label_weight: float
    feature_weight: float


def neighbors_of(
    model: Any, X: np.ndarray, Y: np.ndarray, queries: np.ndarray
) -> list[list[Neighbor]]:
    """Find the rows that a fitted `InteractiveTagger` takes for the neighbors of new rows.

    Parameters
    ----------
    model : InteractiveTagger
        With the default scaling and order of completion.
    X, Y : arrays of shape (n, d) and (n, L)
        What it was fitted to.
    queries : array of shape (m, d)
        No label of theirs is known.

    Returns
    -------
    list of m lists of Neighbor
        In the order picked, at most ``model.k``.
    """
    variant = as_variant(model.variant)
    ones, rows = np.ones(len(X)), np.arange(len(X))
    center = mean_row(X, rows, ones)
    scale = X.dtype.type(mean_norm(X, rows, ones, center))
    candidates, asked = (X - center) / scale, (queries - center) / scale
    known = complete_labels(
        Y,
        label_values(model.decision_function(X), asymmetry=variant.asymmetry),
        asymmetry=variant.asymmetry,
    )
    found = joint_omp(
        label_values(model.decision_function(queries), asymmetry=variant.asymmetry),
        asked,
        Dictionary(known @ model.graph_.matrix(), candidates),
        k=model.k,
        lambda_y=model.lambda_y,
        lambda_f=model.lambda_f,
        rule=variant.rule,
        coefficients=variant.coefficients,
        balance=variant.balance,
    )
    return [
        [Neighbor(int(r), float(c), float(f)) for r, c, f in zip(*one, strict=True) if r >= 0]
        for one in zip(*found, strict=True)
    ]


def write_neighbors_page(
    path: Path, experiment: PartialExperiment, data: Path, trial: Trial
) -> Path:
    """Fit IMCL once more and show the neighbors of ten test images, drawn by the seed.

    Parameters
    ----------
    path : Path
        The HTML file.
    experiment : PartialExperiment
    data : Path
        The folder of the images.
    trial : mapping
        Of IMCL.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        When `data` lacks an image.
    """
    task, case = experiment.task, experiment.case(trial)
    paths = _paths_of(task, data)
    train, test = case.part.train, case.part.test
    model = experiment.method(trial).fit(trial["setting"], case, case.part)
    rng = np.random.default_rng(trial["seed"])
    shown = rng.choice(test, min(SHOWN, len(test)), replace=False)
    found = neighbors_of(model, case.X[train], case.Y[train], case.X[shown])

    def picture(row: int, words: str) -> Picture:
        return Picture(task.ids[row], paths[task.ids[row]], words)

    lines = []
    for row, neighbors in zip(shown, found, strict=True):
        first = picture(row, f"test image: {_names(task, task.Y[row])}")
        others = [picture(train[one.row], _weights(one, task, case)) for one in neighbors]
        lines.append([first, *others])
    summary = (
        f"Ten test images, each followed by the training images that explain it, with their "
        f"weights, at {trial['rate']:.0%} missing labels. Under a test image stand its true "
        "labels, under a training image the present ones of its known labels. The labels that "
        f"support each other most: {_strongest(model, task.label_names)}."
    )
    return write_picture_rows(path, title="Neighbors that IMCL found", summary=summary, rows=lines)


def _paths_of(task: Task, data: Path) -> dict[str, Path]:
    """Find the files of a task's images."""
    dataset = load_dataset(data)
    paths = {
        image: Path(dataset.root) / path
        for image, path in zip(dataset.ids, dataset.paths, strict=True)
    }
    if missing := set(task.ids) - set(paths):
        raise InputError(
            f"{data} lacks {min(missing)}: give the folder that the cache was extracted from"
        )
    return paths


def _weights(one: Neighbor, task: Task, case: Case) -> str:
    known = _names(task, case.Y[case.part.train[one.row]])
    return f"labels {one.label_weight:.2f}, features {one.feature_weight:.2f}. Known: {known}"


def _names(task: Task, labels: np.ndarray) -> str:
    present = [task.label_names[column] for column in np.flatnonzero(labels == 1)]
    if present:
        return ", ".join(present)
    return "none known" if (labels == UNKNOWN).any() else "none"


def _strongest(model: Any, names: Sequence[str]) -> str:
    graph = model.graph_
    apart = np.flatnonzero(graph.sources != graph.targets)
    best = apart[np.argsort(-graph.weights[apart], kind="stable")[:STRONGEST]]
    return ", ".join(
        f"{names[graph.sources[edge]]} for {names[graph.targets[edge]]} {graph.weights[edge]:.2f}"
        for edge in best
    )
