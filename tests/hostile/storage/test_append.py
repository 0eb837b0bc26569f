"""A data set that grows: only new rows are computed, and what is there stays as it is."""

import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extract import changed, extractor
from extract.__main__ import main
from extract.config import ExtractConfig
from extract.estimate import estimate
from extract.job import Job
from extract.run import run
from features.cache import FeatureCache
from features.commands.merge import merge
from features.commands.verify import find_faults
from features.datasets import load_dataset
from features.errors import InputError
from features.index import read_index
from features.manifest import read_manifest
from tests.extract.test_kill import Stopped, stopped_from, unsynced  # noqa: F401
from tests.extract.test_run import contents

real = changed._checksum
OLD, NEW = 10, 5  # with 4 rows a shard: one shard becomes longer, one is new


def add_images(folder, names, seed=0):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        rng = np.random.default_rng([seed, i])
        picture = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
        picture.save(folder / "images" / name)


def label(folder, rows):
    lines = ["image,cat,dog", *(f"{name},{a},{b}" for name, a, b in rows)]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def old_names():
    return [f"m{i:02}.png" for i in range(OLD)]


def new_names():
    return [f"{'az'[i % 2]}{i:02}.png" for i in range(NEW)]  # before and after the old ones


@pytest.fixture(scope="module")
def config(tiny_backbone):
    return ExtractConfig(
        backbone=tiny_backbone, weights="random:0", layers=("conv2", "gap", "map"), batch_size=2,
        shard_rows=4, workers=2,
    )  # fmt: skip


@pytest.fixture
def data(tmp_path):
    add_images(tmp_path / "data", old_names())
    return tmp_path / "data"


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    add_images(folder / "data", old_names())
    return run(config, load_dataset(folder / "data"), folder / "before")


@pytest.fixture
def before(finished, data, tmp_path):
    """A finished cache of the old images, whose files are later than these."""
    return shutil.copytree(finished, tmp_path / "before", copy_function=shutil.copy)


def grown(data):
    add_images(data, new_names(), seed=1)
    return load_dataset(data)


def copy(folder, to):
    shutil.copytree(folder, to)
    return to


def test_only_new_rows_are_computed(config, data, before, tmp_path, monkeypatch, capsys):
    out = copy(before, tmp_path / "c")
    dataset, read = grown(data), []

    def spy(path, transform, source):
        read.append(Path(path).name)
        return real(path, transform, source)

    real = extractor.read_image
    monkeypatch.setattr(extractor, "read_image", spy)
    run(replace(config, append=True), dataset, out)
    assert sorted(read) == sorted(new_names())
    assert "5 images are new" in capsys.readouterr().err
    old, new = FeatureCache(before), FeatureCache(out)
    assert new.ids == old_names() + sorted(new_names())
    rows = np.arange(OLD)
    assert new.read(None, rows).tobytes() == old.read(None, rows).tobytes()
    maps = new.read_instances("tiny/map", rows)
    assert maps.tobytes() == old.read_instances("tiny/map", rows).tobytes()
    for name in ("shard-00000.h5", "shard-00001.h5", "maps-00000.h5"):
        assert (out / name).read_bytes() == (before / name).read_bytes()
    assert list(find_faults(out)) == []
    # New rows have the values that they have in a cache of their own order.
    whole = FeatureCache(run(config, dataset, tmp_path / "whole"))
    at = [whole.ids.index(name) for name in new.ids]
    np.testing.assert_allclose(new.read(), whole.read(None, at), rtol=1e-5, atol=1e-6)
    assert [row.sha256 for row in new.index] == [whole.index[i].sha256 for i in at]


