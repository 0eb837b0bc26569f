"""SIGKILL at random moments: afterwards every file opens and resuming ends in the same bytes."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import h5py
import numpy as np
import psutil
import pytest

from extract.config import ExtractConfig
from extract.run import run
from features.commands.verify import verify_shard
from features.datasets import load_dataset
from features.shards import finished_shards
from tests.extract.test_run import contents, make_images

CONFIG = ExtractConfig(
    backbone="resnet18", weights="random:0", size=32, batch_size=2, shard_rows=3, workers=2
)
N = 24
# The server that forks the children has loaded torch but started none of its threads.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.extract.test_kill"])


def work(data, out, config, dask):
    import torch

    torch.set_num_threads(1)
    run(config, load_dataset(data), out, dask=dask)


def start(data, out, config=CONFIG, dask=None):
    child = SERVER.Process(target=work, args=(data, out, config, dask))
    child.start()
    return child


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data"), n=N)


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """The files of a run that nobody disturbed, and how many seconds it took."""
    out = tmp_path_factory.mktemp("out") / "whole"
    begun = time.monotonic()
    child = start(data, out)
    child.join()
    assert child.exitcode == 0
    return contents(out), time.monotonic() - begun


def assert_every_file_opens(out):
    from features.manifest import read_manifest

    if not (out / "manifest.json").exists():
        return
    manifest = read_manifest(out)
    for number in finished_shards(out, manifest):
        verify_shard(out, number, manifest, finite=True)
    if (out / "features.h5").exists():
        with h5py.File(out / "features.h5") as view:
            assert view["resnet18/gap"].shape == (N, 512)


def finish(data, out, whole):
    child = start(data, out)
    child.join()
    assert child.exitcode == 0
    assert contents(out) == whole


@pytest.mark.parametrize("seed", range(4))
def test_killed_ten_times_in_a_row(data, undisturbed, tmp_path, seed):
    whole, seconds = undisturbed
    rng = np.random.default_rng(seed)
    out = tmp_path / "c"
    for _ in range(10):
        child = start(data, out)
        child.join(timeout=rng.uniform(0, 0.8 * seconds))
        child.kill()
        child.join()
        assert_every_file_opens(out)
    finish(data, out, whole)


def test_two_processes_on_one_folder_one_killed(data, undisturbed, tmp_path):
    whole, seconds = undisturbed
    rng = np.random.default_rng(9)
    for trial in range(8):
        out = tmp_path / f"c{trial}"
        pair = [start(data, out, replace(CONFIG, part=(i, 2))) for i in range(2)]
        pair[trial % 2].join(timeout=rng.uniform(0, seconds))
        pair[trial % 2].kill()
        for child in pair:
            child.join()
        assert pair[1 - trial % 2].exitcode == 0
        assert_every_file_opens(out)
        finish(data, out, whole)


def test_two_processes_together_give_the_whole(data, undisturbed, tmp_path):
    pair = [start(data, tmp_path / "c", replace(CONFIG, part=(i, 2))) for i in range(2)]
    for child in pair:
        child.join()
    assert contents(tmp_path / "c") == undisturbed[0]


def _kill_a_worker(parent, out, seed):
    """Kill one of the worker processes once the first shard is there; return whether it did."""
    rng = np.random.default_rng(seed)
    while not (out / f"shard-{0:05}.h5").exists() and parent.is_running():
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.2))
    workers = [p for p in parent.children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    if workers:
        os.kill(workers[int(rng.integers(len(workers)))].pid, signal.SIGKILL)
    return bool(workers)


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_dask_worker_costs_one_shard(data, undisturbed, tmp_path, seed):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    out = tmp_path / "c"
    child = start(data, out, dask="local:2")
    assert _kill_a_worker(psutil.Process(child.pid), out, seed)
    child.join()
    assert child.exitcode == 0
    assert contents(out) == undisturbed[0]
