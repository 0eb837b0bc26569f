"""A Dask scheduler and its workers, each a process of its own as on a cluster."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.workers import ROOT

_PATIENCE = 120.0  # seconds until a scheduler or a worker must be there
_STOPPED, _RUNNING = 0.2, 0.05  # seconds of a slow worker


@dataclass
class Cluster:
    """Its address, and the processes of its workers, none of which comes back."""

    address: str
    workers: Sequence[subprocess.Popen]

    def kill_when(self, path: Path, marks: int) -> threading.Thread:
        """Kill the first worker once `path`, a file or a folder's shards, holds some results."""

        def watch() -> None:
            while self.workers[0].poll() is None:
                if _results(path) >= marks:
                    self.workers[0].send_signal(signal.SIGKILL)
                    return
                time.sleep(0.01)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        return thread

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Stop the last worker four fifths of the time."""
        done = threading.Event()

        def slow_down() -> None:
            while not done.wait(_RUNNING):
                self.workers[-1].send_signal(signal.SIGSTOP)
                done.wait(_STOPPED)
                self.workers[-1].send_signal(signal.SIGCONT)

        thread = threading.Thread(target=slow_down)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _results(path: Path) -> int:
    if path.is_dir():
        return len(list(path.glob("**/*.h5")))
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


@contextmanager
def separate_cluster(count: int) -> Iterator[Cluster]:
    """Start a scheduler and `count` workers of one thread; end them all."""
    from distributed import Client

    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        file = Path(place) / "scheduler.json"
        common = ["--scheduler-file", str(file)]

        def start(*words: str) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-m", *words, *common],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard")
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", place]
        workers = [start("distributed.cli.dask_worker", *options) for _ in range(count)]
        address = _address(file)
        with Client(address, timeout=f"{_PATIENCE:.0f}s", set_as_default=False) as client:
            client.wait_for_workers(count, timeout=_PATIENCE)
        yield Cluster(address, workers)


def _address(file: Path) -> str:
    import json

    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            found: Any = json.loads(file.read_text())
            return found["address"]
        except (OSError, ValueError):  # not there yet, or half-written
            time.sleep(0.05)
    raise TimeoutError("the Dask scheduler did not start")
