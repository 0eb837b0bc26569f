"""A solver of ``speed sweep`` in worker processes, over which the labels are distributed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.speed.sweep.peers import find_peer
from benchmarks.speed.sweep.plan import PENALTIES
from benchmarks.speed.workers import Worker, run_together

# What numpy, numba and the peers take their number of threads from, before they are imported.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class FitResult(NamedTuple):
    """What a fit gave.

    Attributes
    ----------
    seconds : float
        Of the timed call; of the slowest process where there are several.
    peak_mb : float
        Largest resident memory of the process so far; the sum where there are several.
    weights : float64 array of shape (number of C, number of labels, d + 1)
    """

    seconds: float
    peak_mb: float
    weights: np.ndarray


class Solver:
    """A solver on so many cores, in processes that it keeps between fits.

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
        self._workers: list[Worker] = []
        self.absent = self._start()

    def fit(
        self,
        *,
        penalty: str,
        Cs: Sequence[float],
        level: float | None,
        labels: Sequence[int] | np.ndarray,
        rows: Sequence[int] | int | None = None,
        columns: int | None = None,
        limit: float | None = None,
    ) -> FitResult | str:
        """Fit; return the result, or the reason why there is none.

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
            Seconds after which the processes are ended; the next fit starts others.
        """
        if not self._workers and (reason := self._start()):
            return reason
        workers = self._workers[: len(labels)]
        parts = [np.arange(k, len(labels), len(workers)) for k in range(len(workers))]
        given = {"penalty": penalty, "Cs": list(Cs), "level": level}
        given |= {"rows": rows if rows is None else np.array(rows).tolist(), "columns": columns}
        files = [self._folder / f"weights-{id(self)}-{k}.npy" for k in range(len(workers))]
        jobs = [
            given | {"labels": np.asarray(labels)[part].tolist(), "weights": str(file)}
            for part, file in zip(parts, files, strict=True)
        ]
        answers = run_together(workers, jobs, limit=limit)
        try:
            if any("ended" in answer for answer in answers):
                self.close()
            for answer in answers:
                if "failed" in answer:
                    return answer["failed"]
            seconds = max(answer["seconds"] for answer in answers)
            peak_mb = sum(answer["peak_mb"] for answer in answers)
            return FitResult(seconds, peak_mb, _joined(files, parts))
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def __enter__(self) -> "Solver":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> str | None:
        own = self.peer.together
        environment = dict.fromkeys(THREADS, str(self.threads if own else 1))
        self._workers = [
            Worker("benchmarks.speed.sweep.worker", self._given, environment=environment)
            for _ in range(1 if own else self.threads)
        ]
        reasons = [worker.absent for worker in self._workers if worker.absent]
        if reasons:
            self.close()
        return reasons[0] if reasons else None


def completed(result: FitResult | str) -> FitResult:
    """Give the result of a fit that must not fail.

    Raises
    ------
    RuntimeError
        It did.
    """
    if isinstance(result, str):
        raise RuntimeError(f"a fit failed: {result}")
    return result


def _joined(files: list[Path], parts: list[np.ndarray]) -> np.ndarray:
    """Bring the weights of each process's labels into the order of all labels."""
    pieces = [np.load(file) for file in files]
    weights = np.empty((len(pieces[0]), sum(map(len, parts)), pieces[0].shape[2]))
    for piece, part in zip(pieces, parts, strict=True):
        weights[:, part] = piece
    return weights
