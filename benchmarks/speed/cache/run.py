"""Write made-up caches and time the steps on them, each in a process of its own."""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.speed.cache.made_up import COLUMNS, write_cache
from benchmarks.speed.cache.report import AFTER, BEFORE, STEPS, page
from benchmarks.speed.record import Record
from benchmarks.speed.workers import answer_of
from features.command_line import add_options
from features.errors import InputError, check_number

HERE = Path(__file__).parents[3]


def speed_cache(
    out: Path | None = None,
    *,
    rows: Sequence[int] = (100_000, 1_000_000, 10_000_000),
    before: Path | None = None,
    before_rows: int = 1_000_000,
    folder: Path | None = None,
) -> str:
    """Measure seconds and peak memory of each step, from few rows to many.

    Parameters
    ----------
    out : Path, optional
        The page, ``.md``; result lines go beside it.
    rows : sequence of int
        Of each cache.
    before : Path, optional
        A checkout of an earlier version, which is measured beside this one.
    before_rows : int
        Most rows that the earlier version is given.
    folder : Path, optional
        Where the caches are written, one after the other; they are removed. By default the system's
        folder for temporary files; ten million rows need 8 GB.

    Returns
    -------
    str
        The page, which is also printed.

    Raises
    ------
    InputError
        A number out of range, `before` is no checkout, or `out` holds something else.
    """
    for count in rows:
        check_number("rows", count, whole=True, low=1000)
    if before is not None and not (before / "features" / "cache.py").is_file():
        raise InputError(
            f"{before} is no checkout of this project. Give one of an earlier version."
        )
    facts = {"task": f"{COLUMNS} float16 columns a row", "rows": list(rows)}
    record = Record("speed-cache", page, out, facts)
    for count in rows:
        with tempfile.TemporaryDirectory(dir=folder, prefix="speed-cache-") as made:
            cache = Path(made) / "made-up.cache"
            write_cache(cache, count)
            # The earlier one comes first: its first open removes the marks that this one keeps.
            versions = {} if before is None or count > before_rows else {BEFORE: before.resolve()}
            versions[AFTER] = HERE
            record.add("cache", _lines(cache, count, versions))
            shutil.rmtree(cache)
    return record.finish()


def _lines(cache: Path, rows: int, versions: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    for step in tqdm(STEPS, f"{rows:,} rows"):
        for name, checkout in versions.items():
            what = f"{step}: {name}: {rows}"
            yield {"what": what, "step": step, "version": name, "rows": rows} | _measured(
                step, cache, checkout
            )


def _measured(step: str, cache: Path, checkout: Path) -> dict[str, float]:
    """Run a step of a checkout on a cache; give its seconds and its process's peak in MiB."""
    return answer_of(
        ["-P", Path(__file__).with_name("worker.py"), step, cache],
        f"{step!r} of {checkout} failed",
        "Give a --before whose requirements are installed, or fewer --rows.",
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_cache`."""
    about = {
        "out": "file for the page, .md; the lines go beside it",
        "rows": "rows of each cache",
        "before": "checkout of an earlier version to measure beside this one",
        "before_rows": "most rows that it is given",
        "folder": "where the caches are written (the system's folder for temporary files)",
    }
    add_options(parser, speed_cache, about)
