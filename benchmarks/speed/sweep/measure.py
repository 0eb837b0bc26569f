"""What `speed sweep` measures, part by part, as result lines.

One objective, one set of data, a process for each solver and number of threads, interleaved rounds.
Solving lies in the solvers' processes, evaluation in `benchmarks.speed.sweep.comparison`.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks.report.targets import count_of
from benchmarks.speed.record import Record
from benchmarks.speed.sweep.comparison import Comparison
from benchmarks.speed.sweep.data import Task, first_task, second_task
from benchmarks.speed.sweep.paths import path_lines, sweep_lines
from benchmarks.speed.sweep.peers import OURS, REFERENCE, find_peer
from benchmarks.speed.sweep.plan import BRIEF, EXCESSES, LONGEST, NEAREST, PENALTIES, Plan
from benchmarks.speed.sweep.scaling import scaling_lines
from benchmarks.speed.sweep.solver import Solver
from classify.results import Line

C = 1.0  # of the comparisons


class Measured(NamedTuple):
    """What is measured with: where the lines go, how much, which solvers on how many threads."""

    record: Record
    plan: Plan
    solvers: Sequence[str]
    threads: Sequence[int]


def measure_all(
    run: Measured, cache: Path, second: tuple[Path, Path | None, int] | None, *, scaling: bool
) -> None:
    """Measure every part, and keep its lines.

    Parameters
    ----------
    run : Measured
    cache : Path
    second : (cache, its split.csv, number of labels) or None
    scaling : bool
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole, task = first_task(cache, root)
        _measure(run, task, whole)
        if second is not None:
            _measure(run, second_task(*second, root), None)
        if scaling:
            given = {"threads": max(run.threads), "rounds": run.plan.rounds}
            lines = scaling_lines(root, run.plan.sizes, **given)
            run.record.add("scaling", _named(lines, "penalty", "axis", "size"))


def _measure(run: Measured, task: Task, whole: Task | None) -> None:
    """Compare on one problem with every number of threads; with `whole`, paths and sweeps too."""
    comparisons: dict[str, Comparison] = {}
    swept = whole is None
    for count in sorted(set(run.threads)):
        with _started(task.folder, run.solvers, count) as (running, absent):
            for penalty in PENALTIES:
                about = {"problem": task.name, "penalty": penalty, "threads": count}
                found = _compared(run.plan, task, penalty, running, comparisons.get(penalty))
                comparisons.setdefault(penalty, found)
                _keep(run.record, found, absent, about)
                if whole is not None and OURS in running:
                    lines = _path(run.plan, task, penalty, running[OURS])
                    where = ("problem", "penalty", "threads", "low", "high")
                    run.record.add("path", _named(({**about, **one} for one in lines), *where))
            if not swept and whole is not None and {OURS, REFERENCE} <= running.keys():
                swept = True
                _sweep(run, whole, task, running[REFERENCE], count)


@contextmanager
def _started(
    folder: Path, solvers: Sequence[str], threads: int
) -> Iterator[tuple[dict[str, Solver], dict[str, str]]]:
    """Start every solver; give those that run, and why the others don't."""
    running, absent = {}, {}
    with ExitStack() as stack:
        for name in tqdm(solvers, desc=f"starting, {count_of(threads, 'thread')}", unit="solver"):
            solver = stack.enter_context(Solver(name, folder, threads))
            if solver.absent is None:
                running[name] = solver
            else:
                absent[name] = solver.absent
        yield running, absent


def _compared(
    plan: Plan, task: Task, penalty: str, running: dict[str, Solver], before: Comparison | None
) -> Comparison:
    if before is None:
        found = Comparison(task, penalty, C, EXCESSES[penalty], NEAREST[penalty])
        found.explore(running.values(), limit=plan.limit)
    else:
        found = before.start_again(running)
    brief, longest = BRIEF * plan.limit, LONGEST * plan.limit
    found.repeat(running, rounds=plan.rounds - 1, brief=brief, longest=longest)
    return found


def _keep(record: Record, found: Comparison, absent: dict[str, str], about: Line) -> None:
    task, penalty = found.task, found.penalty
    sizes = zip(("rows", "columns", "labels"), (*task.X.shape, task.Y.shape[1]), strict=True)
    zeros = (len(task.X) * C * np.log(2) / task.optimum(penalty, C)).max()
    line = {**about, **dict(sizes), "zeros": float(zeros)}
    record.add("problem", _named([line], "problem", "penalty", "threads"))
    where = ("problem", "penalty", "threads", "solver", "level")
    record.add("fit", _named(({**about, **line} for line in found.lines()), *where))
    missing = [
        {**about, "solver": name, "absent": reason}
        for name, reason in absent.items()
        if penalty in find_peer(name).levels
    ]
    record.add("absent", _named(missing, "problem", "penalty", "threads", "solver"))


def _path(plan: Plan, task: Task, penalty: str, ours: Solver) -> Iterator[Line]:
    largest = plan.path[-1]
    singles = (largest,) if penalty == "l1" else (1.0, largest)
    return path_lines(task, penalty, ours, plan.path, singles=singles, rounds=plan.rounds)


def _sweep(run: Measured, whole: Task, task: Task, reference: Solver, threads: int) -> None:
    plan = run.plan
    about = {"problem": task.name, "threads": threads, "values": len(plan.path)}
    with Solver(OURS, whole.folder, threads) as ours:
        for penalty in PENALTIES:
            lines = sweep_lines(
                whole,
                task,
                penalty,
                ours,
                reference,
                Cs=plan.path,
                splits=plan.splits,
                subset=plan.subset,
            )
            kept = ({"penalty": penalty, **about, **line} for line in lines)
            run.record.add("sweep", _named(kept, "penalty", "solver"))


def _named(lines: Iterable[Line], *fields: str) -> Iterator[Line]:
    """Name lines by some of their fields."""
    for line in lines:
        values = ("default" if line[name] is None else f"{line[name]}" for name in fields)
        yield {"what": ", ".join(values), **line}
