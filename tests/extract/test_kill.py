"""Stops and kills of an extraction: every file opens, and resuming ends in the same bytes."""

import itertools
import os
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from extract.config import ExtractConfig
from extract.run import run
from features.commands.verify import verify_shard
from features.datasets import load_dataset
from features.files import TEMPORARY
from features.manifest import read_manifest
from features.shards import finished_shards
from tests import children
from tests.children import die_before_rename
from tests.extract.test_run import contents, make_images

N = 12
SHARD_ROWS = 6
# A real network, for kills at moments that no rename names.
RESNET = ExtractConfig(
    backbone="resnet18", weights="random:0", size=32, batch_size=2, shard_rows=3, workers=2
)


def start(data, out, config, kill_at=None):
    return children.start(run, config, load_dataset(data), out, kill_at=kill_at)


@pytest.fixture(scope="module")
def config(tiny_backbone):
    return ExtractConfig(
        backbone=tiny_backbone,
        weights="random:0",
        layers=("conv2", "gap", "map"),
        batch_size=2,
        shard_rows=SHARD_ROWS,
        workers=2,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data"), n=N)


@pytest.fixture(scope="module")
def whole(config, data, tmp_path_factory):
    """The files of a run that was never stopped."""
    return contents(run(config, load_dataset(data), tmp_path_factory.mktemp("out") / "whole"))


def assert_every_file_opens(out):
    if not (out / "manifest.json").exists():
        return
    manifest = read_manifest(out)
    for number in finished_shards(out, manifest):
        verify_shard(out, number, manifest, finite=True)
    if (out / "features.h5").exists():
        with h5py.File(out / "features.h5") as view:
            assert view[manifest["layer_order"][0]].shape[0] == N


@pytest.fixture
def unsynced(monkeypatch):
    """Leave files in the page cache: these tests stop a process and not the machine."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class Stopped(BaseException):
    """What a kill is in process: nothing catches it."""


@contextmanager
def stopped_from(number):
    """Let the process do nothing to a disk from that rename, sync or removal on."""
    with pytest.MonkeyPatch.context() as patch:
        stop_from(patch, number)
        try:
            yield
        finally:
            close_temporaries()


def close_temporaries():
    """Close what a kill would have closed, so that no lock outlives its writer."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if os.readlink(entry).removesuffix(" (deleted)").endswith(TEMPORARY):
                os.close(int(entry.name))


def stop_from(patch, number):
    calls = itertools.count()

    def guarded(function):
        def call(*arguments, **options):
            if next(calls) >= number:
                raise Stopped
            return function(*arguments, **options)

        return call

    for name in ("replace", "fsync", "unlink"):
        patch.setattr(os, name, guarded(getattr(os, name)))


def test_a_stop_at_every_write_resumes_to_the_same_bytes(config, data, whole, tmp_path, unsynced):
    dataset = load_dataset(data)
    for number in itertools.count():
        out = tmp_path / f"stopped-{number}"
        try:
            with stopped_from(number):
                run(config, dataset, out)
        except Stopped:
            pass
        else:
            break
        assert_every_file_opens(out)
        run(config, dataset, out)
        assert contents(out) == whole
    # Each file of the cache is synced, renamed, and its folder synced.
    assert number >= 3 * len(whole)


def test_repeated_stops_of_one_extraction_end_in_the_same_bytes(
    config, data, whole, tmp_path, unsynced
):
    dataset, out = load_dataset(data), tmp_path / "c"
    for number in itertools.count(1):
        try:
            with stopped_from(number):
                run(config, dataset, out)
        except Stopped:
            assert_every_file_opens(out)
        else:
            break
    assert number > 1
    assert contents(out) == whole


def test_a_killed_process_resumes_to_the_same_bytes(config, data, whole, tmp_path):
    out = tmp_path / "c"
    # The manifest, the labels, a shard and its maps are there, and the maps of the next.
    child = start(data, out, config, 5)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert_every_file_opens(out)
    assert 0 < len(list(out.glob("shard-*.h5"))) < N // SHARD_ROWS
    assert list(out.glob("*.part"))
    run(config, load_dataset(data), out)
    assert contents(out) == whole


def killed_pair(config, data, out, kill_at):
    """Start two processes on one folder; the second is killed.

    It renames its maps, shard, index and view, and what the other has not yet made.
    """
    pair = [
        start(data, out, replace(config, part=(i, 2)), kill_at if i else None) for i in range(2)
    ]
    for child in pair:
        child.join()
    return [child.exitcode for child in pair]


def test_two_processes_on_one_folder_one_killed(config, data, whole, tmp_path):
    out = tmp_path / "c"
    assert killed_pair(config, data, out, 2) == [0, -signal.SIGKILL]
    assert_every_file_opens(out)
    run(config, load_dataset(data), out)
    assert contents(out) == whole


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [0, 1, 3])
def test_two_processes_one_killed_at_other_moments(config, data, whole, tmp_path, kill_at):
    out = tmp_path / "c"
    assert killed_pair(config, data, out, kill_at) == [0, -signal.SIGKILL]
    assert_every_file_opens(out)
    run(config, load_dataset(data), out)
    assert contents(out) == whole


def test_two_processes_together_give_the_whole(config, data, whole, tmp_path):
    assert killed_pair(config, data, tmp_path / "c", None) == [0, 0]
    assert contents(tmp_path / "c") == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_at_random_moments(data, tmp_path, seed):
    out, undisturbed = tmp_path / "c", tmp_path / "whole"
    begun = time.monotonic()
    start(data, undisturbed, RESNET).join()
    seconds = time.monotonic() - begun
    rng = np.random.default_rng(seed)
    for _ in range(10):
        child = start(data, out, RESNET)
        child.join(timeout=rng.uniform(0, 0.8 * seconds))
        child.kill()
        child.join()
        assert_every_file_opens(out)
    start(data, out, RESNET).join()
    assert contents(out) == contents(undisturbed)


def test_a_killed_dask_worker_costs_one_shard(config, data, whole, tmp_path, dask_cluster):
    from distributed import Client

    address, worker = dask_cluster.scheduler_address, next(iter(dask_cluster.workers.values()))
    pid = worker.pid
    with Client(address, set_as_default=False) as client:
        client.run(die_before_rename, 0, workers=[worker.worker_address])
    run(config, load_dataset(data), tmp_path / "c", dask=address)
    assert contents(tmp_path / "c") == whole
    assert worker.pid != pid


def test_dask_workers_append_as_one_process_does(config, data, tmp_path, dask_cluster):
    dataset, append = load_dataset(data), replace(config, append=True)
    begin = replace(
        dataset, ids=dataset.ids[:-4], paths=dataset.paths[:-4], labels=dataset.labels[:-4]
    )
    found = []
    for name, address in (("alone", None), ("dask", dask_cluster.scheduler_address)):
        out = run(config, begin, tmp_path / name)
        found.append(contents(run(append, dataset, out, dask=address)))
    assert found[0] == found[1]


@pytest.mark.slow
def test_dask_processes_of_this_machine_give_the_whole(data, tmp_path):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    out, undisturbed = tmp_path / "c", tmp_path / "whole"
    start(data, undisturbed, RESNET).join()
    run(RESNET, load_dataset(data), out, dask="local:2")
    assert contents(out) == contents(undisturbed)
