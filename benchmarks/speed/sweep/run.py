"""Classifier fits against their peers: ``python -m benchmarks speed sweep``.

One objective, one set of data, a process for each solver and number of threads, interleaved rounds.
Solving lies in the solvers' processes, judging in `sweep_race`; this is the order of events.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.report.machine import describe_machine, version_of
from benchmarks.report.markdown import table
from benchmarks.report.plots import draw_convergence
from benchmarks.report.targets import Report, count_of, named
from benchmarks.speed.sweep.comparison import Race, keep_trace
from benchmarks.speed.sweep.data import Task, first_task, second_task
from benchmarks.speed.sweep.paths import SweepTimes, compare_path, sweep_lines, whole_sweep
from benchmarks.speed.sweep.peers import OURS, PEERS, REFERENCE, find_peer
from benchmarks.speed.sweep.report import ahead, race_table, race_targets
from benchmarks.speed.sweep.scaling import Sizes, measure_scaling
from benchmarks.speed.sweep.solver import PENALTIES, Solver
from features.command_line import default

PATH = tuple(float(f"{C:.6g}") for C in np.geomspace(0.01, 100, 10))
EXCESSES = {"l1": (1e-3,), "l2": (1e-3, 1e-4)}  # of the optimum, at which times are compared
NEAREST = {"l1": 1e-6, "l2": 1e-5}  # where the curves end
FACTORS = {"l1": 10.0, "l2": 30.0}  # asked for over LIBLINEAR at an equal objective
BRIEF, LONGEST = 0.5, 10.0  # times the limit: turns that are always, and never, timed again
LIBRARIES = ("numba", "liblinear-official", "celer", "skglm", "cyanure", "snapml")


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rounds: int = 3
    limit: float = 2.0  # seconds of a setting of a peer: decides on how many labels it is timed
    splits: int = 30
    path: tuple[float, ...] = PATH
    subset: int = 3  # labels that LIBLINEAR's sweep is scaled from
    sizes: Sizes = field(default_factory=Sizes)


QUICK = Plan(
    rounds=1,
    limit=0.5,
    splits=2,
    path=(0.1, 1.0, 10.0),
    subset=1,
    sizes=Sizes(
        labels=(5, 20), columns=(64, 256), rows=(200, 800), base=(100, 128, 4), tall=(64, 4)
    ),
)


RACES = {"l1": "L1, one C", "l2": "L2, one C"}
PATHS = {"l1": "L1, a path of C", "l2": "L2, a path of C"}
SWEEP, SCALING = "The whole sweep", "Growth"


def speed_sweep(
    cache: Path,
    out: Path | None = None,
    *,
    corel: Path | None = None,
    corel_split: Path | None = None,
    corel_labels: int = 260,
    solvers: Sequence[str] = tuple(PEERS),
    threads: Sequence[int] = tuple(sorted({1, os.cpu_count() or 1})),
    rounds: int | None = None,
    limit: float | None = None,
    growth: bool = True,
    quick: bool = False,
) -> str:
    """Measure fits, paths, sweeps and their growth beside the peers.

    Parameters
    ----------
    cache : Path
        Features with labels; the first random split's training rows are fitted.
    out : Path, optional
        Folder for `speed-sweep.md`, written anew after every section, and a picture a penalty.
    corel : Path, optional
        A second cache for the races at one C, whose rows and words `corel_split` chooses.
    corel_split : Path, optional
        Its `split.csv`: the training rows are fitted, to the labels that occur in both parts.
    corel_labels : int
        At most so many of them, evenly from rare to common.
    solvers : sequence of str
        Names in `benchmarks.speed.sweep.peers`, or `module:attribute`. What can't be imported is
        listed
        as absent.
    threads : sequence of int
        Cores; each number is a race of its own.
    rounds, limit : int, float, optional
        As in `Plan`.
    growth : bool
        Measure growth with labels, columns and rows too.
    quick : bool
        Tiny settings, to see that all runs.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    InputError
        No labels, an unknown solver, or a second cache without its split.csv.
    """
    for name in solvers:
        find_peer(name)
    plan = QUICK if quick else Plan()
    plan = replace(plan, rounds=rounds or plan.rounds, limit=limit or plan.limit)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    report = Report(_preamble(plan), out and out / "speed-sweep.md")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole, task = first_task(cache, root)
        sweeps = _measure(report, plan, task, solvers, threads, whole)
        if corel is not None:
            second = second_task(corel, corel_split, corel_labels, root)
            _measure(report, plan, second, solvers, threads, None)
        if growth:
            splits = {penalty: times.splits for penalty, times in sweeps.items()}
            sections = measure_scaling(
                root, plan.sizes, threads=max(threads), rounds=plan.rounds, splits=splits
            )
            report.add(SCALING, *sections)
    text = str(report)
    if out is not None:
        for penalty, traces in report.traces.items():
            draw_convergence(traces, out / f"speed-sweep-{penalty}.png", f"{penalty}, C = 1")
    print(text)
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_sweep`; their defaults are its own."""
    add = parser.add_argument
    add("--cache", type=Path, required=True, help="feature cache with labels, as of MSRC v2")
    add("--out", type=Path, help="folder for the table and the pictures")
    add("--corel", type=Path, help="feature cache of Corel5k, for the races at one C")
    add("--corel-split", type=Path, help="its split.csv")
    add(
        "--corel-labels",
        type=int,
        default=default(speed_sweep, "corel_labels"),
        help="(%(default)s)",
    )
    add("--solvers", nargs="+", default=default(speed_sweep, "solvers"), help="(%(default)s)")
    threads = default(speed_sweep, "threads")
    add("--threads", nargs="+", type=int, default=threads, help="(%(default)s)")
    add("--rounds", type=int, help=f"({Plan.rounds})")
    add("--limit", type=float, help=f"seconds of a peer's setting ({Plan.limit:g})")
    add(
        "--growth",
        action=argparse.BooleanOptionalAction,
        default=default(speed_sweep, "growth"),
        help="seconds against labels, columns and rows too (%(default)s)",
    )
    add("--quick", action="store_true", help="tiny settings, to see that all runs")


