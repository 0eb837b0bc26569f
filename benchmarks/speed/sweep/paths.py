"""Many values of C and many splits: what warm starts and shared products are worth."""

import statistics
from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_least, at_most, count_of
from benchmarks.speed.sweep.comparison import evaluate
from benchmarks.speed.sweep.data import Task, usable
from benchmarks.speed.sweep.peers import REFERENCE
from benchmarks.speed.sweep.solver import FitResult, Solver, completed
from classify.logistic import objective_and_gap
from features.splits import random_split

TOL = 1e-3  # relative gap asked of this project's solver: no objective is further off


def compare_path(
    task: Task,
    penalty: str,
    ours: Solver,
    Cs: Sequence[float],
    *,
    singles: Sequence[float],
    factor: float,
    rounds: int,
) -> tuple[str, list[Target]]:
    """Time a whole path of C beside fits at single values of it.

    Parameters
    ----------
    task, penalty
        What to fit.
    ours : Solver
    Cs : sequence of float
        Increasing.
    singles : sequence of float
        To compare with.
    factor : float
        What the path may take at most, in times of a single fit.
    rounds : int
        Interleaved; their median counts.

    Returns
    -------
    table : str
    targets : list of Target
        One a single fit.
    """
    jobs = {f"single fit, C = {C:g}": [C] for C in singles}
    jobs[f"{len(Cs)} values of C, {Cs[0]:g} to {Cs[-1]:g}"] = list(Cs)
    labels = range(task.Y.shape[1])
    turns: dict[str, list[FitResult]] = {name: [] for name in jobs}
    for _ in tqdm(range(rounds), desc=f"{task.name}, {penalty} path", unit="round"):
        for name, values in jobs.items():
            turn = ours.fit(penalty=penalty, Cs=values, level=TOL, labels=labels)
            turns[name].append(completed(turn))
    times, rows = {}, []
    for name, values in jobs.items():
        times[name] = statistics.median(turn.seconds for turn in turns[name])
        pairs = zip(values, turns[name][0].weights, strict=True)
        found = [evaluate(task, weights, labels, penalty, C) for C, weights in pairs]
        ratio, gap, nonzeros = (max(column) for column in zip(*found, strict=True))
        peak = max(turn.peak_mb for turn in turns[name])
        rows.append([name, f"{times[name]:.3f}", f"{ratio:.6f}", f"{gap:.1e}"])
        rows[-1] += [f"{nonzeros:.0f}", f"{peak:,.0f}"]
    *single, whole = times
    targets = [
        at_most(f"{whole}, over a {name}", factor, times[whole] / times[name]) for name in single
    ]
    head = ["tolerance 1e-3", "s a split", "worst objective / optimum", "worst gap"]
    return table([*head, "most non-zeros", "peak MB"], rows), targets


class SweepTimes(NamedTuple):
    """Seconds of a sweep over splits and C.

    Attributes
    ----------
    splits : list of float
        This project's seconds, split by split.
    gap : float
        Worst relative gap of all its fits.
    fits : int
        Splits times labels times C.
    default, near : float
        LIBLINEAR's seconds for as many fits at its default stop, and within the tolerance:
        measured on some labels of one split, and scaled.
    reached : bool
        Whether LIBLINEAR came within the tolerance everywhere; else `near` is too small.
    """

    splits: list[float]
    gap: float
    fits: int
    default: float
    near: float
    reached: bool


def whole_sweep(
    everything: Task,
    task: Task,
    penalty: str,
    ours: Solver,
    reference: Solver,
    *,
    Cs: Sequence[float],
    splits: int,
    subset: int,
) -> SweepTimes:
    """Fit every label at every C on every split, and estimate what LIBLINEAR would take.

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
    """
    X, Y = everything.X, everything.Y
    seconds, gaps, fits = [], [], 0
    for seed in tqdm(range(splits), desc=f"{task.name}, {penalty} sweep", unit="split"):
        rows = random_split(len(X), seed).train
        labels = usable(Y[rows])
        turn = completed(
            ours.fit(penalty=penalty, Cs=Cs, level=TOL, labels=labels, rows=rows.tolist())
        )
        seconds.append(turn.seconds)
        gaps.append(_worst_gap(X[rows], Y[rows][:, labels], turn.weights, penalty, Cs))
        fits += len(labels) * len(Cs)
    some = task.some_labels(subset)
    default, near, reached = _reference_times(task, penalty, reference, Cs, some)
    scale = fits / (len(some) * len(Cs))
    return SweepTimes(seconds, max(gaps), fits, scale * default, scale * near, reached)


def sweep_lines(
    penalty: str, times: SweepTimes, *, subset: int, factor: float
) -> tuple[list[list[str]], Target]:
    """Rows of a table (who, seconds, seconds a fit, how near), and the target."""
    own = sum(times.splits)
    near = f"within {TOL:g}" if times.reached else f"not within {TOL:g} everywhere: a lower bound"
    scaled = f"{REFERENCE}, {penalty}, scaled from {count_of(subset, 'label')} of a split"

    def row(who: str, seconds: float, how: str) -> list[str]:
        return [who, f"{seconds:,.1f}", f"{seconds / times.fits:.5f}", how]

    rows = [
        row(f"this project, {penalty}, measured", own, f"gap {times.gap:.1e}"),
        row(f"{scaled}, default stop", times.default, "wherever that leaves it"),
        row(f"{scaled}, run far enough", times.near, near),
    ]
    what = f"{len(times.splits)} splits, {times.fits:,} {penalty} fits, {REFERENCE}'s time"
    return rows, at_least(f"{what} to within {TOL:g}", factor, times.near, own)


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

        # Neighbouring C need about the same stop: the search goes on from the last one.
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
