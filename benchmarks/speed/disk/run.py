"""Write a made-up cache, and time fits to it in processes that may allocate less than it holds."""

import argparse
import tempfile
from pathlib import Path

from tqdm import tqdm

from benchmarks.speed.disk.report import STEPS, page
from benchmarks.speed.record import Record
from benchmarks.speed.sweep.scaling import write_cache
from benchmarks.speed.workers import ROOT, answer_of
from features.command_line import add_options
from features.errors import check_number

SHARD_ROWS = 8192
_WORKER = "benchmarks.speed.disk.worker"


def speed_disk(
    out: Path | None = None,
    *,
    rows: int = 2_000_000,
    columns: int = 2048,
    labels: int = 20,
    rows_C: float = 100.0,
    limit_mb: int = 4096,
    folder: Path | None = None,
) -> str:
    """Measure L2 and ramp-loss WARP on a cache larger than the memory that they may allocate.

    Parameters
    ----------
    out : Path, optional
        The page, ``.md``; result lines go beside it.
    rows, columns, labels : int
        Of the cache, of float32.
    rows_C : float
        C times the number of rows.
    limit_mb : int
        MiB that each process may allocate (RLIMIT_DATA); mapped files don't count.
    folder : Path, optional
        Where the cache is written and removed again; by default the system's folder for temporary
        files. Two million rows need 16 GB.

    Returns
    -------
    str
        The page, which is also printed.

    Raises
    ------
    InputError
        A number out of range, a step that failed, or `out` holds something else.
    """
    for name, value in (("rows", rows), ("columns", columns), ("labels", labels)):
        check_number(name, value, whole=True, low=4)
    check_number("limit_mb", limit_mb, whole=True, low=1)
    check_number("rows_C", rows_C, low=0, above=True)
    facts = {"rows": rows, "columns": columns, "labels": labels, "C": rows_C / rows}
    record = Record("speed-disk", page, out, {**facts, "limit_mb": limit_mb})
    with tempfile.TemporaryDirectory(dir=folder, prefix="speed-disk-") as made:
        cache = Path(made) / "made-up.cache"
        write_cache(cache, rows, columns, labels, shard_rows=SHARD_ROWS)
        for step in tqdm(STEPS, "steps"):  # a kill loses no finished one
            record.add("disk", [{"what": step, **_measured(step, cache, rows_C / rows, limit_mb)}])
    return record.finish()


def _measured(step: str, cache: Path, C: float, limit_mb: int) -> dict[str, float]:
    return answer_of(
        ["-m", _WORKER, step, cache, repr(C), limit_mb],
        f"{step!r} failed with {limit_mb} MiB",
        "Give a larger --limit-mb, or fewer --rows.",
        cwd=ROOT,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_disk`."""
    about = {
        "out": "file for the page, .md; the lines go beside it",
        "rows": "of the cache",
        "columns": "of the cache",
        "labels": "of the cache",
        "rows_C": "C times the number of rows",
        "limit_mb": "MiB that each process may allocate",
        "folder": "where the cache is written (the system's folder for temporary files)",
    }
    add_options(parser, speed_disk, about)
