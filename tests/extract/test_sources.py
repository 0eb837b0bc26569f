"""Extraction from archives: the bytes of the folder's cache, stops, and members that fail."""

import itertools
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from extract.__main__ import main
from extract.config import ExtractConfig
from extract.decoding.reasons import Reason
from extract.run import run
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.sources import base, folder, tar_files, zip_files
from tests.extract.test_kill import Stopped, stopped_from, unsynced  # noqa: F401
from tests.extract.test_run import contents, make_images
from tests.features.sources.archives import archive, files_of, make_tar, make_zip

N = 12
KINDS = ("zip", "tar", "shards", "list")


@pytest.fixture(scope="module")
def config(tiny_backbone):
    return ExtractConfig(
        backbone=tiny_backbone, weights="random:0", layers=("conv2", "gap"), batch_size=2,
        shard_rows=6, workers=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data"), n=N, broken=(4,))


@pytest.fixture(scope="module")
def sources(data, tmp_path_factory):
    """The same images as archives."""
    out = tmp_path_factory.mktemp("archives")
    members = files_of(data)
    for k in range(3):
        make_tar(out / f"s-{k}.tar", members[k::3])
    paths = (f"{data}/images/{name}\n" for name in sorted(os.listdir(data / "images")))
    (out / "list.txt").write_text("".join(paths))
    rows = [(n.removeprefix("images/"), b) for n, b in members if n.startswith("images/")]
    for k in range(2):
        half = rows[k * 6 : k * 6 + 6]
        cells = [{"bytes": raw, "path": name} for name, raw in half]
        pyarrow.parquet.write_table(
            pyarrow.table({"image": cells}), out / f"p-{k}.parquet", row_group_size=4
        )
    return {
        "parquet": out / "p-{0..1}.parquet",
        "list": out / "list.txt",
        "zip": archive(data, out / "a.zip", front="photos/"),
        "tar": archive(data, out / "a.tar", front="./"),
        "shards": out / "s-{0..2}.tar",
    }


@pytest.fixture(scope="module")
def whole(config, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "whole"
    return contents(run(replace(config, max_failures=1), load_dataset(data), out))


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_folders_bytes(config, sources, whole, tmp_path, kind):
    out = tmp_path / "c"
    words = f"--backbone {config.backbone} --weights random:0 --layers conv2 gap --batch-size 2"
    settings = [*words.split(), "--shard-rows", "6", "--max-failures", "1", "--out", str(out)]
    main(["--data", str(sources[kind]), *settings, "--shards", "1/2"])
    main(["--data", str(sources[kind]), *settings, "--shards", "0/2"])
    assert contents(out) == whole


def test_dask_workers_read_an_archive(config, sources, whole, tmp_path, dask_cluster):
    config = replace(config, max_failures=1)
    address = dask_cluster.scheduler_address
    run(config, load_dataset(sources["zip"]), tmp_path / "c", dask=address)
    assert contents(tmp_path / "c") == whole


def test_parquet_gives_the_bytes_of_the_folder_of_its_pictures(config, data, sources, tmp_path):
    config = replace(config, max_failures=1)
    folder = run(config, load_dataset(data / "images"), tmp_path / "folder")
    out = tmp_path / "stopped"
    for number in itertools.count():
        try:
            with stopped_from(3 * number):
                run(config, load_dataset(sources["parquet"]), out)
        except Stopped:
            continue
        break
    assert number > 3, "nothing was stopped"
    assert contents(out) == contents(folder)
    for part in ((1, 2), (0, 2)):
        part_of = replace(config, part=part)
        run(part_of, load_dataset(sources["parquet"]), tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(folder)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_stop_anywhere_resumes_to_the_same_bytes(
    config,
    data,
    sources,
    whole,
    tmp_path,
    unsynced,
    kind,
):
    config = replace(config, max_failures=1)
    dataset = load_dataset(sources[kind])
    for number in itertools.count():
        out = tmp_path / f"stopped-{number}"
        try:
            with stopped_from(number):
                run(config, dataset, out)
        except Stopped:
            # What a folder began, an archive may finish, and the other way round.
            run(config, load_dataset(data if number % 2 else sources[kind]), out)
            assert contents(out) == whole
        else:
            assert number > 4
            return


def test_an_archive_that_grows_is_appended_to(config, data, tmp_path):
    members = [one for one in files_of(data) if one[0].endswith(".png") and "004" not in one[0]]
    path = make_tar(tmp_path / "a.tar", members[:7])
    run(config, load_dataset(path), tmp_path / "c")
    make_tar(path, members)
    with pytest.raises(InputError, match="--append computes"):
        run(config, load_dataset(path), tmp_path / "c")
    run(replace(config, append=True), load_dataset(path), tmp_path / "c")
    assert FeatureCache(tmp_path / "c").ids == [name[7:] for name, _ in members]
    other = bytearray(members[0][1])
    other[-20] ^= 1
    make_tar(path, [(members[0][0], bytes(other)), *members[1:]])
    with pytest.raises(InputError, match="other bytes than when"):
        run(replace(config, append=True), load_dataset(path), tmp_path / "c")


def damaged_zip(path, members):
    """Write a zip whose members have every fault; the picture 'ok.png' has none."""
    (ok,) = members
    names = ["ok", "crc", "data", "locked", "bomb", "less", "more", "method", "local", "cut"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(f"{name}.png", ok)
        infos = {info.filename[:-4]: info for info in file.infolist()}
        offsets = {name: info.header_offset + 30 + len(name) + 4 for name, info in infos.items()}
        infos["crc"].CRC ^= 1
        infos["locked"].flag_bits |= 1
        infos["bomb"].file_size = 1 << 40
        infos["less"].file_size -= 1
        infos["more"].file_size += 1
        infos["method"].compress_type = 12
        infos["local"].header_offset += 1
        infos["cut"].compress_size = 1 << 30
    raw = bytearray(path.read_bytes())
    raw[offsets["data"] : offsets["data"] + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(raw)
    return path


def test_faults_of_members_fail_their_rows_with_a_reason(config, tmp_path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "ok.png")
    path = damaged_zip(tmp_path / "a.zip", [(tmp_path / "ok.png").read_bytes()])
    out = run(replace(config, max_failures=1), load_dataset(path), tmp_path / "c")
    found = {row.id[:-4]: (row.status, row.message) for row in FeatureCache(out).index}
    assert found.pop("ok") == ("ok", "")
    assert found.pop("bomb")[0] == "too_large"
    assert {status for status, _ in found.values()} == {"unreadable"}
    words = {
        "crc": "checksum", "less": "checksum", "more": "checksum", "data": "damaged in",
        "locked": "encrypted", "method": "bzip2", "local": "damaged in", "cut": "archive ends",
    }  # fmt: skip
    assert all(words[name] in message for name, (_, message) in found.items())
    make_zip(
        path,
        [(f"{name}.png", (tmp_path / "ok.png").read_bytes()) for name in (*found, "ok", "bomb")],
    )
    with pytest.raises(InputError):  # declared sizes were part of the rows
        run(replace(config, retry_failed=True), load_dataset(path), out)


def test_a_member_that_is_mended_is_retried(config, data, tmp_path):
    raw = (data / "images" / "000.png").read_bytes()
    path = make_zip(tmp_path / "a.zip", [("0.png", raw), ("1.png", raw[:-30] + bytes(30))])
    out = run(replace(config, max_failures=1), load_dataset(path), tmp_path / "c")
    assert [row.status for row in FeatureCache(out).index] == ["ok", "undecodable"]
    make_zip(path, [("0.png", raw), ("1.png", raw)])
    run(replace(config, retry_failed=True), load_dataset(path), out)
    assert [row.status for row in FeatureCache(out).index] == ["ok", "ok"]


def test_an_archive_that_changes_stops_the_job_in_one_line(config, sources, tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(sources["tar"].read_bytes())
    dataset = load_dataset(path)
    path.write_bytes(path.read_bytes()[:-1024])
    with pytest.raises(InputError, match="has changed while it was read"):
        run(config, dataset, tmp_path / "c")
    run(replace(config, max_failures=1), load_dataset(sources["tar"]), tmp_path / "c")


def test_faults_have_reasons():
    code = "".join(Path(one.__file__).read_text() for one in (base, folder, tar_files, zip_files))
    names = {name for name in Reason.__members__ if f'"{name}"' in code}
    assert {"MISSING", "ENCRYPTED", "METHOD", "MEMBER", "CHECKSUM", "ARCHIVE_ENDS"} <= names
    for name in code.split('Fault("')[1:]:
        assert name.partition('"')[0] in Reason.__members__
