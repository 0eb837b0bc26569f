"""Many values of C and many splits: what warm starts and shared products are worth."""

from collections.abc import Iterator, Sequence
from functools import cache, partial

import numpy as np
from tqdm import tqdm

from benchmarks.speed.sweep.comparison import evaluate
from benchmarks.speed.sweep.data import Task, usable
from benchmarks.speed.sweep.peers import OURS, REFERENCE
from benchmarks.speed.sweep.plan import TOL
from benchmarks.speed.sweep.solver import Solver, completed
from classify.logistic import objective_and_gap
from classify.results import Line
from features.splits import random_split


def path_lines(
    task: Task,
    penalty: str,
    ours: Solver,
    Cs: Sequence[float],
    *,
    singles: Sequence[float],
    rounds: int,
) -> Iterator[Line]:
    """Time a whole path of C beside fits at single values of it, in turns.

    Parameters
    ----------
    task, penalty
        What to fit.
    ours : Solver
    Cs : sequence of float
        Increasing.
    singles : sequence of float
        To compare with.
    rounds : int

    Yields
    ------
    dict
        A line per job and round. The worst objective over its optimum, gap and number of non-zeros
        stand in those of the first round.
    """
    labels = range(task.Y.shape[1])
    for number in tqdm(range(rounds), desc=f"{task.name}, {penalty} path", unit="round"):
        for values in (*([C] for C in singles), list(Cs)):
            turn = completed(ours.fit(penalty=penalty, Cs=values, level=TOL, labels=labels))
            line = {"values": len(values), "low": values[0], "high": values[-1], "round": number}
            line |= {"seconds": turn.seconds, "peak_mb": turn.peak_mb}
            if number == 0:
                pairs = zip(values, turn.weights, strict=True)
                found = [evaluate(task, weights, labels, penalty, C) for C, weights in pairs]
                worst = map(max, zip(*found, strict=True))
                line |= zip(("ratio", "gap", "nonzeros"), worst, strict=True)
            yield line


def sweep_lines(
    everything: Task,
    task: Task,
    penalty: str,
    ours: Solver,
    reference: Solver,
    *,
    Cs: Sequence[float],
    splits: int,
    subset: int,
) -> Iterator[Line]:
    """Fit every label at every C on every split, and time what LIBLINEAR's time is scaled from.

    Parameters
    ----------
    everything : Task
        All rows and labels, which `ours` has.
    task : Task
        The training rows of a split, which `reference` has.
    penalty : {"l1", "l2"}
    ours, reference : Solver
    Cs : sequence of float
    splits : int
        Seeds from 0 on; 2/3 of the rows to train on.
    subset : int
        Labels that LIBLINEAR is timed on.

    Yields
    ------
    dict
        A line per split with the worst gap of its fits. Then LIBLINEAR's: seconds at its default
        stop, and at the loosest that is within the tolerance; `reached` tells whether it came
        there everywhere, else the latter are too few.
    """
    X, Y = everything.X, everything.Y
    for seed in tqdm(range(splits), desc=f"{task.name}, {penalty} sweep", unit="split"):
        rows = random_split(len(X), seed).train
        labels = usable(Y[rows])
        turn = completed(
            ours.fit(penalty=penalty, Cs=Cs, level=TOL, labels=labels, rows=rows.tolist())
        )
        gap = _worst_gap(X[rows], Y[rows][:, labels], turn.weights, penalty, Cs)
        fits = len(labels) * len(Cs)
        yield {"solver": OURS, "round": seed, "seconds": turn.seconds, "gap": gap, "fits": fits}
    some = task.some_labels(subset)
    default, near, reached = _reference_times(task, penalty, reference, Cs, some)
    line = {"solver": REFERENCE, "labels": len(some), "fits": len(some) * len(Cs)}
    yield {**line, "default_seconds": default, "near_seconds": near, "reached": reached}


def _worst_gap(X, Y, weights: np.ndarray, penalty: str, Cs: Sequence[float]) -> float:
    worst = 0.0
    for C, w in zip(Cs, weights, strict=True):
        objective, gap = objective_and_gap(X, Y, w[:, :-1], w[:, -1], penalty=penalty, C=C)
        worst = max(worst, float((gap / objective).max()))
    return worst


def _reference_times(
    task: Task, penalty: str, reference: Solver, Cs: Sequence[float], labels: list[int]
) -> tuple[float, float, bool]:
    """Seconds over all C at the default stop and at the loosest stop that is near enough."""
    ladder = reference.peer.levels[penalty]
    default = near = 0.0
    step, reached = 0, True
    for C in tqdm(Cs, desc=f"{task.name}, {REFERENCE} {penalty}", unit="C"):
        timed = cache(partial(_timed, task, penalty, reference, C, labels))

        def within(step: int, timed=timed) -> bool:
            return timed(ladder[step])[1] <= TOL

        # Neighboring C need about the same stop: the search goes on from the last one.
        while not within(step) and step < len(ladder) - 1:
            step += 1
        while step > 0 and within(step - 1):
            step -= 1
        first, excess = timed(None)
        seconds = timed(ladder[step])[0]
        default += first
        near += min(seconds, first) if excess <= TOL else seconds
        reached = reached and within(step)
    return default, near, reached


def _timed(
    task: Task, penalty: str, solver: Solver, C: float, labels: list[int], level: float | None
) -> tuple[float, float]:
    turn = completed(solver.fit(penalty=penalty, Cs=[C], level=level, labels=labels))
    return turn.seconds, evaluate(task, turn.weights[0], labels, penalty, C)[0] - 1
