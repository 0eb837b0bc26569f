"""Run the trials that have no result yet, in processes, and keep each result as it comes.

A trial is a dict of key fields; a function turns it into result lines.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from classify.results import ResultFile
from classify.solvers.threads import one_thread
from features.command_line.process import warnings_as_lines
from features.errors import InputError, check_number

Trial = Mapping[str, Any]
RETRIES = 3  # of a trial whose task raises on a cluster


def run_grid(
    work: Callable[..., Mapping[str, Any] | Sequence[Mapping[str, Any]]],
    trials: Sequence[Trial],
    results: ResultFile,
    *,
    expected: Callable[[Trial], Sequence[Trial]] = lambda trial: [trial],
    shared: tuple = (),
    jobs: int = -1,
    client: Any = None,
    description: str | None = None,
) -> None:
    """Run the trials that `results` lacks and append their lines.

    Parameters
    ----------
    work : callable
        ``work(trial, *shared)`` returns the line's values, or a list of whole lines. Importable by
        name, and a pure function of its arguments: lines must not depend on the number of jobs.
    trials : sequence of mapping
        Run in this order, so put long ones first.
    results : ResultFile
        Open for writing. It stays open: call its ``finish`` when all is done.
    expected : callable, optional
        The keys of the lines that a trial gives, each with exactly the key fields of `results`; by
        default the trial itself. A trial is run again unless all of them are there.
    shared : tuple
        What every trial needs. Arrays above 1 MB reach the workers as one memory-mapped file.
    jobs : int
        Processes; -1 for one per core. Each computes with one thread.
    client : distributed.Client, optional
        Run on its Dask workers instead; a lost worker costs the trials that it was running.
    description : str, optional
        Stands before the progress bar on stderr.

    Raises
    ------
    InputError
        A process was killed, or `jobs` is neither -1 nor 1 or more.
    """
    if jobs != -1:
        check_number("jobs", jobs, whole=True, low=1)
    keys = [[tuple(line[name] for name in results.key) for line in expected(t)] for t in trials]
    todo = [
        trial
        for trial, wanted in zip(trials, keys, strict=True)
        if any(key not in results for key in wanted)
    ]
    counted = {key for wanted in keys for key in wanted}
    total, done = len(counted), sum(key in results for key in counted)
    with _backend(client), tqdm(desc=description, total=total, initial=done, unit="fit") as bar:
        finished = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
            delayed(_lines)(work, trial, shared, os.getpid()) for trial in todo
        )
        try:
            for lines in finished:
                for line in lines:
                    key = tuple(line[name] for name in results.key)
                    if key not in results:
                        results.append(line)
                        bar.update(key in counted)
        except TerminatedWorkerError as error:
            raise InputError(
                f"a process of --jobs {jobs} was killed, most likely because memory ran out: run "
                f"the same command with fewer jobs; what is finished stays in {results.path}"
            ) from error


def _backend(client: Any) -> parallel_config:
    if client is None:
        return parallel_config(backend="loky", inner_max_num_threads=1)
    return parallel_config(backend="dask", client=client, retries=RETRIES)


def _lines(work, trial: Trial, shared: tuple, run: int) -> list[dict[str, Any]]:
    _end_with(run)
    with one_thread():  # also where the work stays in this process
        made = work(trial, *shared)
    return [{**trial, **made}] if isinstance(made, Mapping) else [dict(line) for line in made]


@cache
def _end_with(run: int) -> None:
    """Let this worker end when process `run`, its parent, is gone.

    joblib's workers outlive a killed run by minutes, and compute what was queued.
    """

    def watch() -> None:
        while os.getppid() == run:
            time.sleep(1)
        os._exit(1)

    if os.getppid() == run:  # neither the run itself nor a worker on another machine
        warnings_as_lines()
        threading.Thread(target=watch, daemon=True).start()
