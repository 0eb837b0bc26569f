"""``speed imcl``: the joint matching pursuit beside loops and a peer, and what training costs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from features.command_line import add_options
from features.errors import check_number


def speed_imcl(
    out: Path | None = None,
    *,
    queries: int = 1000,
    candidates: int = 10_000,
    features: int = 2048,
    labels: int = 300,
    k: int = 5,
    rounds: int = 5,
    loop_queries: int = 8,
    scaling: Sequence[int] = (20_000, 100_000, 500_000),
    scaling_features: int = 512,
    memory_rows: int = 1_000_000,
    memory_features: int = 512,
    memory_labels: int = 5000,
) -> str:
    """Measure on one thread and on synthetic data, and print a Markdown page.

    Parameters
    ----------
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``.
    queries, candidates, features, labels, k : int
        Size of the pursuit, in float32.
    rounds : int
        Times that every implementation runs, in turns.
    loop_queries : int
        Queries of the implementations that take one at a time; their times are scaled to all.
    scaling : sequence of int
        Training rows, of `scaling_features` and `labels`, on which a step is timed.
    scaling_features : int
    memory_rows, memory_features, memory_labels : int
        Size of the fit whose memory is watched; features and labels are files mapped into memory,
        in the system's temporary folder.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InputError
        For numbers out of range, and an `out` that can't be written.
    """
    from threadpoolctl import threadpool_limits

    from benchmarks.speed.imcl.report import page
    from benchmarks.speed.imcl.work import memory_line, pursuit_lines, step_lines
    from benchmarks.speed.record import Record

    given = {name: value for name, value in locals().items() if isinstance(value, int)}
    for name, value in given.items():
        check_number(name, value, whole=True, low=1)
    size = f"{queries:,} queries, {candidates:,} x {features:,}, {labels} labels, k = {k}"
    facts = {"pursuit": size, "step": f"{scaling_features:,}, {labels} labels"}
    record = Record("speed-imcl", page, out, facts)
    with threadpool_limits(1):
        timings, agreement = pursuit_lines(
            (queries, candidates, features, labels), k, rounds, loop_queries
        )
        record.add("pursuit", timings)
        record.add("agreement", [agreement])
        record.add("step", step_lines(scaling, scaling_features, labels))
        record.add("memory", [memory_line(memory_rows, memory_features, memory_labels)])
    return record.finish()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_imcl`."""
    add_options(
        parser,
        speed_imcl,
        {
            "out": "file for the page, .md; the lines go beside it",
            "queries": "queries of the pursuit",
            "candidates": "rows of its dictionary",
            "features": "columns of both",
            "labels": "label values of both",
            "k": "neighbors of a query",
            "rounds": "times that every implementation runs, in turns",
            "loop_queries": "queries of those that take one at a time",
            "scaling": "training rows on which a step is timed",
            "scaling_features": "their features",
            "memory_rows": "training rows of the fit whose memory is watched",
            "memory_features": "its features",
            "memory_labels": "its labels",
        },
    )
