"""Options of ``tables miml``, and which of its two tables they ask for."""

import argparse
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path

from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.miml.run import miml
from features.command_line import add_options, default, load
from features.errors import InputError


def run(
    *,
    out: Path,
    data: Path | None = None,
    cache: Path | None = None,
    bags: Path | None = None,
    splits: int = default(miml, "splits"),
    seed: int = default(miml, "seed"),
    layers: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    curve_sizes: Sequence[int] | None = None,
    curve_splits: int | None = None,
    published: str | None = None,
    ablations: bool | None = None,
    jobs: int = default(miml, "jobs"),
) -> Path:
    """Run the table on a data set with a cache, or with `bags` on published bags.

    Parameters
    ----------
    bags : Path, optional
        A file of labeled bags.
    out, data, cache, splits, seed, layers, methods, curve_sizes, curve_splits, published, \
ablations, jobs
        As in `benchmarks.tables.miml.run.miml` or, with `bags`, in
        `benchmarks.tables.miml.bags_run.miml_bags`. None is the default there.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        Options are missing, or belong to the other table.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    table: Callable[..., Path] = miml
    if bags is None:
        missing = [f"--{name}" for name in ("data", "cache") if name not in given]
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given, or --bags FILE")
    else:  # loads numba
        table = load("benchmarks.tables.miml.bags_run:miml_bags")
    other = sorted(given.keys() - signature(table).parameters.keys())
    if other:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in other)
        raise InputError(f"{names} can't be given {'with' if bags else 'without'} --bags")
    return table(**given)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    add_options(
        parser,
        run,
        {
            "data": "folder with labels.csv",
            "cache": "features of its images",
            "out": "folder for lines, table and curves",
            "splits": "number of splits",
            "seed": "seed of the first split",
            "layers": "layers to learn from (all)",
            "curve_sizes": "training sizes of the learning curves (the paper's; none with --bags)",
            "published": "numbers to quote (by label names)",
            "ablations": "add the exact optimum along C, C selected, layers alone (yes)",
            "bags": "run the multi-instance methods on this file of bags, .mat or .arff; with "
            "--cache also on that cache's instances",
            "methods": "with --bags: some of the methods (all)",
            "curve_splits": "with --bags: splits of the learning curves (5)",
            "jobs": "processes, -1 for one per core",
        },
        curve_sizes={"nargs": "*"},
        published={"choices": [*MIML_TABLES, "none"]},
        ablations={"action": argparse.BooleanOptionalAction},
    )
