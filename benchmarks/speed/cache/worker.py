"""One step on a cache in a process of its own: prints its seconds and the process's peak memory.

Run as a file, with the checkout to measure as PYTHONPATH: it calls only what several versions have.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from classify.storage.provenance import hash_labels_as_text
from extract.append import place
from features import schema
from features.cache import FeatureCache
from features.commands.info import describe_cache
from features.commands.verify import find_faults
from features.datasets import Dataset
from features.index import index_hash, read_index, rewrite_index
from features.manifest import read_manifest, require_new_or_cache, write_or_check
from features.shards import finished_shards, is_finished
from features.view import view_fault

SOME, LABELS = 1000, 20


def first_open(folder: Path) -> Any:
    """Open a cache that no reader has opened yet, and read a row of its index."""
    (folder / "index.marks").unlink(missing_ok=True)
    return open_cache(folder)


def open_cache(folder: Path) -> Any:
    """Open a cache and read a row of its index."""
    cache = FeatureCache(folder)
    return cache.index[len(cache) // 2].id


def read_rows(folder: Path) -> Any:
    """Open a cache and read the features and index rows of some images."""
    cache = FeatureCache(folder)
    rows = np.random.default_rng(0).integers(len(cache) // 997, size=SOME) * 997
    return cache.read(None, rows).sum(), [cache.index[row].id for row in rows.tolist()]


def verify(folder: Path) -> Any:
    """Check every byte."""
    with redirect_stderr(StringIO()):
        faults = list(find_faults(folder))
    assert not faults, faults
    return faults


def start(folder: Path) -> Any:
    """Do what a resumed extraction does before it computes, from names and sizes of files on."""
    manifest = read_manifest(folder)
    ids = tuple(f"{row // 1000:05}/{row:08}.jpg" for row in range(manifest["index"]["rows"]))
    dataset = Dataset(Path("."), ids, tuple(f"images/{one}" for one in ids))
    sizes = np.random.default_rng(0).integers(10_000, 200_000, size=len(ids))
    index = {"rows": len(ids), "sha256": index_hash(dataset, sizes)}
    placed = place(folder, dataset, sizes, {**manifest, "index": index}, append=False)
    require_new_or_cache(folder)
    write_or_check(folder, placed.manifest)
    count = schema.shard_count(manifest["shard_rows"], len(ids))
    missing = [k for k in range(count) if not is_finished(folder, k, manifest)]
    assert not missing and len(finished_shards(folder, manifest)) == count
    return placed.new


def rewrite(folder: Path) -> Any:
    """Write `index.csv` anew from itself and the shards, as merge does at its end."""
    manifest = read_manifest(folder)
    rewrite_index(folder, read_index(folder), manifest)
    assert not view_fault(folder, manifest)


def hash_text(folder: Path) -> Any:
    """Hash the labels of all rows as sweeps of version 0.1 did."""
    rows = read_manifest(folder)["index"]["rows"]
    Y = np.random.default_rng(0).integers(-1, 2, size=(rows, LABELS), dtype=np.int8)
    return hash_labels_as_text([f"label{k}" for k in range(LABELS)], Y)


STEPS: dict[str, Callable[[Path], Any]] = {
    "first open": first_open,
    "open": open_cache,
    "1,000 random rows": read_rows,
    "info": describe_cache,
    "verify": verify,
    "start of extraction": start,
    "index.csv anew": rewrite,
    "hash of labels": hash_text,
}


def main(step: str, folder: str) -> None:
    """Run a step and print a JSON line."""
    begun = time.perf_counter()
    STEPS[step](Path(folder))
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "peak_mb": peak_kb() / 1024}))


def peak_kb() -> int:
    """Give this process's largest resident memory; `ru_maxrss` counts its parent's, too."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
