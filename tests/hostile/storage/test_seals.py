"""Shards on which HDF5 hangs or crashes: found by their seal, or in another process."""

import signal
import subprocess

import h5py
import pytest

from features import schema, shards
from features.cache import FeatureCache
from features.checks import seals, trial
from features.commands.verify import find_faults, verify_shard
from features.errors import InputError
from features.manifest import read_manifest
from features.shard_writer import require_own_shard
from tests.features.test_cache import LAYERS, ROWS, values
from tests.hostile.damage import overwrite
from tests.sealing import reseal, unseal

SHARDS = ("shard-00000.h5", "maps-00000.h5")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(trial, "CPU_SECONDS", 1)


def patch(path, mark, offset, value):
    content = bytearray(path.read_bytes())
    place = content.index(mark) + offset
    assert content[place] != value
    content[place] = value
    path.write_bytes(content)


def last_text(path):
    return b"c, h, w" if "maps" in path.name else b"plain"


def unending(path):
    """Let the text of an attribute have no bytes in HDF5's heap, in which it looks on for ever."""
    patch(path, last_text(path), -8, 0)


def unending_heap(path):
    """Let the free space of the heap be smaller than it is."""
    patch(path, last_text(path), 17, 0)


def crashing(path):
    """Let an attribute's type have bits that no version of HDF5 writes."""
    patch(path, b"layout\0\0\x19", 9, 255)


HANGS = "reading it never ends"
DAMAGE = (
    (SHARDS[0], unending, HANGS),
    (SHARDS[1], unending_heap, HANGS),
    (SHARDS[0], crashing, "reading it crashes"),
    (SHARDS[1], crashing, "reading it crashes"),
)


def reads(cache):
    manifest = read_manifest(cache)
    yield lambda: FeatureCache(cache).read()
    yield lambda: FeatureCache(cache).status
    yield lambda: FeatureCache(cache).read_instances("net/map", [0])
    yield lambda: verify_shard(cache, 0, manifest)


def refused(read, match):
    with pytest.raises(InputError, match=match) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_shard_is_sealed_and_hdf5_reads_it(sound):
    for path in sound.glob("*-0000?.h5"):
        assert seals.is_intact(path) is True
        with h5py.File(path, "r") as file:
            assert set(file) >= {"net", schema.ROW}
    assert len(FeatureCache(sound).read()) == ROWS


def places_of_values(path):
    with h5py.File(path, "r") as file:
        for name in filter(file.__contains__, (*schema.ROW_DATASETS, *LAYERS)):
            held = file[name].id
            if not file[name].chunks:
                yield range(held.get_offset(), held.get_offset() + held.get_storage_size())
                continue
            for number in range(held.get_num_chunks()):
                chunk = held.get_chunk_info(number)
                yield range(chunk.byte_offset, chunk.byte_offset + chunk.size)


@pytest.mark.parametrize("name", SHARDS)
def test_every_byte_that_is_no_value_is_sealed(cache, name):
    path = cache / name
    content = path.read_bytes()
    of_values = list(places_of_values(path))
    found = set()
    for place in range(0, len(content), 41):
        overwrite(path, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found.add(intact := seals.is_intact(path))
        assert bool(intact) == any(place in values for values in of_values)
    assert found == {True, False}


@pytest.mark.parametrize("damage", [unending, unending_heap, crashing])
def test_damage_that_hangs_hdf5_is_found_by_the_seal(cache, monkeypatch, damage):
    def start(paths):
        raise AssertionError("a sealed shard needs no other process")

    monkeypatch.setattr(trial, "_run_probe", start)
    for name in SHARDS:
        damage(cache / name)
    for read in reads(cache):
        text = refused(read, "no whole HDF5 file .its structure doesn't give its checksum")
        assert "Delete this file and run extract again" in text
    faults = list(find_faults(cache))
    assert all(any(name in fault for fault in faults) for name in SHARDS)


def test_a_sealed_shard_that_was_cut_anywhere(cache):
    path = cache / SHARDS[0]
    content = path.read_bytes()
    for keep in (*range(0, len(content), 997), len(content) - 1, len(content) - 17):
        path.write_bytes(content[:keep])
        refused(lambda: FeatureCache(cache).status, "no whole HDF5 file .*Delete this file")


def test_shards_without_seals_are_read_after_one_look_at_all(cache, monkeypatch):
    started = []
    run = trial._run_probe
    monkeypatch.setattr(trial, "_run_probe", lambda paths: started.append(paths) or run(paths))
    for path in cache.glob("*-0000?.h5"):
        unseal(path)
    (copy,) = FeatureCache(cache).read(["net/pool"], [3])
    assert (copy == values("net/pool")[3]).all()
    FeatureCache(cache).read_instances("net/map", [0, 20])
    assert list(find_faults(cache)) == []
    assert len(started) == 1 and len(started[0]) == 6


@pytest.mark.parametrize(("name", "damage", "reason"), DAMAGE)
def test_a_shard_without_a_seal_that_hangs_hdf5(cache, quick, name, damage, reason):
    for path in cache.glob("*-0000?.h5"):
        unseal(path)
    damage(cache / name)
    whole = (cache / name).read_bytes()
    for read in list(reads(cache))[2 if "maps" in name else 0 :]:
        text = refused(read, f"{name}: {reason}, so it is damaged. Restore it")
        assert "elete" not in text
    (fault,) = (fault for fault in find_faults(cache) if name in fault)
    assert reason in fault
    refused(lambda: require_own_shard(cache / name), "not a shard that this program made")
    assert (cache / name).read_bytes() == whole


def test_other_shards_are_read_after_a_crash(cache):
    for number in range(3):
        unseal(schema.shard_path(cache, number))
    crashing(cache / SHARDS[0])
    for _ in range(2):
        refused(lambda: shards.open_shard(cache / SHARDS[0]), "reading it crashes, so it is")
        for number in (1, 2):
            shards.open_shard(schema.shard_path(cache, number)).close()


@pytest.mark.parametrize("ended", [signal.SIGKILL, signal.SIGTERM, -1])
def test_another_end_of_the_process_is_no_damage(cache, monkeypatch, ended):
    unseal(cache / SHARDS[0])
    done = subprocess.CompletedProcess([], -ended, b"", b"")
    monkeypatch.setattr(trial, "_run_probe", lambda paths: done)
    text = refused(lambda: shards.open_shard(cache / SHARDS[0]), "can't be read now")
    assert "elete" not in text and "Run the same command again" in text


def test_no_process_can_be_started(cache, monkeypatch):
    unseal(cache / SHARDS[0])

    def fail(*arguments, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "run", fail)
    refused(lambda: shards.open_shard(cache / SHARDS[0]), "can't be read now: the process that")


def test_an_edited_shard_without_a_seal_is_told_what_is_wrong(cache):
    with h5py.File(cache / SHARDS[0], "r+") as file:
        del file["net/fc"]
    assert seals.is_intact(cache / SHARDS[0]) is None
    refused(lambda: FeatureCache(cache).status, "net/fc is missing")


def test_a_seal_that_was_added_again_is_the_same(cache):
    for name in SHARDS:
        before = (cache / name).read_bytes()
        unseal(cache / name)
        reseal(cache / name)
        assert (cache / name).read_bytes() == before
    assert set(LAYERS) == {"net/pool", "net/fc", "net/map"}
