"""What an extraction would take, before it starts."""

import time

from extract.job import Job
from features.errors import InputError

SAMPLE = 4  # batches that are timed, after one that is not


def estimate(job: Job) -> str:
    """Say how many rows, bytes and hours a job has before it, by timing a few real batches.

    Parameters
    ----------
    job : Job
        Nothing is written to its folder.

    Returns
    -------
    str
        Lines of text.

    Raises
    ------
    InputError
        There are no images to time.
    """
    if not len(job.dataset):
        raise InputError("there are no images; give a --data folder that has some")
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
        f"{len(job.dataset):,} images, {rows:,} of this part still to do in {len(missing)} shards\n"
        f"{row_bytes:,.0f} bytes an image, {job.bytes_missing() / 1e9:,.3f} GB to write\n"
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
    if not done:  # fewer images than a batch: time the only one again
        start, done = time.perf_counter(), len(paths)
        list(extractor.outputs(range(len(paths)), paths))
    return done / (time.perf_counter() - start)