def test_the_manifest_tells_what_was_appended_to(config, data, before, tmp_path):
    first = read_manifest(before)
    run(replace(config, append=True), grown(data), before)
    add_images(data, ["n.png"], seed=2)
    second = read_manifest(before)
    run(replace(config, append=True), load_dataset(data), before)
    index = read_manifest(before)["index"]
    assert index["rows"] == OLD + NEW + 1
    assert index["earlier"] == [
        first["index"], {key: second["index"][key] for key in ("rows", "sha256")}
    ]  # fmt: skip
    assert {k: v for k, v in read_manifest(before).items() if k != "index"} == {
        k: v for k, v in first.items() if k != "index"
    }
    assert list(find_faults(before)) == []


def test_a_cache_that_was_appended_to_goes_on_as_any_other(config, data, before):
    dataset = grown(data)
    run(replace(config, append=True), dataset, before)
    whole = contents(before)
    run(config, dataset, before)  # the option is not needed any more
    run(replace(config, append=True), dataset, before)
    assert contents(before) == whole
    for name in ("shard-00000.h5", "shard-00002.h5", "maps-00002.h5", "shard-00003.h5"):
        (before / name).unlink()
        run(config, dataset, before)
        assert contents(before) == whole
    (before / "features.h5").unlink()
    (before / "index.csv").write_text("")
    with pytest.raises(InputError, match=r"index.sha256: there \w+, here"):
        run(config, dataset, before)  # which image is which row is known by the index alone


def test_without_the_option_the_message_says_so(config, data, before):
    whole = contents(before)
    with pytest.raises(
        InputError, match=r"has 5 \(first 'a00.png', .*\) images that .* lacks. --append computes"
    ):
        run(config, grown(data), before)
    assert contents(before) == whole


