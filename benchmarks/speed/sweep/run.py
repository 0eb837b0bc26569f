"""``speed sweep``: fits, regularization paths and whole sweeps beside their peers."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.report.files import claim_page
from benchmarks.speed.sweep.plan import QUICK, Plan
from benchmarks.speed.sweep.solver import PENALTIES
from features.command_line import add_options
from features.errors import check_number


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
        Folder for `speed-sweep.md`, written anew after every section, and a picture a penalty.
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
        Markdown.

    Raises
    ------
    InputError
        No labels, an unknown solver, or a second cache without its split.csv.
    """
    from benchmarks.speed.sweep.measure import measure_all
    from benchmarks.speed.sweep.peers import PEERS, find_peer

    solvers = tuple(PEERS) if solvers is None else solvers
    for name in solvers:
        find_peer(name)
    for count in threads:
        check_number("threads", count, whole=True, low=1)
    plan = QUICK if quick else Plan()
    plan = replace(plan, rounds=rounds or plan.rounds, limit=limit or plan.limit)
    if out is not None:
        for name in ("speed-sweep.md", *(f"speed-sweep-{penalty}.png" for penalty in PENALTIES)):
            claim_page(Path(out) / name)
    second = None if corel is None else (corel, corel_split, corel_labels)
    text = measure_all(out, plan, cache, second, solvers, threads, scaling=scaling)
    print(text)
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_sweep`."""
    add_options(
        parser,
        speed_sweep,
        {
            "cache": "feature cache with labels, as of MSRC v2",
            "out": "folder for the page and the pictures",
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
