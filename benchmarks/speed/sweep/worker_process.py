"""The harness's side of a solver's process: start it, let it take a turn, end it when it is late.

Knows nothing of objectives and tables. The other side is `benchmarks.speed.sweep.worker`.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.sweep.peers import find_peer

ROOT = Path(__file__).parents[3]
PENALTIES = ("l1", "l2")
# What numpy, numba and the peers take their number of threads from, before they are imported.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Turn(NamedTuple):
    """What a turn gave.

    Attributes
    ----------
    seconds : float
        Of the timed line; of the slowest process where the labels are shared out.
    peak_mb : float
        Largest resident memory of the process so far; the sum where there are several.
    weights : float64 array of shape (number of C, number of labels, d + 1)
    """

    seconds: float
    peak_mb: float
    weights: np.ndarray


class Contender:
    """A solver on so many cores, in processes that it keeps between its turns.

    Parameters
    ----------
    name : str
        As for `find_peer`.
    folder : Path
        Holds X.npy and Y.npy, or is a cache if there is a limit.
    threads : int
    penalties : sequence of str
        To warm up.
    limit_mb : int, optional
        What each process may allocate.

    Attributes
    ----------
    absent : str or None
        Why it can't run.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        threads: int,
        *,
        penalties: Sequence[str] = PENALTIES,
        limit_mb: int | None = None,
    ):
        self.name, self.peer, self.threads = name, find_peer(name), threads
        self._folder = folder
        self._given = {
            "solver": name,
            "folder": str(folder),
            "penalties": list(penalties),
            "limit_mb": limit_mb,
        }
        self._processes: list[_Process] = []
        self.absent = self._start()

    def turn(
        self,
        *,
        penalty: str,
        Cs: Sequence[float],
        level: float | None,
        labels: Sequence[int] | np.ndarray,
        rows: Sequence[int] | int | None = None,
        columns: int | None = None,
        limit: float | None = None,
    ) -> Turn | str:
        """Fit; return what it gave, or why it gave nothing.

        Parameters
        ----------
        penalty, Cs, level
            What to fit, and how far to go.
        labels : sequence of int
            Columns of Y.
        rows : sequence of int or int, optional
            Which, or how many from the first on.
        columns : int, optional
            How many of X.
        limit : float, optional
            Seconds after which the processes are ended; the next turn starts others.
        """
        if not self._processes and (reason := self._start()):
            return reason
        workers = self._processes[: len(labels)]
        parts = [np.arange(k, len(labels), len(workers)) for k in range(len(workers))]
        given = {"penalty": penalty, "Cs": list(Cs), "level": level}
        given |= {"rows": rows if rows is None else np.array(rows).tolist(), "columns": columns}
        for worker, part in zip(workers, parts, strict=True):
            mine = np.asarray(labels)[part].tolist()
            worker.say(given | {"labels": mine, "weights": str(worker.weights)})
        answers = [worker.answer() for worker in workers]
        timer = threading.Timer(limit or threading.TIMEOUT_MAX, self._kill)
        timer.start()
        for worker in workers:
            worker.say({})
        answers = [worker.answer() for worker in workers]
        timer.cancel()
        if any("ended" in answer for answer in answers):
            self.close()
        for answer in answers:
            if "seconds" not in answer:
                late = limit is not None and "ended" in answer
                return f"over {limit:g} s" if late else next(iter(answer.values()))
        seconds = max(answer["seconds"] for answer in answers)
        return Turn(seconds, sum(answer["peak_mb"] for answer in answers), _joined(workers, parts))

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
        self._processes = []

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _start(self) -> str | None:
        own = self.peer.together
        environment = os.environ | dict.fromkeys(THREADS, str(self.threads if own else 1))
        for number in range(1 if own else self.threads):
            weights = self._folder / f"weights-{os.getpid()}-{id(self)}-{number}.npy"
            self._processes.append(_Process(self._given, environment, weights))
        answers = [process.answer() for process in self._processes]
        reasons = [next(iter(answer.values())) for answer in answers if "ready" not in answer]
        absent = reasons[0] if reasons else None
        if absent:
            self.close()
        return absent


def completed(turn: Turn | str) -> Turn:
    """Give a turn that must not fail.

    Raises
    ------
    RuntimeError
        It did.
    """
    if isinstance(turn, str):
        raise RuntimeError(f"a fit gave nothing: {turn}")
    return turn


class _Process:
    def __init__(self, given: dict[str, Any], environment: dict[str, str], weights: Path):
        self.weights = weights
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.sweep.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.say(given)

    def say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its answer, which won't come, says so

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # a library may print lines of its own
            if line.startswith('{"'):
                return json.loads(line)
        return {"ended": "ended without an answer"}

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()  # closes the pipes too
        self.weights.unlink(missing_ok=True)


def _joined(workers: list[_Process], parts: list[np.ndarray]) -> np.ndarray:
    """Bring the weights of each process's labels into the order of all labels."""
    pieces = [np.load(worker.weights) for worker in workers]
    shape = (len(pieces[0]), sum(map(len, parts)), pieces[0].shape[2])
    weights = np.empty(shape)
    for piece, part in zip(pieces, parts, strict=True):
        weights[:, part] = piece
    return weights
