"""One fit to a cache that is larger than the memory of its process: prints a JSON line.

Mapped files, which the system drops when it needs their memory, don't count to the limit. The
features leave the system's memory before the work begins, so that it reads them from the disk.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from classify.inputs import blocks
from classify.sweep import sweep
from classify.training import fit
from classify.warp.tagger import WarpTagger
from features.cache import FeatureCache
from features.rows import CacheRows

EPOCHS = 3  # of the descent


class Counted:
    """Counts the rows that are read from caches, from now on."""

    def __init__(self) -> None:
        self.rows, take = 0, CacheRows.take

        def counting(rows: CacheRows, where, *args: Any, **options: Any) -> np.ndarray:
            self.rows += len(np.atleast_1d(where))
            return take(rows, where, *args, **options)

        CacheRows.take = counting  # type: ignore[method-assign, assignment]


def read(folder: Path, C: float) -> Callable[[], dict[str, Any]]:
    """Read all rows once: the disk's rate."""
    for _ in blocks(CacheRows(FeatureCache(folder))):
        pass
    return dict


def fit_l2(folder: Path, C: float) -> Callable[[], dict[str, Any]]:
    """Fit L2 logistic regression to a gap of 1e-4 by the command's function."""
    with tempfile.TemporaryDirectory() as place:
        model = fit(folder, Path(place) / "m.safetensors", learner="l2", C=C, from_disk=True)
    estimator = model.members[0].estimator
    return lambda: _judged(folder, C, estimator.coef_, estimator.intercept_)


def sweep_l2(folder: Path, C: float) -> Callable[[], dict[str, Any]]:
    """Fit a path of three C on 2/3 of the rows, and evaluate it on the others."""
    with tempfile.TemporaryDirectory() as place:
        out = sweep(
            folder, Path(place) / "s.jsonl", learner=["l2"], C=[C / 10, C, 10 * C], splits=1,
            select="none", jobs=1, from_disk=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in out.read_text().splitlines()][1:]
    return lambda: {"gap": max(line["relative_gap"] for line in lines if "relative_gap" in line)}


def fit_rmlc(folder: Path, C: float) -> Callable[[], dict[str, Any]]:
    """Descend on ramp-loss WARP, a batch of random rows at a time."""
    cache = FeatureCache(folder)
    tagger = WarpTagger("ramp", epochs=EPOCHS, weight_decay=1 / (C * len(cache)), random_state=0)
    tagger.fit(CacheRows(cache), cache.labels)
    first, *_, before, last = tagger.loss_curve_
    return lambda: {"first": first, "last_change": abs(last / before - 1)}


STEPS: dict[str, Callable[[Path, float], Callable[[], dict[str, Any]]]] = {
    "read": read,
    "fit l2": fit_l2,
    "sweep l2": sweep_l2,
    "fit rmlc": fit_rmlc,
}


def _judged(folder: Path, C: float, coef: np.ndarray, intercept: np.ndarray) -> dict[str, float]:
    """Compute the worst label's relative gap anew, in float64, by Fenchel's dual."""
    cache = FeatureCache(folder)
    assert cache.labels is not None
    signs, start = np.where(cache.labels == 1, 1.0, -1.0), 0
    loss, entropy, total = np.zeros((3, len(coef)))
    pull = np.zeros(coef.shape)
    for block in blocks(CacheRows(cache)):
        y = signs[start : start + len(block)]
        margins = y * (block.astype(np.float64) @ coef.T + intercept)
        share = expit(-margins)  # the dual variable of each cell
        loss += np.logaddexp(0, -margins).sum(axis=0)
        entropy += (share * margins + np.logaddexp(0, -margins)).sum(axis=0)
        pull += (y * share).T @ block
        total += (y * share).sum(axis=0)
        start += len(block)
    value = (coef**2).sum(axis=1) / 2 + intercept**2 / 2 + C * loss
    dual = C * entropy - C**2 * ((pull**2).sum(axis=1) + total**2) / 2
    return {"gap": float(((value - dual) / value).max()), "objective": float(value.sum())}


def forget(folder: Path) -> None:
    """Ask the system to drop a cache's files from its memory."""
    for path in folder.glob("**/*.h5"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(step: str, folder: str, C: str, limit_mb: str) -> None:
    """Run a step and print what it took and gave."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit_mb) << 20,) * 2)
    forget(Path(folder))
    counted = Counted()
    begun, cpu = time.perf_counter(), time.process_time()
    judge = STEPS[step](Path(folder), float(C))
    line = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    rows = counted.rows
    print(json.dumps({**line, "passes": rows / len(FeatureCache(Path(folder))), **judge()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
