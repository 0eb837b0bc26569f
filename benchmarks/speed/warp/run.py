"""``speed warp``: ramp-loss WARP beside logistic descents, a loop, larger data, matrix products."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from features.command_line import add_options, argument
from features.errors import InputError, check_number

Size = tuple[int, int, int]


def speed_warp(
    out: Path | None = None,
    *,
    rows: int = 50_000,
    features: int = 2048,
    labels: int = 80,
    rounds: int = 5,
    loop_rows: int = 200,
    scaling: Sequence[Size] = (
        (100_000, 512, 80),
        (300_000, 512, 80),
        (1_000_000, 512, 80),
        (100_000, 512, 240),
        (100_000, 512, 800),
    ),
    propagation: Size = (46_000, 4_000, 2048),
) -> str:
    """Measure on one thread and on synthetic data, and print a Markdown page.

    Parameters
    ----------
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``.
    rows, features, labels : int
        Size of the matrix that epochs are timed on, in float32.
    rounds : int
        Times that every implementation runs, in turns.
    loop_rows : int
        Rows of the loop over pairs of labels.
    scaling : sequence of (rows, features, labels)
        Sizes of caches that an epoch is read from.
    propagation : (unlabeled rows, labeled rows, features)

    Returns
    -------
    str
        The page.

    Raises
    ------
    InputError
        For numbers out of range, and an `out` that can't be written.
    """
    import torch  # here, so that help does not wait for it
    from threadpoolctl import threadpool_limits

    from benchmarks.speed.record import Record
    from benchmarks.speed.warp.peers import EPOCHS
    from benchmarks.speed.warp.report import page
    from benchmarks.speed.warp.scaling import scaling_lines
    from benchmarks.speed.warp.work import epoch_lines, propagation_lines

    check_number("rows", rows, whole=True, low=10)
    check_number("labels", labels, whole=True, low=4)
    for name, value in (("features", features), ("rounds", rounds), ("loop_rows", loop_rows)):
        check_number(name, value, whole=True, low=1)
    unlabeled, labeled, columns = propagation
    facts = {
        "epochs": f"{rows:,} x {features:,}, {labels} labels, {EPOCHS} epochs",
        "propagation": f"{unlabeled:,} rows against {labeled:,}, {columns:,} features",
    }
    record, threads = Record("speed-warp", page, out, facts), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            record.add("epoch", epoch_lines((rows, features, labels), rounds, loop_rows))
            record.add("scaling", scaling_lines(scaling))
            record.add("propagation", propagation_lines(propagation, rounds))
    finally:
        torch.set_num_threads(threads)
    return record.finish()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_warp`."""
    read = argument(parse_size)
    add_options(
        parser,
        speed_warp,
        {
            "out": "file for the page, .md; the lines go beside it",
            "rows": "rows of the matrix that epochs are timed on",
            "features": "its columns",
            "labels": "its labels",
            "rounds": "times that every implementation runs, in turns",
            "loop_rows": "rows of the loop over pairs of labels",
            "scaling": "caches to read from, each ROWSxFEATURESxLABELS",
            "propagation": "unlabeled rows x labeled rows x features",
        },
        scaling={"type": read, "help": "caches to read from, each ROWSxFEATURESxLABELS"},
        propagation={
            "type": read,
            "nargs": None,
            "help": "unlabeled rows x labeled rows x features (46000x4000x2048)",
        },
    )


def parse_size(text: str) -> Size:
    """Read three whole numbers.

    Raises
    ------
    InputError
        It is not three positive whole numbers.

    Examples
    --------
    >>> parse_size("100000x512x80")
    (100000, 512, 80)
    """
    try:
        first, second, third = map(int, text.split("x"))
        if min(first, second, third) < 1:
            raise ValueError("not positive")
    except ValueError as error:
        raise InputError(f"size {text!r}; give three numbers, as in 100000x512x80") from error
    return first, second, third
