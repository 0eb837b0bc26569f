"""Time extraction alone, beside busy processes, and as two processes of a job array, in turns."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.speed.record import Record
from benchmarks.speed.threads.report import ALONE, BESIDE, ONE, PAIR, POLICIES, page
from benchmarks.speed.workers import Worker, completed, run_together
from benchmarks.synthetic.images import render_dataset
from features.command_line import add_options
from features.datasets import load_dataset
from features.errors import InputError, check_number

BUSY = 2  # processes beside the extraction


def speed_threads(
    out: Path | None = None,
    *,
    n: int = 512,
    rounds: int = 5,
    backbone: str = "resnet18",
    size: int = 32,
) -> str:
    """Measure images per second of whole extractions, JPEG files to shards.

    Parameters
    ----------
    out : Path, optional
        The page, ``.md``; result lines go beside it.
    n : int
        Synthetic pictures per extraction, an even number.
    rounds : int
        Times that each runs, in turns.
    backbone, size : str, int
        Network with random weights, and the side of its input in pixels.

    Returns
    -------
    str
        The page, which is also printed.

    Raises
    ------
    InputError
        A number out of range, or `out` holds something else.
    """
    for name, value in (("n", n), ("rounds", rounds), ("size", size)):
        check_number(name, value, whole=True, low=1)
    if n % 2:
        raise InputError(f"The 'n' option must be even, for two shards. Got {n}.")
    facts = {"task": f"{n} pictures, {backbone} at {size} pixels", "images": n}
    record = Record("speed-threads", page, out, facts)
    with tempfile.TemporaryDirectory() as folder:
        data = load_dataset(render_dataset(Path(folder) / "pictures", n=n, seed=0))
        paths = [str(data.root / path) for path in data.paths]
        options = {"backbone": backbone, "size": size, "rows": n // 2, "paths": paths}
        with ExitStack() as stack:
            pairs = {
                name: [stack.enter_context(_worker(options, policy)) for _ in range(2)]
                for name, policy in POLICIES.items()
            }
            for number in tqdm(range(rounds), "rounds"):
                record.add("threads", _round(pairs, n, number))
    return record.finish()


def _worker(options: Mapping[str, Any], policy: Mapping[str, str]) -> Worker:
    given = {"name": "eager", "device": "cpu", "precision": "float32", "batch_size": None}
    return Worker("benchmarks.speed.extract_worker", {**given, **options}, environment=policy)


def _round(pairs: Mapping[str, Sequence[Worker]], n: int, number: int) -> Iterator[dict[str, Any]]:
    """Run every place once per policy; what is compared runs one after the other."""
    for place in (ALONE, BESIDE, ONE, PAIR):
        for name, workers in pairs.items():
            with _busy(BUSY if place == BESIDE else 0):
                seconds = _halves(workers, n) if place == PAIR else _whole(workers[0], n)
            yield {"what": f"{place}: {name}", "round": number, "seconds": seconds}


def _whole(worker: Worker, n: int) -> float:
    """Let one process compute both shards."""
    return sum(completed(worker.run(job))["seconds"] for job in _shards(n))


def _halves(workers: Sequence[Worker], n: int) -> float:
    """Let two processes start together, a shard each; the later one ends the job."""
    answers = run_together(workers, _shards(n))
    return max(completed(answer)["seconds"] for answer in answers)


def _shards(n: int) -> list[dict[str, int]]:
    return [{"start": 0, "stop": n // 2}, {"start": n // 2, "stop": n}]


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep cores busy beside what is measured, a process of one thread each."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_threads`."""
    about = {
        "out": "file for the page, .md; the lines go beside it",
        "n": "pictures per extraction",
        "rounds": "times that each runs, in turns",
        "backbone": "network, with random weights",
        "size": "side of its input in pixels",
    }
    add_options(parser, speed_threads, about)
