"""Extraction as a whole: images in, a cache out, shard by shard.

A shard that exists is checked and kept, so starting again after a kill goes on where it
stopped. The rows of a batch depend on the row numbers alone: resuming, bad images and
retries change no bit of the others.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from extract.config import ExtractConfig, Plan, make_plan
from extract.engines import build_engine, choose_device
from extract.images import ImageFailure, load_image
from features import files, schema
from features.datasets import Dataset, file_sizes
from features.errors import InputError
from features.index import write_index
from features.labels import write_labels_csv
from features.manifest import Manifest, write_or_check
from features.schema import Status
from features.shards import ShardWriter, is_finished, open_shard
from features.verify import verify_shard
from features.view import write_view

CPU_BATCH, GPU_BATCH = 16, 256
AHEAD = 3  # batches that are decoded while one is computed
FLOAT16_MAX = float(np.finfo(np.float16).max)


def run(config: ExtractConfig, dataset: Dataset, out: Path) -> Path:
    """Extract features of every image into a cache folder.

    Parameters
    ----------
    config : ExtractConfig
        What to compute and how.
    dataset : Dataset
        The images, in row order.
    out : Path
        The cache's folder; made if absent, resumed if it holds the same extraction.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        Bad settings or weights, a cache of other settings, a damaged shard, a full disk, or
        more failed images than `config.max_failures`. Finished shards are kept.
    """
    sizes = file_sizes(dataset)
    plan = make_plan(config, dataset, sizes)
    _open_folder(out, plan.manifest, dataset, sizes)
    numbers = range(schema.shard_count(config.shard_rows, len(dataset)))
    try:
        _extract_shards(plan, dataset, out, numbers)
    finally:
        write_index(out, dataset, sizes, plan.manifest)
        write_view(out, plan.manifest)
    return out


def _open_folder(out: Path, manifest: Manifest, dataset: Dataset, sizes: np.ndarray) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        files.remove_temporaries(out)
        write_or_check(out, manifest)
        if dataset.labels is not None:
            write_labels_csv(out / schema.LABELS, dataset.ids, dataset.labels, dataset.label_names)
        if not (out / schema.INDEX).exists():
            write_index(out, dataset, sizes, manifest)
    except OSError as error:
        raise InputError(
            f"can't write the cache {out}: {error}; give an --out that can be written"
        ) from error


def _extract_shards(plan: Plan, dataset: Dataset, out: Path, numbers: Sequence[int]) -> None:
    """Compute what is missing among the shards `numbers`, and check the rest."""
    manifest = plan.manifest
    limit = plan.config.max_failures * len(dataset)
    todo = [k for k in numbers if not is_finished(out, k, manifest)]
    failures: Counter[str] = Counter()
    extractor: Extractor | None = None
    total = sum(len(schema.shard_rows(k, plan.config.shard_rows, len(dataset))) for k in numbers)
    with tqdm(total=total, unit="img", desc=plan.backbone.name) as bar:
        for number in numbers:
            if number not in todo:
                verify_shard(out, number, manifest)
            retried = _failed_rows(out, number) if number not in todo else None
            if retried is None or (plan.config.retry_failed and len(retried)):
                extractor = extractor or Extractor(plan, dataset)
                extractor.write_shard(out, number, retried, bar.update)
            else:
                bar.update(len(schema.shard_rows(number, plan.config.shard_rows, len(dataset))))
            failures.update(_failures(out, number))
            if failures.total() > limit:
                raise InputError(_too_many(failures, len(dataset), plan.config.max_failures))
    if failures:
        tqdm.write(
            f"{failures.total()} of {len(dataset)} rows failed: {_listed(failures)}; "
            f"see {schema.INDEX}"
        )


def _failed_rows(out: Path, number: int) -> np.ndarray:
    with open_shard(schema.shard_path(out, number)) as file:
        return file[schema.ROW][:][file[schema.STATUS][:] != Status.OK]


def _failures(out: Path, number: int) -> Counter[str]:
    with open_shard(schema.shard_path(out, number)) as file:
        status = file[schema.STATUS][:]
    return Counter(Status(code).name.lower() for code in status if code != Status.OK)


def _listed(failures: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(failures.items()))


def _too_many(failures: Counter[str], rows: int, share: float) -> str:
    return (
        f"{failures.total()} of {rows} rows failed ({_listed(failures)}), more than "
        f"--max-failures {share} allows; finished shards are kept, {schema.INDEX} names each "
        "file: mend them and run with --retry-failed, or allow more"
    )


class Extractor:
    """A network and a pool of decoding threads that turn rows into layers.

    Parameters
    ----------
    plan : Plan
        What to compute.
    dataset : Dataset
        Where the images are.
    """

    def __init__(self, plan: Plan, dataset: Dataset):
        device = choose_device(plan.config.device)
        default = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._plan = plan
        self._dataset = dataset
        self._batch = plan.config.batch_size or default
        self._names = list(plan.manifest["layer_order"])
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
        retried: np.ndarray | None,
        advance: Callable[[int], object],
    ) -> None:
        """Compute one shard, or only some rows of a finished one, and write it.

        Parameters
        ----------
        out : Path
            The cache's folder.
        number : int
            Which shard.
        retried : ndarray of int64 or None
            Rows to replace; None computes all.
        advance : callable
            Told the number of rows done after each batch.
        """
        plan = self._plan
        with ShardWriter(out, number, plan.manifest, amend=retried is not None) as writer:
            for rows, pixels, outcomes in self._decoded(writer.rows, retried):
                arrays = dict(zip(self._names, self._engine(pixels), strict=True))
                for run in _runs(rows, retried):
                    at = [row - rows[0] for row in run]
                    chosen = {name: array[at] for name, array in arrays.items()}
                    _write(writer, run, chosen, [outcomes[i] for i in at], plan.manifest)
                advance(len(rows))

    def _decoded(
        self, rows: range, retried: np.ndarray | None
    ) -> Iterator[tuple[range, Tensor, list[str | ImageFailure]]]:
        """Yield (rows, uint8 pixels, digest or failure a row), decoding ahead of the caller."""
        batches = [rows[i : i + self._batch] for i in range(0, len(rows), self._batch)]
        wanted = None if retried is None else set(retried.tolist())
        with ThreadPoolExecutor(self._plan.config.workers) as pool:
            waiting: deque[tuple[range, list[Future]]] = deque()
            for batch in batches:
                futures = [
                    pool.submit(self._load, row, wanted is None or row in wanted) for row in batch
                ]
                waiting.append((batch, futures))
                if len(waiting) > AHEAD:
                    yield self._collect(*waiting.popleft())
            while waiting:
                yield self._collect(*waiting.popleft())

    def _load(self, row: int, wanted: bool) -> tuple[Tensor | None, str | ImageFailure]:
        if not wanted:
            return None, ""
        path = self._dataset.root / self._dataset.paths[row]
        try:
            return load_image(path, self._plan.transform)
        except ImageFailure as failure:
            return None, failure

    def _collect(
        self, rows: range, futures: list[Future]
    ) -> tuple[range, Tensor, list[str | ImageFailure]]:
        """Fill a batch of fixed size; rows without pixels stay black."""
        side = self._plan.transform.size
        pixels = torch.zeros((self._batch, 3, side, side), dtype=torch.uint8).contiguous(
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
    """Consecutive rows to write: the whole batch, or each retried row."""
    if retried is None:
        return [rows]
    return [range(row, row + 1) for row in retried.tolist() if row in rows]


def _write(
    writer: ShardWriter,
    rows: range,
    arrays: dict[str, np.ndarray],
    outcomes: Sequence[str | ImageFailure],
    manifest: Manifest,
) -> None:
    """Write rows with their status; features of failed rows become NaN."""
    status = np.full(len(rows), Status.OK, dtype=np.uint8)
    messages, digests = [""] * len(rows), [""] * len(rows)
    for i, outcome in enumerate(outcomes):
        if isinstance(outcome, ImageFailure):
            status[i], messages[i] = outcome.status, outcome.message
            digests[i] = outcome.digest
        else:
            digests[i] = outcome
    for name, array in arrays.items():
        limit = FLOAT16_MAX if manifest["layers"][name]["dtype"] == "float16" else np.inf
        with np.errstate(invalid="ignore"):
            fits = (np.abs(array) <= limit) & np.isfinite(array)
        over = ~fits.reshape(len(rows), -1).all(axis=1) & (status == Status.OK)
        for i in np.flatnonzero(over).tolist():
            status[i] = Status.OVERFLOW
            messages[i] = f"{name} is not finite in {manifest['layers'][name]['dtype']}"
    for array in arrays.values():
        array[status != Status.OK] = np.nan
    writer.write(rows, arrays, status, messages, digests)
