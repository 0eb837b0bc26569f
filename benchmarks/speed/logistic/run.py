"""``speed logistic``: fits to many rows, and paths for many labels, beside an earlier version."""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.speed.logistic.report import (
    AFTER,
    BEFORE,
    LONG,
    MANY,
    NO_LOSS,
    PRODUCT,
    WIDE,
    page,
)
from features.command_line import add_options
from features.errors import InputError, check_number

if TYPE_CHECKING:
    from benchmarks.speed.sweep.data import Task

HERE = Path(__file__).parents[3]
ALL = 10**6  # labels: as many as there are


class Problem(NamedTuple):
    """What is fitted.

    Attributes
    ----------
    task : Task
    penalty : {"l1", "l2"}
    Cs : sequence of float
    tol : float or None
        Relative duality gap; None for the matrix product instead of a fit.
    threads : int
    asked : float
        Times the earlier version's speed, in CPU seconds; of a path the seconds on the clock.
    """

    task: "Task"
    penalty: str
    Cs: Sequence[float]
    tol: float | None
    threads: int
    asked: float


def speed_logistic(
    out: Path | None = None,
    *,
    before: Path | None = None,
    rows: int = 20_000,
    columns: int = 2048,
    labels: int = 80,
    cache: Path | None = None,
    corel: Path | None = None,
    corel_split: Path | None = None,
    corel_labels: int = 40,
    path: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
    path_seconds: float = 120.0,
    rounds: int = 3,
) -> str:
    """Time L2 with many rows and an L1 path with many labels, and print a Markdown page.

    Parameters
    ----------
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``.
    before : Path, optional
        A checkout of an earlier version, which is measured beside this one, in turns.
    rows, columns, labels : int
        Of synthetic features, for L2 on one thread.
    cache : Path, optional
        Features with labels; L2 is fitted to the first random split's training rows. They are
        few: it is asked that no time is lost there.
    corel, corel_split, corel_labels
        As in `benchmarks.speed.sweep.run.speed_sweep`, for L2 with so many labels, and for the L1
        path with all of them on all cores.
    path : sequence of float
        Its values of C, increasing.
    path_seconds : float
        What it may take.
    rounds : int
        But what takes over a minute is timed once.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InputError
        A number out of range, `before` is no checkout, a cache without labels, or `out` holds
        something else.
    """
    from benchmarks.speed.record import Record

    for name, value in (("rows", rows), ("columns", columns), ("labels", labels)):
        check_number(name, value, whole=True, low=4)
    check_number("rounds", rounds, whole=True, low=1)
    if before is not None and not (before / "classify" / "logistic.py").is_file():
        raise InputError(
            f"{before} is no checkout of this project. Give one of an earlier version."
        )
    second = None if corel is None else (corel, corel_split, corel_labels)
    record = Record("speed-logistic", page, out, {"rounds": rounds})
    with tempfile.TemporaryDirectory(prefix="speed-logistic-") as folder:
        for one in _problems(Path(folder), (rows, columns, labels), cache, second):
            record.add("fit", _lines(one, before, rounds))
        if second is not None:
            from benchmarks.speed.sweep.data import second_task

            task = second_task(second[0], second[1], ALL, Path(folder) / "path")
            cores = len(os.sched_getaffinity(0))
            one = Problem(task, "l1", path, 1e-2, cores, path_seconds)
            record.add("path", _lines(one, before, rounds))
    return record.finish()


def _problems(
    root: Path,
    size: tuple[int, int, int],
    cache: Path | None,
    second: tuple[Path, Path | None, int] | None,
) -> Iterator[Problem]:
    from benchmarks.speed.sweep.data import Task, first_task, second_task
    from benchmarks.speed.sweep.scaling import Generator

    rows, columns, labels = size
    features = Generator(columns, labels).rows(rows)
    yield _l2(Task.make("synthetic", root / "synthetic", *features), MANY)
    if cache is not None:
        yield _l2(first_task(cache, root)[1], NO_LOSS)
    if second is not None:
        yield _l2(second_task(*second, root), WIDE)


def _l2(task: "Task", asked: float) -> Problem:
    return Problem(task, "l2", [1.0], 1e-3, 1, asked)


def _lines(one: Problem, before: Path | None, rounds: int) -> Iterator[dict[str, Any]]:
    import numpy as np
    from tqdm import tqdm

    versions = {PRODUCT: HERE} if one.penalty == "l2" else {}
    versions |= {AFTER: HERE} | ({} if before is None else {BEFORE: before.resolve()})
    task, long = one.task, set[str]()
    about = dict(zip(("rows", "columns", "labels"), (*task.X.shape, task.Y.shape[1]), strict=True))
    about |= {"problem": str(task), "asked": one.asked, "tol": one.tol, "threads": one.threads}
    about |= {"penalty": one.penalty, "values": len(one.Cs), "low": one.Cs[0], "high": one.Cs[-1]}
    for number in tqdm(range(rounds), f"{task}, {one.penalty}", unit="round"):
        for name, checkout in versions.items():
            if name in long:
                continue
            weights = task.folder / "weights.npy"
            line = {"what": f"{task}, {one.penalty}: {name}", "version": name, "round": number}
            line |= about
            given = one if name != PRODUCT else one._replace(tol=None)
            line |= _measured(checkout, given, weights)
            if name != PRODUCT:
                line["gap"] = _worst_gap(one, np.load(weights))
            if line["seconds"] > LONG:
                long.add(name)
            yield line


def _worst_gap(one: Problem, weights) -> float:
    from classify.logistic import objective_and_gap

    worst = 0.0
    for C, w in zip(one.Cs, weights, strict=True):
        given = w[:, :-1], w[:, -1]
        objective, gap = objective_and_gap(one.task.X, one.task.Y, *given, penalty=one.penalty, C=C)
        worst = max(worst, float((gap / objective).max()))
    return worst


def _measured(checkout: Path, one: Problem, weights: Path) -> Mapping[str, float]:
    from benchmarks.speed.sweep.solver import THREADS
    from benchmarks.speed.workers import answer_of

    words = one.task.folder, one.penalty, json.dumps(list(one.Cs)), json.dumps(one.tol), weights
    return answer_of(
        ["-P", Path(__file__).with_name("worker.py"), *words],
        f"'fit' of {checkout} failed",
        "Give a --before whose requirements are installed, or fewer --rows.",
        env={**os.environ, **dict.fromkeys(THREADS, str(one.threads)), "PYTHONPATH": str(checkout)},
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_logistic`."""
    about = {
        "out": "file for the page, .md; the lines go beside it",
        "before": "checkout of an earlier version to measure beside this one",
        "rows": "of synthetic features",
        "columns": "of synthetic features",
        "labels": "of synthetic features",
        "cache": "feature cache with labels and few rows, as of MSRC v2",
        "corel": "feature cache of Corel5k",
        "corel_split": "its split.csv",
        "corel_labels": "labels of it for L2, at most",
        "path": "values of C of the L1 path",
        "path_seconds": "what it may take",
        "rounds": "times that each is timed, in turns",
    }
    add_options(parser, speed_logistic, about)
