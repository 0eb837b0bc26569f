"""One solver of ``speed sweep`` in a process of its own: JSON lines in, JSON lines out.

The first line names the solver and its data; it is answered when both are ready. A turn takes two
lines, what to fit and then `go`, so that several processes start together. The answer holds the
time of one line of code; the weights go to a file, for others to judge.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.sweep.peers import Fit, Peer, find_peer


def serve(given: dict[str, Any], lines: Iterator[str]) -> None:
    """Warm up, then take turns until the lines end.

    Parameters
    ----------
    given : dict
        `solver`; `penalties`; `folder` with X.npy and Y.npy, or with a cache to be read under
        `limit_mb`, the memory that this process may allocate.
    lines : iterator of str
        Turns: `penalty`, `Cs`, `level`, `labels` (columns of Y), `rows` (a list, or how many from
        the first on; None for all), `columns` (how many, or None) and `weights`, the file to write.
    """
    try:
        if given["limit_mb"]:
            _limit_memory(given["limit_mb"])
        peer = find_peer(given["solver"])
        _warm_up(peer, given["penalties"])
        X, Y = (_data_of_cache if given["limit_mb"] else _data)(Path(given["folder"]))
    except Exception as error:  # whatever keeps a peer from running makes it absent, by name
        _answer({"absent": _one_line(error)})
        return
    _answer({"ready": True})
    data, fit = None, None
    for line in lines:
        turn = json.loads(line)
        wanted = [turn[name] for name in ("penalty", "rows", "columns")]
        if wanted != data or fit is None:
            fit = None  # lets the old data go before the new come
            data, fit = wanted, _build(peer, X, turn)
        labels = _rows(Y, turn["rows"])[:, turn["labels"]]
        _answer({"prepared": True})
        next(lines)
        _answer(_timed(fit, labels, turn))


def _timed(fit: Fit, labels: np.ndarray, turn: dict[str, Any]) -> dict[str, Any]:
    try:
        begun = time.perf_counter()
        weights = fit(labels, turn["Cs"], turn["level"])
        seconds = time.perf_counter() - begun
    except Exception as error:  # a setting that a peer can't do is not the end of the race
        return {"failed": _one_line(error)}
    np.save(turn["weights"], np.array(weights))
    return {"seconds": seconds, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Largest resident memory of this program; what getrusage says may be the parent's."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


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


def _build(peer: Peer, X: np.ndarray, turn: dict[str, Any]) -> Fit:
    features = _rows(X, turn["rows"])
    if turn["columns"] is not None:
        features = np.ascontiguousarray(features[:, : turn["columns"]])
    return peer.build(features, turn["penalty"])


def _rows(array: np.ndarray, rows: list[int] | int | None) -> np.ndarray:
    return array[rows] if isinstance(rows, list) else array[:rows]


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]


def _answer(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(json.loads(sys.stdin.readline()), iter(sys.stdin.readline, ""))
