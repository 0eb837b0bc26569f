"""``speed sweep``: fits, regularization paths and whole sweeps beside their peers."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.report.files import claim_page
from benchmarks.report.machine import version_of
from benchmarks.report.targets import count_of
from benchmarks.speed.sweep.plan import BRIEF, LONG, PENALTIES, QUICK, Plan, Sizes
from features.command_line import add_options
from features.errors import InputError, check_number

LIBRARIES = (
    "numba", "liblinear-official", "celer", "skglm", "cyanure", "snapml", "adelie", "libmultilabel",
    "scikit-learn-intelex", "cuml",
)  # fmt: skip


def speed_sweep(
    cache: Path,
    out: Path | None = None,
    *,
    corel: Path | None = None,
    corel_split: Path | None = None,
    corel_labels: int = 260,
    solvers: Sequence[str] | None = None,
    threads: Sequence[int] = tuple(sorted({1, os.cpu_count() or 1})),
    rounds: int | None = None,
    limit: float | None = None,
    scaling: bool = True,
    quick: bool = False,
) -> str:
    """Measure fits, paths, sweeps and how they scale, beside the peers.

    Parameters
    ----------
    cache : Path
        Features with labels; the first random split's training rows are fitted.
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``, and a picture a
        penalty, to ``-l1.png`` and ``-l2.png``.
    corel : Path, optional
        A second cache for the comparisons at one C, whose rows and words `corel_split` chooses.
    corel_split : Path, optional
        Its `split.csv`: the training rows are fitted, to the labels that occur in both parts.
    corel_labels : int
        At most so many of them, evenly from rare to common.
    solvers : sequence of str, optional
        Names in `benchmarks.speed.sweep.peers`, or `module:attribute`; by default all. What can't
        be imported is listed as absent.
    threads : sequence of int
        Cores; each number is a comparison of its own.
    rounds, limit : int, float, optional
        As in `Plan`.
    scaling : bool
        Time more and more labels, columns and rows too.
    quick : bool
        Tiny settings, to see that all runs.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InputError
        No labels, an unknown solver, two caches of one name, a second cache without its split.csv,
        or `out` holds something else.
    """
    from benchmarks.report.plots import draw_convergence
    from benchmarks.speed.record import Record
    from benchmarks.speed.sweep.measure import Measured, measure_all
    from benchmarks.speed.sweep.peers import PEERS, find_peer
    from benchmarks.speed.sweep.report import found_in, page, traces_of

    solvers = tuple(PEERS) if solvers is None else solvers
    for name in solvers:
        find_peer(name)
    for count in threads:
        check_number("threads", count, whole=True, low=1)
    plan = QUICK if quick else Plan()
    plan = replace(plan, rounds=rounds or plan.rounds, limit=limit or plan.limit)
    if corel is not None and Path(corel).stem == Path(cache).stem:
        raise InputError(f"{corel} has the name of {cache}, which tells their lines apart: copy it")
    pictures = {}
    if out is not None:
        names = {penalty: f"{Path(out).stem}-{penalty}.png" for penalty in PENALTIES}
        pictures = {one: claim_page(Path(out).with_name(name)) for one, name in names.items()}
    record = Record("speed-sweep", page, out, _facts(plan, max(threads)))
    second = None if corel is None else (corel, corel_split, corel_labels)
    measure_all(Measured(record, plan, solvers, threads), cache, second, scaling=scaling)
    text = record.finish()
    for penalty, path in pictures.items():
        draw_convergence(traces_of(found_in(record.lines), penalty), path, f"{penalty}, C = 1")
    return text


def _facts(plan: Plan, threads: int) -> dict[str, Any]:
    """Give what all lines have in common."""
    return {
        "libraries": ", ".join(f"{name} {version_of(name)}" for name in LIBRARIES),
        "rounds": plan.rounds,
        "limit": plan.limit,
        "brief": BRIEF * plan.limit,
        "scaling": _describe(plan.sizes, plan.rounds, threads),
    }


def _describe(sizes: Sizes, rounds: int, threads: int) -> str:
    n, d, L = sizes.base
    columns, labels = sizes.tall
    most, stored = max(sizes.rows), max(sizes.rows) * columns * 4 / 2**20
    larger = "larger" if stored > sizes.limit_mb else "not larger, at these sizes,"
    return (
        f"Synthetic features, {n} rows x {d:,} columns x {L} labels where they don't vary, C = 1, "
        f"{count_of(threads, 'thread')}; medians of {count_of(rounds, 'round')}, but sizes that "
        f"take over {LONG:g} s are timed once; splits are those of the sweep above. Rows: the "
        f"first of a cache of {most:,} x {columns:,} float32 values with {labels} labels, "
        f"{stored:,.0f} MiB, {larger} than the {sizes.limit_mb:,} MiB that RLIMIT_DATA lets the "
        "process allocate (mapped files, which the kernel may drop, are not part of it). There C "
        f"is {sizes.rows_C:g} / rows, so that loss and penalty keep their balance; one round."
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_sweep`."""
    add_options(
        parser,
        speed_sweep,
        {
            "cache": "feature cache with labels, as of MSRC v2",
            "out": "file for the page, .md; the lines and pictures go beside it",
            "corel": "feature cache of Corel5k, for the comparisons at one C",
            "corel_split": "its split.csv",
            "corel_labels": "labels of it, at most",
            "solvers": "names of solvers, or module:attribute (all)",
            "threads": "numbers of cores",
            "rounds": f"times that each is timed ({Plan.rounds})",
            "limit": f"seconds of a peer's setting ({Plan.limit:g})",
            "scaling": "seconds against labels, columns and rows too",
            "quick": "tiny settings, to see that all runs",
        },
    )
