"""Compute one shard: decode ahead, run the network, write.

The rows of a batch depend on the row numbers alone and its size never changes, so that resuming,
bad images and retries change no bit of the other rows.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from extract.engines import build_engine, choose_device
from extract.images import ImageFailure, LoadedImage, read_image
from extract.plan import Plan
from features.command_line.cores import usable_cores
from features.manifest import Manifest
from features.schema import WITH_FEATURES, Status
from features.shard_writer import ShardWriter
from features.sources.base import Source

CPU_BATCH, GPU_BATCH = 16, 256
AHEAD = 3  # batches that are decoded while one is computed
MAX_WORKERS = 16  # decoding threads by default
FLOAT16_MAX = float(np.finfo(np.float16).max)


class Outcome(NamedTuple):
    """What became of a row: its status, a line about it, and the hex SHA-256 of its file."""

    status: Status
    message: str = ""
    digest: str = ""


class Extractor:
    """A network and a pool of decoding threads that turn rows into layers.

    Parameters
    ----------
    plan : Plan
        The network and the settings.
    manifest : dict
        The cache's manifest.
    source : Source
        Where the images are.
    """

    def __init__(self, plan: Plan, manifest: Manifest, source: Source):
        device = choose_device(plan.config.device)
        default = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._plan = plan
        self._manifest = manifest
        self._source = source
        self.batch_size = plan.config.batch_size or default
        threads = plan.config.threads or min(torch.get_num_threads(), usable_cores(os.environ))
        torch.set_num_threads(threads)
        self._workers = plan.config.workers or min(MAX_WORKERS, threads)
        self._names = list(manifest["layer_order"])
        self._engine = build_engine(
            plan.network(),
            engine=plan.config.engine,
            device=device,
            precision=plan.config.precision,
        )

    def write_shard(
        self,
        out: Path,
        number: int,
        paths: Sequence[str],
        *,
        retried: np.ndarray | None = None,
        advance: Callable[[int], object] = lambda rows: None,
    ) -> None:
        """Compute one shard, or only some rows of a finished one, and write it.

        Parameters
        ----------
        out : Path
            The cache's folder.
        number : int
            Number of the shard.
        paths : sequence of str
            The shard's images, as the source names them, in row order.
        retried : ndarray of int64, optional
            Rows to replace or to add; by default all.
        advance : callable, optional
            Called after each batch with its number of rows.
        """
        manifest = self._manifest
        with ShardWriter(out, number, manifest, amend=retried is not None) as writer:
            for rows, arrays, outcomes in self.outputs(writer.rows, paths, retried):
                for run in _runs(rows, retried):
                    at = [row - rows[0] for row in run]
                    chosen = {name: array[at] for name, array in arrays.items()}
                    _write(writer, run, chosen, [outcomes[i] for i in at], manifest)
                advance(len(rows))

    def outputs(
        self, rows: range, paths: Sequence[str], retried: np.ndarray | None = None
    ) -> Iterator[tuple[range, dict[str, np.ndarray], list[Outcome]]]:
        """Compute layers batch by batch.

        Parameters
        ----------
        rows : range
            Row numbers of the images.
        paths : sequence of str
            The images, as the source names them.
        retried : ndarray of int64, optional
            Rows to decode; the others are black, and batches without any are left out.

        Yields
        ------
        rows : range
            Rows of the batch.
        arrays : dict of str to ndarray of float32, each (batch size, ...)
            Every layer.
        outcomes : list of Outcome
            One per row.
        """
        for batch, pixels, outcomes in self._decoded(rows, paths, retried):
            yield batch, dict(zip(self._names, self._engine(pixels), strict=True)), outcomes

    def _decoded(
        self, rows: range, paths: Sequence[str], retried: np.ndarray | None
    ) -> Iterator[tuple[range, Tensor, list[Outcome]]]:
        """Yield (rows, uint8 pixels, outcome per row), decoding ahead of the caller."""
        batches = [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        wanted = None if retried is None else set(retried.tolist())
        if wanted is not None:
            batches = [batch for batch in batches if not wanted.isdisjoint(batch)]
        with ThreadPoolExecutor(self._workers) as pool:
            waiting: deque[tuple[range, list[Future]]] = deque()
            for batch in batches:
                futures = [
                    pool.submit(
                        self._load, paths[row - rows.start], wanted is None or row in wanted
                    )
                    for row in batch
                ]
                waiting.append((batch, futures))
                if len(waiting) > AHEAD:
                    yield self._collect(*waiting.popleft())
            while waiting:
                yield self._collect(*waiting.popleft())

    def _load(self, path: str, wanted: bool) -> tuple[Tensor | None, Outcome]:
        if not wanted:
            return None, Outcome(Status.PENDING)
        try:
            loaded: LoadedImage = read_image(path, self._plan.transform, self._source)
        except ImageFailure as failure:
            return None, Outcome(failure.status, failure.message, failure.digest)
        return loaded.pixels, Outcome(loaded.status, loaded.message, loaded.digest)

    def _collect(self, rows: range, futures: list[Future]) -> tuple[range, Tensor, list[Outcome]]:
        """Fill a batch of fixed size; rows without pixels stay black."""
        side = self._plan.transform.size
        pixels = torch.zeros((self.batch_size, 3, side, side), dtype=torch.uint8).contiguous(
            memory_format=torch.channels_last
        )
        outcomes = []
        for i, future in enumerate(futures):
            image, outcome = future.result()
            if image is not None:
                pixels[i] = image
            outcomes.append(outcome)
        return rows, pixels, outcomes


def _runs(rows: range, retried: np.ndarray | None) -> list[range]:
    """List runs of consecutive rows to write: the whole batch, or each retried row."""
    if retried is None:
        return [rows]
    return [range(row, row + 1) for row in retried.tolist() if row in rows]


def _write(
    writer: ShardWriter,
    rows: range,
    arrays: dict[str, np.ndarray],
    outcomes: Sequence[Outcome],
    manifest: Manifest,
) -> None:
    """Write rows with their status; features of failed rows become NaN."""
    status = np.array([outcome.status for outcome in outcomes], dtype=np.uint8)
    messages = [outcome.message for outcome in outcomes]
    digests = [outcome.digest for outcome in outcomes]
    for name, array in arrays.items():
        limit = FLOAT16_MAX if manifest["layers"][name]["dtype"] == "float16" else np.inf
        with np.errstate(invalid="ignore"):
            fits = (np.abs(array) <= limit) & np.isfinite(array)
        over = ~fits.reshape(len(rows), -1).all(axis=1) & np.isin(status, WITH_FEATURES)
        for i in np.flatnonzero(over).tolist():
            status[i] = Status.OVERFLOW
            messages[i] = f"{name} is not finite in {manifest['layers'][name]['dtype']}"
    for array in arrays.values():
        array[~np.isin(status, WITH_FEATURES)] = np.nan
    writer.write(rows, arrays, status, messages, digests)
