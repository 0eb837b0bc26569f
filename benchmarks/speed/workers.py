"""Measured processes: each loads, warms up, and then runs one timed job after the other.

A process per implementation means that each has its own peak memory, and that interleaved jobs meet
the same changes of the machine's speed. Both ends are here, `Worker` for the measuring program and
`serve` for the process; they exchange JSON lines. A job takes two of them, what to prepare and then
the start, so that several processes can start together.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import InputError, first_words

ROOT = Path(__file__).parents[2]
MATRIX_SIDE = 4096  # of the matrices that the worker `LIMIT` multiplies on a CPU
LIMIT = "limit"  # the worker that multiplies matrices: its units are floating-point operations

Work = Callable[[int, int], float]  # goes through images start to stop, returns bytes per image


def answer_of(words: Sequence[object], what: str, remedy: str, **given: Any) -> dict[str, float]:
    """Run a step in a process of its own, and give the JSON that it prints.

    Parameters
    ----------
    words : sequence
        What follows the name of the Python program.
    what, remedy : str
        The step, and what to do if it fails, for the error.
    **given
        As for `subprocess.run`.

    Raises
    ------
    InputError
        The step failed.
    """
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"The step {what}: {lines[-1]}. {remedy}")
    return json.loads(done.stdout)


class Job(NamedTuple):
    """One job, prepared.

    Attributes
    ----------
    work : callable
        Is timed.
    result : callable
        From what `work` returned to fields of the answer; not timed.
    """

    work: Callable[[], Any]
    result: Callable[[Any], dict[str, Any]]


Prepare = Callable[[dict[str, Any]], Job]


class Worker:
    """A measured process, started and warm.

    Parameters
    ----------
    module : str
        What the process runs; its last statement calls `serve`.
    given : mapping
        JSON values that describe the process's task.
    python : str
        Interpreter.
    environment : mapping of str to str
        Variables to set beside this process's own.
    """

    def __init__(
        self,
        module: str,
        given: Mapping[str, Any],
        *,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ):
        self._process = subprocess.Popen(
            [python, "-m", module],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._say(given)
        self._started: dict[str, Any] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """Wait until the worker is ready, and give the facts about it."""
        if self._started is None:
            self._started = self._answer()
        return self._started

    @property
    def absent(self) -> str | None:
        """Wait until the worker is ready or has failed, and give the reason for the latter."""
        return self.info.get("failed")

    def run(self, job: Mapping[str, Any], *, limit: float | None = None) -> dict[str, Any]:
        """Run one job; see `run_together`."""
        return run_together([self], [job], limit=limit)[0]

    def kill(self) -> None:
        """End the process; what it was asked is answered by its end."""
        self._process.kill()

    def close(self) -> None:
        """End the process and close its pipes."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _say(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its answer, which won't come, tells that it ended

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # a library may print lines of its own
            if line.startswith('{"'):
                return json.loads(line)
        return {"failed": "ended without an answer", "ended": True}


def run_together(
    workers: Sequence[Worker], jobs: Sequence[Mapping[str, Any]], *, limit: float | None = None
) -> list[dict[str, Any]]:
    """Prepare one job in each process, then run all at the same time.

    Parameters
    ----------
    workers : sequence of Worker
        None of them absent.
    jobs : sequence of mapping
        JSON values, one job per worker.
    limit : float, optional
        Seconds after which the processes are killed.

    Returns
    -------
    list of dict
        ``seconds``, ``peak_mb`` and the fields of the job's result; or ``failed`` with the reason,
        and ``ended`` where the process is no more.
    """
    for worker, job in zip(workers, jobs, strict=True):
        assert worker.absent is None, worker.absent
        worker._say(job)
    answers = [worker._answer() for worker in workers]
    started = time.monotonic()

    def kill() -> None:
        for worker in workers:
            worker.kill()

    timer = threading.Timer(limit or threading.TIMEOUT_MAX, kill)
    timer.start()
    for worker, answer in zip(workers, answers, strict=True):
        if "failed" not in answer:
            worker._say({})
    pairs = list(zip(workers, answers, strict=True))
    answers = [answer if "failed" in answer else worker._answer() for worker, answer in pairs]
    timer.cancel()
    late = limit is not None and time.monotonic() - started >= limit
    for worker, answer in zip(workers, answers, strict=True):
        if "ended" in answer and late:
            answer["failed"] = f"over {limit:g} s"
        if "failed" not in answer:
            worker.info.update(answer)
    return answers


