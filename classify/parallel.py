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
RETRIES = 3  # of a cell whose task raises on a cluster


def run_grid(
    work: Callable[..., Mapping[str, Any] | Sequence[Mapping[str, Any]]],
    cells: Sequence[Cell],
    results: ResultFile,
    *,
    expected: Callable[[Cell], Sequence[Cell]] = lambda cell: [cell],
    shared: tuple = (),
    jobs: int = -1,
    client: Any = None,
    description: str | None = None,
) -> None:
    """Do the cells that `results` lacks and append their lines.

    Parameters
    ----------
    work : callable
        ``work(cell, *shared)`` gives the line's values, or a list of whole lines. Importable by
        name, and a pure function of its arguments: lines must not depend on the number of jobs.
    cells : sequence of mapping
        Done in this order, so put long ones first.
    results : ResultFile
        Open for writing. Left open: call its ``finish`` when all is done.
    expected : callable, optional
        The keys of the lines that a cell gives, each with exactly the key fields of `results`; by
        default the cell itself. A cell is done again unless all of them are there.
    shared : tuple
        What every cell needs. Arrays above 1 MB reach the workers as one memory-mapped file.
    jobs : int
        Processes; -1 for one a core. Each computes with one thread.
    client : distributed.Client, optional
        Run on its Dask workers instead; a lost worker costs the cells it had in hand.
    description : str, optional
        Stands before the progress bar on stderr.
    """
    keys = [[tuple(line[name] for name in results.key) for line in expected(c)] for c in cells]
    todo = [
        cell
        for cell, wanted in zip(cells, keys, strict=True)
        if any(key not in results for key in wanted)
    ]
    total = sum(map(len, keys))
    done = sum(key in results for wanted in keys for key in wanted)
    with _backend(client), tqdm(desc=description, total=total, initial=done, unit="fit") as bar:
        finished = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
            delayed(_lines)(work, cell, shared, os.getpid()) for cell in todo
        )
        for lines in finished:
            for line in lines:
                if tuple(line[name] for name in results.key) not in results:
                    results.append(line)
                    bar.update()


def _backend(client: Any) -> parallel_config:
    if client is None:
        return parallel_config(backend="loky", inner_max_num_threads=1)
    return parallel_config(backend="dask", client=client, retries=RETRIES)


def _lines(work, cell: Cell, shared: tuple, run: int) -> list[dict[str, Any]]:
    _end_with(run)
    with threadpool_limits(1):  # also where the work stays in this process
        made = work(cell, *shared)
    return [{**cell, **made}] if isinstance(made, Mapping) else [dict(line) for line in made]


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
