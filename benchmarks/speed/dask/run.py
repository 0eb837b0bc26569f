"""A sweep and an extraction on separate processes, one killed and one slow; tasks without work."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.dask.cluster import Cluster, separate_cluster
from benchmarks.speed.dask.report import EXTRACTION, SWEEP, page
from benchmarks.speed.record import Record
from benchmarks.synthetic.images import render_dataset
from classify.parallel import Trial, run_grid
from classify.results import ResultFile
from classify.sweep import sweep
from extract import distributed as extraction
from extract.config import ExtractConfig
from extract.run import run
from features.command_line import add_options
from features.dask_client import connect
from features.datasets import Dataset, load_dataset
from features.errors import check_number

WORKERS = 3
SHARD_ROWS = 8
SWEPT: dict[str, Any] = {"learner": ["l1", "l2"], "C": [0.1, 1.0], "splits": 6, "folds": 2}


def speed_dask(out: Path | None = None, *, n: int = 160, tasks: int = 200) -> str:
    """Compare bytes with those of one process, and measure what a task costs beside its work.

    Parameters
    ----------
    out : Path, optional
        The page, ``.md``; result lines go beside it.
    n : int
        Synthetic pictures.
    tasks : int
        Without work.

    Returns
    -------
    str
        The page, which is also printed.
    """
    for name, value in (("n", n), ("tasks", tasks)):
        check_number(name, value, whole=True, low=16)
    record = Record("speed-dask", page, out, {"images": n, "tasks": tasks, "workers": WORKERS})
    with tempfile.TemporaryDirectory() as folder:
        data = load_dataset(render_dataset(Path(folder) / "pictures", n=n, seed=0))
        record.add("dask", _same_bytes(data, Path(folder)))
        with separate_cluster(1) as cluster:
            record.add("dask", _overheads(data, Path(folder), cluster.address, tasks))
    return record.finish()


def small_network() -> ExtractConfig:
    """Give the settings of a quick extraction: random weights, 64 pixels."""
    return ExtractConfig(
        backbone="resnet18", weights="random:0", size=64, shard_rows=SHARD_ROWS, threads=1,
        device="cpu",
    )  # fmt: skip


def _same_bytes(data: Dataset, folder: Path) -> Iterator[dict[str, Any]]:
    """Extract and sweep in one process and on the cluster."""
    config = small_network()
    begun = time.perf_counter()
    alone = run(config, data, folder / "alone.cache")
    seconds = {EXTRACTION: time.perf_counter() - begun}
    begun = time.perf_counter()
    lines = sweep(alone, folder / "alone.jsonl", jobs=1, **SWEPT)
    seconds[SWEEP] = time.perf_counter() - begun
    works: dict[str, tuple[Path, Path, Callable[[str, Path], Path]]] = {
        EXTRACTION: (alone, folder / "dask.cache", lambda a, to: run(config, data, to, dask=a)),
        SWEEP: (lines, folder / "dask.jsonl", lambda a, to: sweep(alone, to, dask=a, **SWEPT)),
    }
    for name, (expected, out, work) in works.items():
        with separate_cluster(WORKERS) as cluster:
            begun = time.perf_counter()
            found, lost = disturbed(cluster, out, work)
            yield {
                "what": name,
                "seconds": time.perf_counter() - begun,
                "alone_seconds": seconds[name],
                "killed": lost,
                "same": contents(found) == contents(expected),
            }


def disturbed(cluster: Cluster, out: Path, work: Callable[[str, Path], Path]) -> tuple[Path, bool]:
    """Run work while a worker is killed after the first result, and another one is slow.

    Returns
    -------
    out : Path
        What `work` gave.
    killed : bool
        Whether the worker was lost before the end.
    """
    killer = cluster.kill_when(out, 1)
    with cluster.slow():
        found = work(cluster.address, out)
    lost = cluster.workers[0].poll() is not None
    cluster.workers[0].kill()
    killer.join()
    return found, lost


def contents(path: Path) -> dict[str, bytes]:
    """Read the results: a file of lines, or a cache's shards, index and labels."""
    if path.is_file():
        return {"lines": path.read_bytes()}
    files = (one for one in path.rglob("*") if one.suffix in (".h5", ".csv", ".json"))
    return {str(one.relative_to(path)): one.read_bytes() for one in sorted(files)}


def _overheads(data: Dataset, folder: Path, address: str, tasks: int) -> Iterator[dict[str, Any]]:
    """Time tasks without work on one worker, given what real ones are given."""
    cache = folder / "alone.cache"
    trials: list[Trial] = [{"trial": k} for k in range(tasks + 1)]
    with (
        connect(address) as client,
        ResultFile(folder / "n.jsonl", key=("trial",), header={}) as to,
    ):
        shared = ({"C": [1.0]}, _features(cache))
        run_grid(_nothing, trials[:1], to, shared=shared, client=client)
        begun = time.perf_counter()
        run_grid(_nothing, trials, to, shared=shared, client=client)
        yield {"what": f"{SWEEP}, no work", "seconds": time.perf_counter() - begun}
    job = extraction.Job(small_network(), data, cache)
    paths = job.paths(0)
    with connect(address) as client:
        from distributed import as_completed

        given = (job.config, job.manifest, data.source, cache, 0, paths, None)
        client.submit(_nothing, *given, pure=False).result()
        begun = time.perf_counter()
        futures = [client.submit(_nothing, *given, pure=False) for _ in range(tasks)]
        for future in as_completed(futures, loop=client.loop):
            future.result()
        yield {"what": f"{EXTRACTION}, no work", "seconds": time.perf_counter() - begun}


def _features(cache: Path) -> Any:
    from features.cache import FeatureCache

    return FeatureCache(cache).read()


def _nothing(*given: Any) -> dict[str, Any]:
    return {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_dask`."""
    about = {
        "out": "file for the page, .md; the lines go beside it",
        "n": "pictures",
        "tasks": "tasks without work",
    }
    add_options(parser, speed_dask, about)