def completed(answer: dict[str, Any]) -> dict[str, Any]:
    """Give the answer to a job that must not fail.

    Raises
    ------
    RuntimeError
        It did.
    """
    if "failed" in answer:
        raise RuntimeError(f"a measured process failed: {answer['failed']}")
    return answer


def rate(worker: Worker, name: str, start: int, stop: int) -> float:
    """Let a worker go through images start to stop; give images (or operations) per second."""
    answer = completed(worker.run({"start": start, "stop": stop}))
    units = worker.info["flops"] if name == LIMIT else stop - start
    return units / answer["seconds"]


def serve(make: Callable[[dict[str, Any]], tuple[Prepare, dict[str, Any]]]) -> None:
    """Warm up, then run jobs until stdin ends.

    Parameters
    ----------
    make : callable
        From the description to what prepares a job, and facts about the worker (JSON values).
    """
    lines = iter(sys.stdin.readline, "")
    try:
        prepare, info = make(json.loads(next(lines)))
    except Exception as error:  # whatever keeps a peer from running makes it absent, by name
        _print({"failed": _one_line(error)})
        return
    _print({"ready": True, **info})
    for line in lines:
        try:
            job = prepare(json.loads(line))
        except Exception as error:
            _print({"failed": _one_line(error)})
            continue
        _print({"prepared": True})
        next(lines)
        _print(_timed(job))


def image_jobs(work: Work, flops: int, rows: int) -> tuple[Prepare, dict[str, Any]]:
    """Warm up on the first rows; give jobs ``{"start", "stop"}`` for `serve`.

    Parameters
    ----------
    work : callable
    flops : int
        Floating-point operations per image, or of one job of the limit.
    rows : int
    """
    work(0, rows)

    def prepare(job: dict[str, Any]) -> Job:
        return Job(lambda: work(job["start"], job["stop"]), lambda stored: {"bytes": int(stored)})

    return prepare, {"flops": flops}


def _timed(job: Job) -> dict[str, Any]:
    try:
        begun = time.perf_counter()
        value = job.work()
        seconds = time.perf_counter() - begun
    except Exception as error:  # a setting that a peer can't do does not end the comparison
        return {"failed": _one_line(error)}
    return {"seconds": seconds, "peak_mb": peak_megabytes(), **job.result(value)}


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {first_words(error)}"[:200]


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def peak_megabytes() -> float:
    """Largest resident memory of this program; `ru_maxrss` may start from that of its parent."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def matrix_products(device: str, precision: str, side: int) -> tuple[Work, int]:
    """Multiply large square matrices in the same precision: the machine's peak rate.

    Parameters
    ----------
    device : str
        As for extraction.
    precision : str
        ``float32`` or ``bf16``.
    side : int
        Of the matrices on a CPU; a GPU, whose rate needs larger ones, gets twice as many.
    """
    import torch

    from extract.engines import choose_device

    chosen = choose_device(device)
    gpu = chosen.type == "cuda"
    side *= 2 if gpu else 1
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if precision == "float32":
        torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn((side, side), device=chosen, dtype=dtype) for _ in range(2))
    repeats = 20 if gpu else 4

    def work(start: int, stop: int) -> float:
        for _ in range(repeats):
            a @ b
        if gpu:
            torch.cuda.synchronize()
        return 0

    return work, repeats * 2 * side**3