def _measure(
    report: Report,
    plan: Plan,
    task: Task,
    solvers: Sequence[str],
    threads: Sequence[int],
    whole: Task | None,
) -> dict[str, SweepTimes]:
    """Race on one problem with every number of threads; with `whole`, paths and sweeps too."""
    races: dict[str, Race] = {}
    sweeps: dict[str, SweepTimes] = {}
    for count in sorted(set(threads)):
        prefix = f"{task.name}, {count_of(count, 'thread')}: "
        with _started(task.folder, solvers, count) as (running, absent):
            for penalty in PENALTIES:
                race = _race(plan, task, penalty, running, races.get(penalty))
                _report_race(report, race, absent, count, prefix)
                if penalty not in races:
                    races[penalty] = race
                    keep_trace(report, race)
                if whole is not None and OURS in running:
                    _report_path(report, plan, task, penalty, running[OURS], prefix)
            if whole is not None and not sweeps and {OURS, REFERENCE} <= running.keys():
                sweeps = _sweep(report, plan, whole, task, running[REFERENCE], count, prefix)
    return sweeps


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


def _race(
    plan: Plan, task: Task, penalty: str, running: dict[str, Solver], before: Race | None
) -> Race:
    if before is None:
        race = Race(task, penalty, 1.0, EXCESSES[penalty], NEAREST[penalty])
        race.explore(running.values(), limit=plan.limit)
    else:
        race = before.start_again(running)
    brief, longest = BRIEF * plan.limit, LONGEST * plan.limit
    race.repeat(running, rounds=plan.rounds - 1, brief=brief, longest=longest)
    return race


def _report_race(
    report: Report, race: Race, absent: dict[str, str], threads: int, prefix: str
) -> None:
    l1 = race.penalty == "l1"
    targets = race_targets(race, FACTORS[race.penalty], default_factor=3.0 if l1 else None)
    if l1:
        targets.append(ahead(race))
    missing = {name: why for name, why in absent.items() if race.penalty in find_peer(name).levels}
    text = f"{race.task}, C = 1, {count_of(threads, 'thread')}\n\n{race_table(race, missing)}"
    report.add(RACES[race.penalty], text, named(prefix, targets))


def _report_path(
    report: Report, plan: Plan, task: Task, penalty: str, ours: Solver, prefix: str
) -> None:
    largest = plan.path[-1]
    singles, factor = ((largest,), 2.5) if penalty == "l1" else ((1.0, largest), 2.0)
    text, targets = compare_path(
        task, penalty, ours, plan.path, singles=singles, factor=factor, rounds=plan.rounds
    )
    head = f"{task}, {count_of(ours.threads, 'thread')}\n\n"
    report.add(PATHS[penalty], head + text, named(prefix, targets))


def _sweep(
    report: Report,
    plan: Plan,
    whole: Task,
    task: Task,
    reference: Solver,
    threads: int,
    prefix: str,
) -> dict[str, SweepTimes]:
    sweeps, rows, targets = {}, [], []
    with Solver(OURS, whole.folder, threads) as ours:
        for penalty in PENALTIES:
            times = sweeps[penalty] = whole_sweep(
                whole,
                task,
                penalty,
                ours,
                reference,
                Cs=plan.path,
                splits=plan.splits,
                subset=plan.subset,
            )
            lines, target = sweep_lines(penalty, times, subset=plan.subset, factor=20.0)
            rows += lines
            targets.append(target)
    count = whole.Y.shape[1]
    head = f"{plan.splits} splits x {count} labels x {len(plan.path)} values of C"
    head += f"; {count_of(threads, 'thread')}"
    text = table([head, "seconds", "s a fit", "how near"], rows)
    report.add(SWEEP, text, named(prefix, targets))
    return sweeps


def _preamble(plan: Plan) -> str:
    versions = ", ".join(f"{name} {version_of(name)}" for name in LIBRARIES)
    return (
        "# Fits of cached features: this project and its peers\n\n"
        f"{describe_machine()}; {versions}\n\n"
        "The objective is LIBLINEAR's with the bias penalised. A time is that of one line, from "
        "features and labels in memory to weights; what a library wants of the features "
        "beforehand (float64, a constant column, another order) is not in it, but checks and "
        "conversions of this project are. Objective, duality gap and non-zeros are computed by "
        "the harness from the weights, those of the worst label; the optimum is this project's at "
        "a relative gap of 1e-9. A stop is a solver's default, or its fastest setting that brings "
        f"every label within the distance named. Times are medians over "
        f"{count_of(plan.rounds, 'interleaved round')}; points of the curves that no table needs "
        f"and that took over {BRIEF * plan.limit:g} s were timed once. A peer fits label by "
        f"label: where all labels take over {plan.limit:g} s, it is timed on some, evenly from "
        "rare to common, and scaled. With several threads a peer has a process for each core, "
        "with one thread and its share of the labels. Memory is the largest resident set of the "
        "process until then, summed over a solver's processes.\n"
    )
