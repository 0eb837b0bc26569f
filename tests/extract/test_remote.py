"""Extraction from servers: the bytes of the folder's cache, stops, and pictures that fail."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from extract.config import ExtractConfig
from extract.decoding.reasons import Reason
from extract.run import run
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from features.sources.remote import client, errors
from tests.extract.test_kill import Stopped, stopped_from, unsynced  # noqa: F401
from tests.extract.test_run import contents, make_images
from tests.features.sources.archives import archive, files_of
from tests.features.sources.server import serving

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
N = 12


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))


@pytest.fixture(scope="module")
def config(tiny_backbone):
    return ExtractConfig(
        backbone=tiny_backbone, weights="random:0", layers=("conv2", "gap"), batch_size=2,
        shard_rows=6, workers=2, max_failures=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data"), n=N, broken=(4,))


@pytest.fixture(scope="module")
def web(data, tmp_path_factory):
    """The same images on a server, as files and archives."""
    out = tmp_path_factory.mktemp("archives")
    files = {f"d/{name}": raw for name, raw in files_of(data)}
    lines = "".join(f"{name[2:]}\n" for name in sorted(files) if "/images/" in name)
    files["d/list.txt"] = lines.encode()
    for kind in ("zip", "tar"):
        files[f"a.{kind}"] = archive(data, out / f"a.{kind}").read_bytes()
    with serving(files) as server:
        yield server


@pytest.fixture(scope="module")
def whole(config, data, tmp_path_factory):
    return contents(run(config, load_dataset(data), tmp_path_factory.mktemp("out") / "whole"))


@pytest.mark.parametrize("name", ["d/list.txt", "a.zip", "a.tar", "memory"])
def test_every_source_gives_the_folders_bytes_after_stops(
    config, data, web, whole, tmp_path, unsynced, name
):
    where = f"{web.url}/{name}"
    if name == "memory":
        where = "memory://remote-set"
        fsspec.filesystem("memory").put(str(data), "/remote-set", recursive=True)
    out = tmp_path / "stopped"
    for number in itertools.count():
        try:
            with stopped_from(4 * number):
                run(config, load_dataset(where), out)
        except Stopped:
            continue
        break
    assert number > 2, "nothing was stopped"
    assert contents(out) == whole
    for part in ((1, 2), (0, 2)):
        run(replace(config, part=part), load_dataset(where), tmp_path / "parts")
    assert contents(tmp_path / "parts") == whole


def test_pictures_that_fail_are_rows_that_can_be_mended(config, data, web, whole, tmp_path):
    broken = {"001": 404, "002": 500, "003": "cut"}
    for name, fault in broken.items():
        web.answers[f"d/images/{name}.png"] += [fault] * 3
    out = run(config, load_dataset(f"{web.url}/d/list.txt"), tmp_path / "c")
    web.answers.clear()
    found = {row.id: row.message for row in FeatureCache(out).index if row.message}
    expected = (Reason.MISSING, Reason.SERVER, Reason.BROKEN_OFF)
    for name, reason in zip(broken, expected, strict=True):
        assert found[f"{name}.png"] == reason.value[1].format(code=500)
    run(replace(config, retry_failed=True), load_dataset(f"{web.url}/d/list.txt"), out)
    assert contents(out) == whole


def test_a_server_that_goes_away_stops_the_job_and_keeps_what_is_done(
    config, data, whole, tmp_path
):
    files = {"a.zip": archive(data, tmp_path / "a.zip").read_bytes()}
    with serving(files) as server:
        dataset = load_dataset(f"{server.url}/a.zip")
    with pytest.raises(InputError, match=r"the server can't be reached. What is finished is kept"):
        run(config, dataset, tmp_path / "c")
    run(config, load_dataset(data), tmp_path / "c")
    assert contents(tmp_path / "c") == whole


def test_faults_have_reasons():
    code = "".join(Path(one.__file__).read_text() for one in (client, errors))
    names = {part.partition(",")[2].split('"')[1] for part in code.split("NetworkFault(place")[1:]}
    assert {"MISSING", "SERVER", "CHANGED"} <= names <= set(Reason.__members__)