@pytest.mark.parametrize("append", [False, True])
def test_images_that_are_gone_or_changed_are_refused(config, data, before, append):
    whole, settings = contents(before), replace(config, append=append)
    dataset = grown(data)
    (data / "images" / "m03.png").rename(data / "m03.png")
    with pytest.raises(InputError, match=r"has 1 \(first 'm03.png'\) images that the data set lac"):
        run(settings, load_dataset(data), before)
    (data / "m03.png").rename(data / "images" / "m03.png")
    with open(data / "images" / "m04.png", "ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"1 \(first 'm04.png'\) images have another size"):
        run(settings, dataset, before)
    assert contents(before) == whole


def test_other_bytes_of_the_same_size_are_refused(config, data, before, tmp_path, monkeypatch):
    append = replace(config, append=True)
    dataset, read = grown(data), []
    for name in ("m02.png", "m07.png"):
        path = data / "images" / name
        whole = path.read_bytes()
        if name == "m07.png":
            path.write_bytes(whole[:-20] + bytes(8) + whole[-12:])  # after the cache was made
        else:
            os.utime(path)  # newer, with the same bytes

    def spy(path, source):
        read.append(Path(path).name)
        return real(path, source)

    monkeypatch.setattr(changed, "_checksum", spy)
    with pytest.raises(InputError, match=r"^1 \(first 'm07.png'\) images have other bytes"):
        run(append, dataset, before)
    assert set(read) <= {"m02.png", "m07.png"}
    older = data / "m07.png"
    older.write_bytes(whole[:-20] + bytes(8) + whole[-12:])
    os.utime(older, (1, 1))
    older.replace(data / "images" / "m07.png")  # the modification is older, not the change
    with pytest.raises(InputError, match="'m07.png'"):
        run(append, dataset, before)
    (data / "images" / "m07.png").write_bytes(whole)
    out = run(append, dataset, before)
    assert len(FeatureCache(out).valid_rows) == OLD + NEW


def test_other_settings_are_named_and_not_appended(config, data, before):
    whole = contents(before)
    with pytest.raises(InputError, match="dtype: there float32, here float16"):
        run(replace(config, append=True, dtype="float16"), grown(data), before)
    assert contents(before) == whole


def test_a_data_set_in_another_order_is_the_same_cache(config, data, before):
    whole, dataset = contents(before), load_dataset(data)
    turned = replace(dataset, ids=dataset.ids[::-1], paths=dataset.paths[::-1])
    run(config, turned, before)
    assert contents(before) == whole


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_stop_at_every_write_of_an_append_ends_in_the_same_bytes(
    config, data, before, tmp_path, unsynced, step
):  # fmt: skip
    label(data, [(name, i % 2, 1) for i, name in enumerate(old_names())])
    run(config, load_dataset(data), before)
    rows = [(name, i % 2, 1) for i, name in enumerate(sorted(new_names()) + old_names())]
    dataset = grown(data)
    label(data, rows)
    dataset, append = load_dataset(data), replace(config, append=True)
    whole = contents(run(append, dataset, copy(before, tmp_path / "whole")))
    old = FeatureCache(before)
    for number in itertools.count(0, step):
        out = copy(before, tmp_path / f"stopped-{number}")
        try:
            with stopped_from(number):
                run(append, dataset, out)
        except Stopped:
            pass
        else:
            break
        cache = FeatureCache(out)  # all that was there can be read
        assert cache.ids[:OLD] == old_names() and len(cache.labels) == len(cache)
        assert cache.read(None, range(OLD)).tobytes() == old.read().tobytes()
        assert all("Delete" not in line for line in find_faults(out))
        run(append, dataset, out)
        assert contents(out) == whole
        shutil.rmtree(out)
    # Index, labels, manifest; two files of two shards; index and view: each synced and renamed.
    assert number >= 3 * 9


def test_an_append_that_was_stopped_is_finished_without_the_option(config, data, before, tmp_path):
    dataset, append = grown(data), replace(config, append=True)
    whole = contents(run(append, dataset, copy(before, tmp_path / "whole")))
    try:
        with stopped_from(3 * 3):  # after the manifest and before the first shard
            run(append, dataset, before)
    except Stopped:
        pass
    assert read_manifest(before)["index"]["rows"] in (OLD, OLD + NEW)
    if read_manifest(before)["index"]["rows"] == OLD + NEW:
        run(config, dataset, before)
    else:
        run(append, dataset, before)
    assert contents(before) == whole


def test_parts_of_a_job_array_append_together(config, data, before, tmp_path):
    dataset, append = grown(data), replace(config, append=True)
    whole = contents(run(append, dataset, copy(before, tmp_path / "whole")))
    for parts in ([0, 1], [1, 0]):
        out = copy(before, tmp_path / f"c{parts[0]}")
        for i in parts:
            run(replace(append, part=(i, 2)), dataset, out)
        assert contents(out) == whole


def test_an_append_to_a_cache_that_is_not_finished(config, data, before, tmp_path):
    dataset, append = grown(data), replace(config, append=True)
    whole = contents(run(append, dataset, copy(before, tmp_path / "whole")))
    for name in ("shard-00000.h5", "maps-00002.h5"):
        (before / name).unlink()
    run(append, dataset, before)
    assert contents(before) == whole


def test_failed_rows_stay_and_are_retried(config, data, tmp_path):
    good = (data / "images" / "m09.png").read_bytes()
    (data / "images" / "m09.png").write_bytes(bytes(len(good)))
    config = replace(config, max_failures=0.5)
    out = run(config, load_dataset(data), tmp_path / "c")
    dataset = grown(data)
    run(replace(config, append=True), dataset, out)
    assert [row.status for row in FeatureCache(out).index].count("undecodable") == 1
    (data / "images" / "m09.png").write_bytes(good)
    run(replace(config, retry_failed=True), dataset, out)
    cache = FeatureCache(out)
    assert len(cache.valid_rows) == OLD + NEW and list(find_faults(out)) == []


def test_a_cache_that_is_open_reads_on(config, data, before):
    cache = FeatureCache(before)
    values = cache.read()
    run(replace(config, append=True), grown(data), before)
    assert cache.read().tobytes() == values.tobytes()
    fresh = FeatureCache(before)
    assert fresh.read(None, range(OLD)).tobytes() == values.tobytes()


def test_caches_of_one_append_are_merged(config, data, before, tmp_path):
    dataset, append = grown(data), replace(config, append=True)
    parts = []
    for i in range(2):
        parts.append(copy(before, tmp_path / f"part{i}"))
        run(replace(append, part=(i, 2)), dataset, parts[-1])
    merge(tmp_path / "c", parts)
    assert list(find_faults(tmp_path / "c")) == []
    assert len(FeatureCache(tmp_path / "c").valid_rows) == OLD + NEW
    with pytest.raises(InputError, match="index.rows"):
        merge(tmp_path / "d", [before, parts[0]])


def test_appending_to_nothing_is_an_extraction(config, data, before, tmp_path):
    out = run(replace(config, append=True), load_dataset(data), tmp_path / "c")
    assert contents(out) == contents(before)


def test_labels_of_old_rows_are_kept_and_new_ones_added(config, data, tmp_path, capsys):
    label(data, [(name, 0, 1) for name in old_names()])
    out = run(config, load_dataset(data), tmp_path / "c")
    text = (out / "labels.csv").read_text().replace("m04.png,0,1", "m04.png,1,-1")
    (out / "labels.csv").write_text(text)
    run(config, load_dataset(data), out)
    assert "labels.csv is kept: 2 of its labels differ from the data" in capsys.readouterr().err
    assert (out / "labels.csv").read_text() == text
    grown(data)
    lines = ["image,dog,bird", *(f"{n},1,0" for n in sorted(new_names()) + old_names())]
    (data / "labels.csv").write_text("\n".join(lines) + "\n")
    run(replace(config, append=True), load_dataset(data), out)
    cache = FeatureCache(out)
    assert cache.label_names == ("cat", "dog", "bird")
    assert cache.labels[4].tolist() == [1, -1, 0]
    assert cache.labels[OLD].tolist() == [-1, 1, 0]
    (out / "labels.csv").unlink()
    run(config, load_dataset(data), out)
    assert FeatureCache(out).label_names == ("dog", "bird")
    assert FeatureCache(out).ids[:OLD] == old_names()


def test_labels_of_other_images_are_not_replaced(config, data, before):
    (before / "labels.csv").write_text("image,cat\nother.png,1\n")
    with pytest.raises(InputError, match=r"lists other images than the cache.*move it away"):
        run(config, load_dataset(data), before)
    assert (before / "labels.csv").read_text() == "image,cat\nother.png,1\n"


FOREIGN = ("labels.csv", "index.csv", "features.h5", "shard-00000.h5", "maps-00000.h5")


@pytest.mark.parametrize("name", [*FOREIGN, "manifest.json"])
def test_a_folder_with_files_of_others_is_left_alone(config, data, tmp_path, name):
    out = tmp_path / "c"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        run(config, load_dataset(data), out)
    assert contents(out) == {name: b"mine"}


def test_the_folder_of_the_data_set_and_other_files_beside_a_cache(config, data, tmp_path):
    label(data, [(name, 0, 1) for name in old_names()])
    text = (data / "labels.csv").read_text()
    with pytest.raises(InputError, match=r"holds images and no manifest.json"):
        run(config, load_dataset(data), data)
    assert (data / "labels.csv").read_text() == text
    out = run(config, load_dataset(data), tmp_path / "c")
    (out / "notes.txt").write_text("mine")
    run(config, load_dataset(data), out)
    assert (out / "notes.txt").read_text() == "mine"


def test_the_command_line(config, data, before, capsys):
    words = ["--data", data, "--out", before, "--backbone", config.backbone, "--weights"]
    words += ["random:0", "--layers", *config.layers, "--shard-rows", "4", "--append"]
    grown(data)
    main([*map(str, words), "--dry-run"])
    assert "15 images, " in capsys.readouterr().out
    assert len(read_index(before)) == OLD
    main([*map(str, words)])
    assert len(FeatureCache(before).valid_rows) == OLD + NEW
    with pytest.raises(InputError, match="has 1 "):
        add_images(data, ["n.png"], seed=2)
        estimate(Job(config, load_dataset(data), before))
