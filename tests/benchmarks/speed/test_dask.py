"""Separate Dask processes, one killed and one slow, give the bytes of one process; the page."""

import pytest

from benchmarks.speed.dask import report
from benchmarks.speed.dask.cluster import separate_cluster
from benchmarks.speed.dask.run import SWEPT, contents, disturbed
from benchmarks.speed.sweep.scaling import write_cache
from classify.sweep import sweep

pytest.importorskip("distributed", reason="the extra `dask` is not installed")


@pytest.mark.slow
def test_separate_processes_give_the_lines_of_one(tmp_path):
    cache = tmp_path / "made-up.cache"
    write_cache(cache, 120, 20, 3, shard_rows=64)
    alone = sweep(cache, tmp_path / "alone.jsonl", jobs=1, **SWEPT)
    with separate_cluster(3) as cluster:
        found, killed = disturbed(
            cluster, tmp_path / "dask.jsonl", lambda a, to: sweep(cache, to, dask=a, **SWEPT)
        )
    assert killed
    assert contents(found) == contents(alone)


def test_the_page_says_what_differs():
    work = {"part": "dask", "round": 0, "seconds": 2.0, "alone_seconds": 1.0, "killed": True}
    lines = [
        {**work, "what": report.EXTRACTION, "same": True},
        {**work, "what": report.SWEEP, "same": False},
        {"what": f"{report.SWEEP}, no work", "seconds": 1.0},
        {"what": f"{report.EXTRACTION}, no work", "seconds": 20.0},
    ]
    header = {"machine": "m", "workers": 3, "images": 8, "tasks": 100}
    text = report.page(header, lines)
    assert "10.0 ms each (sweep)" in text and "200.0 ms each (extraction)" in text
    assert text.count("does not hold") == 2  # the sweep's bytes, and the cost of the extraction
