"""One solver of ``speed sweep`` in a process of its own (see `benchmarks.speed.workers`).

Weights go to a file, so that the comparing program computes the objective from them.
"""

import resource
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.sweep.peers import Fit, Peer, find_peer
from benchmarks.speed.workers import Job, Prepare, serve


def make_fits(given: dict[str, Any]) -> tuple[Prepare, dict[str, Any]]:
    """Load the data, warm up, and give what prepares a fit.

    Parameters
    ----------
    given : dict
        `solver`; `penalties`; `folder` with X.npy and Y.npy, or with a cache to be read under
        `limit_mb`, the memory that this process may allocate.

    Returns
    -------
    prepare : callable
        From a job: `penalty`, `Cs`, `level`, `labels` (columns of Y), `rows` (a list, or how many
        from the first on; None for all), `columns` (how many, or None) and `weights`, the file to
        write.
    info : dict
        Empty.
    """
    if given["limit_mb"]:
        _limit_memory(given["limit_mb"])
    peer = find_peer(given["solver"])
    _warm_up(peer, given["penalties"])
    X, Y = (_data_of_cache if given["limit_mb"] else _data)(Path(given["folder"]))
    built: dict[str, Any] = {}

    def prepare(job: dict[str, Any]) -> Job:
        data = [job[name] for name in ("penalty", "rows", "columns")]
        if built.get("data") != data:
            built.clear()  # lets the old data go before the new come
            built.update(fit=_build(peer, X, job), data=data)
        labels = _rows(Y, job["rows"])[:, job["labels"]]

        def keep(weights: Any) -> dict[str, Any]:
            np.save(job["weights"], np.array(weights))
            return {}

        return Job(lambda: built["fit"](labels, job["Cs"], job["level"]), keep)

    return prepare, {}


def _limit_memory(megabytes: int) -> None:
    """Limit what this process may allocate; pages of a mapped file are not part of it."""
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20,) * 2)


def _warm_up(peer: Peer, penalties: list[str]) -> None:
    """Fit something tiny, so that what is compiled on first use is compiled."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 4)).astype(np.float32)
    Y = (X[:, :2] + rng.normal(size=(24, 2)) > 0).astype(np.int8)
    for penalty in penalties:
        if penalty in peer.levels:
            peer.build(X, penalty)(Y, [1.0], None)


def _data(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / "X.npy"), np.load(folder / "Y.npy")


def _data_of_cache(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Copy a cache block by block to one file, and map that: it may be larger than memory."""
    from features.cache import FeatureCache

    cache = FeatureCache(folder)
    assert cache.labels is not None
    path = folder / "X.npy"
    shape = (len(cache.valid_rows), sum(cache.layers.values()))
    copy = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    start = 0
    for rows, block in cache.blocks():
        copy[start : start + len(rows)] = block
        start += len(rows)
    return np.load(path, mmap_mode="r"), cache.labels[cache.valid_rows]


def _build(peer: Peer, X: np.ndarray, job: dict[str, Any]) -> Fit:
    features = _rows(X, job["rows"])
    if job["columns"] is not None:
        features = np.ascontiguousarray(features[:, : job["columns"]])
    return peer.build(features, job["penalty"])


def _rows(array: np.ndarray, rows: list[int] | int | None) -> np.ndarray:
    return array[rows] if isinstance(rows, list) else array[:rows]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(make_fits)
