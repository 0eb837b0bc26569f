"""Shards that can't be read now, for a cause outside the file, and what is no shard at all."""

import errno
import fcntl
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from features import schema, shards
from features.cache import FeatureCache
from features.commands.verify import find_faults, verify_shard
from features.errors import InputError
from features.manifest import canonical, read_manifest
from features.schema import Status
from tests.features.test_cache import ROWS
from tests.hostile.storage.test_shards import POOL, one_line

# What is no fault of the file


def failing(number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return fail


CAUSES = {
    errno.EACCES: "permission to read it",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "limit of open files",
    errno.ENOMEM: "Free memory",
    errno.EIO: "Check the disk or the network",
    errno.ESTALE: "mount it again",
    errno.EAGAIN: "Another program has locked it",
    errno.EBUSY: "Mend that, then run the same command again",
}


@pytest.mark.parametrize("number", CAUSES)
@pytest.mark.parametrize("place", ["open", "HDF5"])
def test_a_cause_outside_the_file_is_named_and_nothing_is_to_be_deleted(
    cache, monkeypatch, number, place
):
    manifest = read_manifest(cache)
    if place == "open":
        monkeypatch.setattr(shards, "_require_file", failing(number))
    else:
        monkeypatch.setattr(shards, "_opened", failing(number))
    for read in (
        lambda: FeatureCache(cache).status,
        lambda: verify_shard(cache, 0, manifest),
    ):
        with pytest.raises(InputError, match=f"can't be read now.*{CAUSES[number]}") as caught:
            read()
        assert "elete" not in one_line(caught.value)
    assert not any("elete" in fault for fault in find_faults(cache))


def test_a_fault_of_the_disk_while_values_are_read(cache, monkeypatch):
    manifest = read_manifest(cache)
    monkeypatch.setattr("features.commands.verify.checksum", failing(errno.EIO))
    with pytest.raises(InputError, match=r"can't be read now \(Input/output error\). Check"):
        verify_shard(cache, 0, manifest)
    monkeypatch.setattr(np, "memmap", failing(errno.EMFILE))
    with pytest.raises(InputError, match="ulimit -n"):
        FeatureCache(cache).read([POOL], [0])


def test_memory_that_runs_out_is_no_damage(cache, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("features.shards.misfit", fail)
    with pytest.raises(InputError, match="can't be read now .*Free memory"):
        FeatureCache(cache).status  # noqa: B018


def test_a_lock_of_another_program(cache):
    with open(cache / "shard-00000.h5", "r+b") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(InputError, match="can't be read now .*Another program has locked it"):
            FeatureCache(cache).read()
    assert len(FeatureCache(cache).read()) == ROWS


def test_a_real_limit_of_open_files(cache):
    code = (
        "import sys, resource\n"
        "from features.cache import FeatureCache\n"
        "from features.errors import InputError\n"
        "cache = FeatureCache(sys.argv[1])\n"
        "cache.read()\n"
        "cache = FeatureCache(sys.argv[1])\n"
        "held = [open('/dev/null') for _ in range(5)]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1].fileno() + 1, 64))\n"
        "try:\n    cache.read()\n"
        "except InputError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(cache)], capture_output=True, text=True, check=True
    )
    assert "Too many open files" in done.stdout and "ulimit -n" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64


SPECIAL = {
    "missing": (lambda path: None, "shard-00000.h5 is missing. Run extract again"),
    "folder": (os.mkdir, "is no regular file. Move it away"),
    "pipe": (os.mkfifo, "is no regular file. Move it away"),
    "device": (lambda path: os.symlink("/dev/zero", path), "is no regular file. Move it away"),
    "link to itself": (lambda path: os.symlink(path, path), "links that point to each other"),
    "empty": (lambda path: path.touch(), "no whole HDF5 file"),
    "page": (lambda path: path.write_text("<html>quota</html>"), "no whole HDF5 file"),
    "zeros": (lambda path: path.write_bytes(bytes(9999)), "no whole HDF5 file"),
}


@pytest.mark.parametrize(("make", "message"), SPECIAL.values(), ids=SPECIAL)
def test_what_is_no_shard_at_all(cache, make, message):
    path = cache / "shard-00000.h5"
    path.unlink()
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        verify_shard(cache, 0, read_manifest(cache))
    one_line(caught.value)


def test_a_manifest_of_very_many_rows_does_not_count_them(cache):
    manifest = read_manifest(cache)
    manifest["index"]["rows"], manifest["shard_rows"] = 2**31 - 1, 1
    (cache / schema.MANIFEST).write_text(canonical(manifest), "utf-8")
    assert shards.finished_shards(cache, manifest) == [0, 1, 2]
    (fault,) = find_faults(cache)
    assert "no shard was made with this manifest" in fault


def test_every_status_is_known():
    assert {int(code) for code in Status} == {0, 1, 2, 3, 4, 5, 255}
