"""``speed miml``: what the multi-instance methods cost beside loops and matrix products."""

import argparse
from pathlib import Path

from features.command_line import add_options
from features.errors import check_number


def speed_miml(
    out: Path | None = None,
    *,
    bags: Path | None = None,
    count: int = 2000,
    size: int = 49,
    width: int = 512,
    rounds: int = 3,
    loop_bags: int = 8,
    epoch_bags: int = 100,
) -> str:
    """Measure and print a Markdown page.

    Parameters
    ----------
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``.
    bags : Path, optional
        Published bags to tune the methods on, as `features.bags.read_bags` takes them; their first
        split is used. By default small synthetic ones.
    count, size, width : int
        Bags whose distances are timed, their instances, and columns of these.
    rounds : int
        Times that distances and products, and the epochs, run in turns.
    loop_bags : int
        Bags of the loops over pairs of bags.
    epoch_bags : int
        Bags of MIMLfast's epochs.

    Returns
    -------
    str
        The page.

    Raises
    ------
    InputError
        For numbers out of range, and files that can't be read or written.
    """
    from threadpoolctl import threadpool_limits

    from benchmarks.speed.miml.report import page
    from benchmarks.speed.miml.work import (
        distance_lines,
        epoch_lines,
        synthetic_bags,
        tuning_lines,
    )
    from benchmarks.speed.record import Record
    from features.bags import read_bags

    for name, value, low in (
        ("count", count, 2),
        ("size", size, 1),
        ("width", width, 1),
        ("rounds", rounds, 1),
        ("epoch_bags", epoch_bags, 1),
    ):
        check_number(name, value, whole=True, low=low)
    check_number("loop_bags", loop_bags, whole=True, low=2, high=count)
    data = synthetic_bags(120, 3, 12, labels=6) if bags is None else read_bags(bags)
    name = "synthetic bags" if bags is None else Path(bags).stem
    facts = {
        "distances": f"{count:,} bags of {size} x {width}",
        "tuning": f"{name}, {len(data.bags)} bags, {len(data.label_names)} labels",
    }
    record = Record("speed-miml", page, out, facts)
    with threadpool_limits(1):
        record.add("tuning", tuning_lines(data))
        record.add("epoch", epoch_lines(data, rounds, epoch_bags))
        many = synthetic_bags(count, size, width).bags
        record.add("distances", distance_lines(many, rounds, loop_bags))
    return record.finish()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_miml`."""
    add_options(
        parser,
        speed_miml,
        {
            "out": "file for the page, .md; the lines go beside it",
            "bags": "published bags to tune on, .mat or .arff (synthetic ones)",
            "count": "bags whose distances are timed",
            "size": "instances of each of these",
            "width": "columns of these",
            "rounds": "times that each runs, in turns",
            "loop_bags": "bags of the loops over pairs of bags",
            "epoch_bags": "bags of MIMLfast's epochs",
        },
    )
