"""What `speed sweep` measures, section by section.

One objective, one set of data, a process for each solver and number of threads, interleaved rounds.
Solving lies in the solvers' processes, evaluation in `benchmarks.speed.sweep.comparison`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks.report.machine import describe_machine, version_of
from benchmarks.report.markdown import table
from benchmarks.report.plots import draw_convergence
from benchmarks.report.targets import Report, count_of, named
from benchmarks.speed.sweep.comparison import Comparison, keep_trace
from benchmarks.speed.sweep.data import Task, first_task, second_task
from benchmarks.speed.sweep.paths import SweepTimes, compare_path, sweep_lines, whole_sweep
from benchmarks.speed.sweep.peers import OURS, REFERENCE, find_peer
from benchmarks.speed.sweep.plan import Plan
from benchmarks.speed.sweep.report import ahead, comparison_table, comparison_targets
from benchmarks.speed.sweep.scaling import measure_scaling
from benchmarks.speed.sweep.solver import PENALTIES, Solver

EXCESSES = {"l1": (1e-3,), "l2": (1e-3, 1e-4)}  # of the optimum, at which times are compared
NEAREST = {"l1": 1e-6, "l2": 1e-5}  # where the curves end
FACTORS = {"l1": 10.0, "l2": 30.0}  # asked for over LIBLINEAR at an equal objective
BRIEF, LONGEST = 0.5, 10.0  # times the limit: turns that are always, and never, timed again
LIBRARIES = ("numba", "liblinear-official", "celer", "skglm", "cyanure", "snapml")
ONE_C = {"l1": "L1, one C", "l2": "L2, one C"}
PATHS = {"l1": "L1, a path of C", "l2": "L2, a path of C"}
SWEEP, SCALING = "The whole sweep", "Scaling"


def measure_all(
    out: Path | None,
    plan: Plan,
    cache: Path,
    second: tuple[Path, Path | None, int] | None,
    solvers: Sequence[str],
    threads: Sequence[int],
    *,
    scaling: bool,
) -> str:
    """Measure every section, and return the page.

    Parameters
    ----------
    out : Path or None
        Folder of the page and the pictures.
    plan : Plan
    cache : Path
    second : (cache, its split.csv, number of labels) or None
    solvers, threads
        As for `benchmarks.speed.sweep.run.speed_sweep`.
    scaling : bool
    """
    report = Report(_preamble(plan), out and out / "speed-sweep.md")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole, task = first_task(cache, root)
        sweeps = _measure(report, plan, task, solvers, threads, whole)
        if second is not None:
            _measure(report, plan, second_task(*second, root), solvers, threads, None)
        if scaling:
            splits = {penalty: times.splits for penalty, times in sweeps.items()}
            sections = measure_scaling(
                root, plan.sizes, threads=max(threads), rounds=plan.rounds, splits=splits
            )
            report.add(SCALING, *sections)
    if out is not None:
        for penalty, traces in report.traces.items():
            draw_convergence(traces, out / f"speed-sweep-{penalty}.png", f"{penalty}, C = 1")
    return str(report)


def _measure(
    report: Report,
    plan: Plan,
    task: Task,
    solvers: Sequence[str],
    threads: Sequence[int],
    whole: Task | None,
) -> dict[str, SweepTimes]:
    """Compare on one problem with every number of threads; with `whole`, paths and sweeps too."""
    comparisons: dict[str, Comparison] = {}
    sweeps: dict[str, SweepTimes] = {}
    for count in sorted(set(threads)):
        prefix = f"{task.name}, {count_of(count, 'thread')}: "
        with _started(task.folder, solvers, count) as (running, absent):
            for penalty in PENALTIES:
                found = _compared(plan, task, penalty, running, comparisons.get(penalty))
                _report_comparison(report, found, absent, count, prefix)
                if penalty not in comparisons:
                    comparisons[penalty] = found
                    keep_trace(report, found)
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


def _compared(
    plan: Plan, task: Task, penalty: str, running: dict[str, Solver], before: Comparison | None
) -> Comparison:
    if before is None:
        found = Comparison(task, penalty, 1.0, EXCESSES[penalty], NEAREST[penalty])
        found.explore(running.values(), limit=plan.limit)
    else:
        found = before.start_again(running)
    brief, longest = BRIEF * plan.limit, LONGEST * plan.limit
    found.repeat(running, rounds=plan.rounds - 1, brief=brief, longest=longest)
    return found


def _report_comparison(
    report: Report, found: Comparison, absent: dict[str, str], threads: int, prefix: str
) -> None:
    l1 = found.penalty == "l1"
    targets = comparison_targets(found, FACTORS[found.penalty], default_factor=3.0 if l1 else None)
    if l1:
        targets.append(ahead(found))
    levels = {name: find_peer(name).levels for name in absent}
    missing = {name: why for name, why in absent.items() if found.penalty in levels[name]}
    text = (
        f"{found.task}, C = 1, {count_of(threads, 'thread')}\n\n{comparison_table(found, missing)}"
    )
    report.add(ONE_C[found.penalty], text, named(prefix, targets))


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
        "The objective is LIBLINEAR's with the bias penalized. A time is that of one line, from "
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
