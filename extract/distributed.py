"""Extraction on a Dask cluster: each shard is a task, so a lost worker costs one shard."""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from extract.config import ExtractConfig
from extract.extractor import Extractor
from extract.job import Job
from extract.plan import make_plan
from features.dask_client import connect
from features.manifest import Manifest, canonical, require_equal
from features.sources.base import Source

RETRIES = 3  # per shard whose task raises; a worker that dies does not count


def run(job: Job, address: str) -> None:
    """Compute a job's missing shards on a cluster, and check the finished ones here.

    Parameters
    ----------
    job : Job
        Every worker must reach its folder under the same path.
    address : str
        `tcp://HOST:PORT` of a scheduler, or `local:N`.

    Raises
    ------
    InputError
        Dask is not installed, the scheduler can't be reached, or as for `run.run`.
    """
    client = connect(address)
    source = replace(job.dataset, root=job.dataset.root.resolve()).source
    from distributed import as_completed

    with client, job.progress() as bar:
        rows = {k: job.to_compute(k) for k in job.numbers}
        todo = [k for k, some in rows.items() if some is None or len(some)]
        for number in sorted(set(job.numbers) - set(todo)):
            job.count_failures(number)
            bar.update(len(job.rows(number)))
        futures = {
            client.submit(
                _shard, job.config, job.manifest, source, job.out.resolve(), number,
                job.paths(number), rows[number], retries=RETRIES, pure=False,
            ): number
            for number in todo
        }  # fmt: skip
        for future in as_completed(futures, loop=client.loop):
            future.result()
            job.count_failures(futures[future])
            bar.update(len(job.rows(futures[future])))
    job.report_failures()


def _shard(
    config: ExtractConfig,
    manifest: Manifest,
    source: Source,
    out: Path,
    number: int,
    paths: list[str],
    retried,
) -> None:
    """Compute one shard on a worker, which keeps its network between tasks."""
    _extractor(config, canonical(manifest), source).write_shard(out, number, paths, retried=retried)


@lru_cache(maxsize=1)
def _extractor(config: ExtractConfig, text: str, source: Source) -> Extractor:
    manifest = json.loads(text)
    plan = make_plan(config)
    here = manifest | {"weights_sha256": plan.weights_sha256()}
    require_equal(manifest, here, "the cache")
    return Extractor(plan, manifest, source)
