"""Run the cells of a grid that aren't done yet, in processes, and keep each result as it comes.

Knows neither learners nor data: a cell is a dict of key fields, the work a function.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from classify.results import ResultFile

Cell = Mapping[str, Any]


def run_grid(
    work: Callable[..., Mapping[str, Any]],
    cells: Sequence[Cell],
    results: ResultFile,
    *,
    shared: tuple = (),
    jobs: int = -1,
    description: str | None = None,
) -> None:
    """Do the cells that `results` lacks and append their lines.

    Parameters
    ----------
    work : callable
        ``work(cell, *shared)`` gives the line's values. Importable by name, and a pure function of
        its arguments: lines must not depend on the number of jobs.
    cells : sequence of mapping
        Each with exactly the key fields of `results`. Done in this order, so put long ones first.
    results : ResultFile
        Open for writing. Left open: call its ``finish`` when all is done.
    shared : tuple
        What every cell needs. Arrays above 1 MB reach the workers as one memory-mapped file.
    jobs : int
        Processes; -1 for one a core. Each computes with one thread.
    description : str, optional
        Stands before the progress bar on stderr.
    """
    missing = [cell for cell in cells if tuple(cell[name] for name in results.key) not in results]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        lines = Parallel(n_jobs=jobs, return_as="generator_unordered")(
            delayed(_line)(work, cell, shared, os.getpid()) for cell in missing
        )
        bar = tqdm(lines, description, len(cells), initial=len(cells) - len(missing), unit="fit")
        for line in bar:
            results.append(line)


def _line(work, cell: Cell, shared: tuple, run: int) -> dict[str, Any]:
    _end_with(run)
    with threadpool_limits(1):  # also where the work stays in this process
        return {**cell, **work(cell, *shared)}


@cache
def _end_with(run: int) -> None:
    """Let this worker end when process `run`, its parent, is gone.

    joblib's workers outlive a killed run by minutes, and do what was queued.
    """

    def watch() -> None:
        while os.getppid() == run:
            time.sleep(1)
        os._exit(1)

    if os.getppid() == run:  # neither the run itself nor a worker on another machine
        threading.Thread(target=watch, daemon=True).start()
