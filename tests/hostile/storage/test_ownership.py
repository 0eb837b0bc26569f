"""Caches and exports: files of others are left as they are, and a second writer gets one line."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from extract.config import ExtractConfig
from extract.job import Job
from extract.run import run
from features import schema
from features.cache import FeatureCache
from features.commands.export import export
from features.commands.merge import merge
from features.datasets import load_dataset
from features.errors import InputError
from features.files.locks import locked_name
from features.files.ranges import locked_numbers
from features.shard_writer import ShardWriter
from tests.features.test_cache import read_manifest
from tests.folders import results_in

ROOT = Path(__file__).parents[3]


def contents(folder):
    return {path.name: path.read_bytes() for path in results_in(folder) if path.is_file()}


def refused(message, function, *arguments, **options):
    with pytest.raises(InputError, match=message) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)


# Exports


def foreign_archive(path):
    with open(path, "wb") as file:
        np.savez(file, id=np.arange(3), X=np.zeros((3, 2)))


def foreign_table(path):
    pa = pytest.importorskip("pyarrow", reason="parquet is written through pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"id": ["a"]}), path)


FOREIGN = {
    "notes": lambda path: path.write_text("my notes\n"),
    "empty": lambda path: path.touch(),
    "archive": foreign_archive,
    "table": foreign_table,
    "labels": lambda path: path.write_text("image,cat\na.jpg,1\n"),
    "cut": lambda path: path.write_bytes(b"PK\x03\x04 half of an archive"),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("ending", [".npz", ".parquet"])
def test_export_replaces_no_file_of_others(cache, tmp_path, make, ending):
    pytest.importorskip("pyarrow", reason="parquet is written through pyarrow")
    path = tmp_path / f"out{ending}"
    path.touch()
    make(path)
    before = path.read_bytes()
    refused("exists and is not an export that this program made", export, cache, path)
    assert path.read_bytes() == before and not list(tmp_path.glob("*.part"))


def test_export_goes_to_no_device_folder_or_link_to_something_else(cache, tmp_path):
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "link.npz").symlink_to(tmp_path / "notes")
    (tmp_path / "dangling.npz").symlink_to(tmp_path / "nothing")
    (tmp_path / "device.npz").symlink_to("/dev/null")
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    refused("is not an export", export, cache, tmp_path / "link.npz")
    refused("is a symbolic link to nothing", export, cache, tmp_path / "dangling.npz")
    refused("is a device", export, cache, tmp_path / "device.npz")
    refused("is a folder", export, cache, tmp_path / "folder.npz")
    refused("is a named pipe", export, cache, tmp_path / "pipe.npz")
    assert (tmp_path / "notes").read_text() == "mine" and not (tmp_path / "nothing").exists()


def test_of_two_exports_to_one_name_the_second_gets_one_line(cache, tmp_path):
    with locked_name(tmp_path / "out.npz"):
        done = command("features", "export", cache, "--out", tmp_path / "out.npz")
    assert done.returncode == 1 and not (tmp_path / "out.npz").exists()
    assert "out.npz is being written by another run" in done.stderr
    export(cache, tmp_path / "out.npz")
    assert [path.name for path in results_in(tmp_path)] == ["a.cache", "out.npz"]


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


# Folders of others, and files of others in a cache


@pytest.mark.parametrize("name", ["index.csv", "features.h5", "shard-00000.h5", "maps-00009.h5"])
def test_no_cache_is_made_in_a_folder_of_others(cache, tmp_path, name):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / name).write_text("image,cat\na.jpg,1\n")
    refused(f"holds {name} and no manifest.json, so it is no feature cache", merge, folder, [cache])
    assert contents(folder) == {name: b"image,cat\na.jpg,1\n"}


@pytest.mark.parametrize("name", ["index.csv", "features.h5", "maps-00001.h5"])
def test_merge_replaces_no_file_of_others(cache, tmp_path, name):
    out = merge(tmp_path / "out", [cache])
    if name.startswith("maps"):
        (out / "shard-00001.h5").unlink()
    (out / name).unlink()
    (out / name).write_bytes(b"my own")
    refused(f"{name} exists and is not .* that this program made", merge, out, [cache])
    assert (out / name).read_bytes() == b"my own"


def test_no_shard_is_written_over_a_file_of_others(cache):
    manifest = read_manifest(cache)
    for path in (cache / "shard-00001.h5", cache / "maps-00001.h5"):
        before = path.read_bytes()
        path.unlink()
        with h5py.File(path, "w") as file:
            file["mine"] = [1.0]
        theirs = path.read_bytes()
        refused("is not a shard that this program made", ShardWriter, cache, 1, manifest)
        assert path.read_bytes() == theirs
        path.write_bytes(before)
    assert not list(cache.glob("*.part"))


# Two writers of one cache


def test_of_two_merges_into_one_cache_the_second_gets_one_line(cache):
    with locked_numbers(cache / schema.MANIFEST):
        before = contents(cache)
        refused("a.cache is being written by another run", merge, cache, [cache])
        assert contents(cache) == before
    merge(cache, [cache])


def test_numbers_are_locked_one_by_one(cache):
    path = cache / schema.MANIFEST
    before = path.read_bytes()
    with locked_numbers(path, [0, 2]), locked_numbers(path, [1, 3]):
        for numbers in ([2], [5, 1], None):
            with pytest.raises(InputError, match="which makes the same shards. Wait"):
                locked_numbers(path, numbers).__enter__()
        read_manifest(cache)  # closing it elsewhere frees nothing
        with pytest.raises(InputError, match="give each run its own part"):
            locked_numbers(path, [0]).__enter__()
    with locked_numbers(path):
        pass
    assert path.read_bytes() == before


def test_a_file_system_without_locks_is_one_line(cache, monkeypatch, capsys):
    def refuse(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("features.files.ranges.fcntl.fcntl", refuse)
    with locked_numbers(cache / schema.MANIFEST, range(3)):
        pass
    assert capsys.readouterr().err.count("this file system has no locks") == 1


# Extraction


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 40), "red").save(folder / "images" / name)
    (folder / "labels.csv").write_text("image,cat\na.png,1\nb.png,0\n")
    return folder


def extract(data, out, backbone, **changes):
    config = ExtractConfig(
        backbone=backbone, weights="random:0", workers=1, shard_rows=1, **changes
    )
    return run(config, load_dataset(data), out)


def test_labels_that_were_corrected_in_the_cache_are_kept(data, tmp_path, tiny_backbone, capsys):
    out = extract(data, tmp_path / "c", tiny_backbone)
    corrected = "image,cat\na.png,1\nb.png,1\n"
    (out / "labels.csv").write_text(corrected)
    extract(data, out, tiny_backbone)
    assert (
        "labels.csv is kept: 1 of its labels differ from the data set's" in capsys.readouterr().err
    )
    assert (out / "labels.csv").read_text() == corrected
    (data / "labels.csv").write_text(corrected)
    extract(data, out, tiny_backbone)
    (out / "labels.csv").write_bytes(corrected.replace("\n", "\r\n").encode())
    extract(data, out, tiny_backbone)  # an editor's line ends
    assert b"\r\n" in (out / "labels.csv").read_bytes()
    assert FeatureCache(out).labels.tolist() == [[1], [1]]


def test_the_data_set_is_no_cache(data, tiny_backbone):
    before = contents(data)
    refused("holds images and no manifest.json", extract, data, data, tiny_backbone)
    assert contents(data) == before


def test_of_two_extractions_of_one_shard_the_second_gets_one_line(data, tmp_path, tiny_backbone):
    out = tmp_path / "c"
    config = ExtractConfig(backbone=tiny_backbone, weights="random:0", workers=1, shard_rows=1)
    Job(config, load_dataset(data), out).open_folder()
    with locked_numbers(out / schema.MANIFEST, [1]):
        refused("which makes the same shards", extract, data, out, tiny_backbone)
        extract(data, out, tiny_backbone, part=(0, 2))
        assert (out / "shard-00000.h5").exists() and not (out / "shard-00001.h5").exists()
    extract(data, out, tiny_backbone)
    assert len(FeatureCache(out).valid_rows) == 2
