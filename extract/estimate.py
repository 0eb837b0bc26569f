"""Estimate the time and disk space of an extraction before it starts."""

import time

from extract.job import Job
from features.errors import InputError

SAMPLE = 4  # timed batches, after one that warms up


def estimate(job: Job) -> str:
    """Estimate how many rows, bytes and hours remain, by timing a few real batches.

    Parameters
    ----------
    job : Job
        The job; nothing is written to its folder.

    Returns
    -------
    str
        Lines of text.

    Raises
    ------
    InputError
        The data set has no images.
    """
    if not len(job.dataset):
        raise InputError("There are no images. Give a --data folder that has some.")
    missing = job.missing()
    rows = sum(len(job.rows(k)) for k in missing)
    row_bytes = job.bytes_missing() / max(1, rows)
    rate = _images_per_second(job) if rows else 1.0
    layers = ", ".join(
        f"{name} {' x '.join(map(str, record['shape']))} {record['dtype']}"
        for name, record in job.manifest["layers"].items()
    )
    return (
        f"layers: {layers}\n"
        f"{len(job.dataset):,} images, {rows:,} of this part left in {len(missing)} shards\n"
        f"{row_bytes:,.0f} bytes per image, {job.bytes_missing() / 1e9:,.3f} GB to write\n"
        f"{rate:,.1f} images/s on this machine: {rows / rate / 3600:,.2f} hours"
    )


def _images_per_second(job: Job) -> float:
    extractor = job.extractor()
    paths = job.dataset.paths[: (SAMPLE + 1) * extractor.batch_size]
    batches = extractor.outputs(range(len(paths)), paths)
    next(batches)
    start, done = time.perf_counter(), 0
    for rows, *_ in batches:
        done += len(rows)
    if not done:  # fewer images than fill two batches: time the first one again
        start, done = time.perf_counter(), len(paths)
        list(extractor.outputs(range(len(paths)), paths))
    return done / (time.perf_counter() - start)
