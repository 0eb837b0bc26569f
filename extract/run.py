"""Run an extraction: images in, a cache out, shard by shard.

A shard that exists is checked and kept. An extraction therefore resumes after a kill, and any
number of processes may work on disjoint shards of one folder.
"""

from pathlib import Path

from extract.config import ExtractConfig
from extract.job import Job
from features.datasets import Dataset
from features.files.ranges import locked_numbers
from features.schema import MANIFEST


def run(config: ExtractConfig, dataset: Dataset, out: Path, *, dask: str | None = None) -> Path:
    """Extract features of every image into a cache folder.

    Parameters
    ----------
    config : ExtractConfig
        The network and the settings.
    dataset : Dataset
        The images, in row order.
    out : Path
        The cache's folder. It is made if absent; the same extraction in it is resumed.
    dask : str, optional
        Address of a Dask scheduler whose workers compute the shards, or `local:N` for N
        processes on this machine.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        Bad settings or weights, a cache of other settings, a damaged shard, a full disk, another
        run that makes the same shards, labels that were corrected in the cache, or more failed
        images than `config.max_failures`. Finished shards are kept.
    """
    job = Job(config, dataset, out)
    job.open_folder()
    with locked_numbers(out / MANIFEST, job.numbers):
        try:
            if dask is None:
                job.run_here()
            else:
                from extract import distributed  # Dask is an extra

                distributed.run(job, dask)
        finally:
            job.publish()
    return out
