"""`features merge`: parts of one extraction give the whole, after kills too."""

import errno
import multiprocessing
import os
import resource
import signal

import numpy as np
import pytest

from features import files, schema
from features.cache import FeatureCache
from features.commands.info import describe_rows
from features.commands.merge import merge
from features.commands.verify import find_faults
from features.errors import InputError
from features.index import read_index
from features.manifest import read_manifest, write_or_check
from tests.features.labeled import LABELS, labeled, tree
from tests.features.test_cache import (
    ROWS,
    make_dataset,
    make_manifest,
    values,
    write_shards,
)
from tests.features.test_verify import flip, replace, swap_lines, truncate

# merge


PARTS = {"a": (0,), "b": (2,), "c": (1, 2)}


@pytest.fixture
def parts(tmp_path):
    return [labeled(tmp_path / name, numbers, bad=(3,)) for name, numbers in PARTS.items()]


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_merged_parts_equal_an_undivided_run(tmp_path, parts, links, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    before = [tree(part) for part in parts]
    out = merge(tmp_path / "deep" / "out", parts)
    whole = tree(labeled(tmp_path / "whole", bad=(3,)))
    assert tree(out) == whole
    assert (out / "shard-00001.h5").samefile(parts[2] / "shard-00001.h5") == links
    assert not (out / "labels.csv").samefile(parts[0] / "labels.csv")
    assert list(find_faults(out)) == []
    assert [tree(part) for part in parts] == before
    merge(out, parts)
    assert tree(out) == whole
    (out / schema.VIEW).unlink()
    replace(schema.INDEX, "ok", "pending")(out)
    merge(out, [out])  # which is how a view or a stale index is rebuilt
    assert tree(out) == whole


def _no_links(source, target):
    raise OSError(errno.EPERM, "links are not for this file system")


def test_what_no_part_holds_stays_pending(tmp_path, parts):
    out = merge(tmp_path / "out", parts[:2])
    assert describe_rows(out) == (
        f"{out}: 23 rows, 14 with features\n  9 of 23 rows excluded: 1 undecodable, 8 pending"
    )
    (faults,) = {fault.split(" ")[1] for fault in find_faults(out)}
    assert faults == "is"  # missing
    np.testing.assert_array_equal(FeatureCache(out).labels, LABELS)
    merge(out, parts[2:])
    assert len(FeatureCache(out).valid_rows) == ROWS - 1


def test_a_cache_may_be_merged_into(tmp_path, parts):
    merge(parts[0], parts[1:])
    assert tree(parts[0]) == tree(labeled(tmp_path / "whole", bad=(3,)))


def _merge_until(out, parts, limit, before):
    """Merge, and die at rename number `limit`, just before it or just after."""
    publish = files.publish
    count = 0

    def dying(temporary, path):
        nonlocal count
        count += 1
        if count < limit or not before:
            publish(temporary, path)
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    files.publish = dying
    merge(out, parts)
    os._exit(0)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_killed_merge_leaves_whole_files_and_can_be_run_again(tmp_path, parts, before):
    whole = tree(labeled(tmp_path / "whole", bad=(3,)))
    growing = {schema.INDEX, schema.VIEW}
    limit, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        limit += 1
        out = tmp_path / f"out-{limit}"
        child = multiprocessing.get_context("fork").Process(
            target=_merge_until, args=(out, parts, limit, before)
        )
        child.start()
        child.join()
        code = child.exitcode
        for name, content in tree(out).items():
            if not name.endswith(files.TEMPORARY) and name not in growing:
                assert content == whole[name]
        merge(out, parts)
        assert tree(out) == whole
    assert code == 0
    assert limit == 10  # labels, 3 x (maps, shard), index, view; then it lives


@pytest.mark.parametrize("other", [False, True], ids=["same", "other"])
def test_a_shard_whose_maps_alone_were_merged_is_taken_again(tmp_path, parts, other):
    out = merge(tmp_path / "out", parts)
    whole = tree(out)
    (out / "shard-00001.h5").unlink()
    if other:
        files.write_bytes(out / "maps-00001.h5", (out / "maps-00000.h5").read_bytes())
    merge(out, parts)
    assert tree(out) == whole


def refused(message, out, *parts):
    with pytest.raises(InputError, match=message) as caught:
        merge(out, parts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["file", "file/inside", "gone"])
def test_a_file_in_place_of_the_folder_is_left_as_it_is(tmp_path, parts, name):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "gone").symlink_to("nowhere")
    refused(f"{name} can't be made: a file stands where a folder", tmp_path / name, *parts)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_of_someone_else_is_left_as_it_is(tmp_path, parts):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels.csv").write_text("image,cat\na.jpg,1\n")
    refused("holds labels.csv and no manifest.json, so it is no", tmp_path / "out", *parts)
    assert os.listdir(tmp_path / "out") == ["labels.csv"]


def test_other_settings_are_refused_with_every_key(tmp_path, parts):
    other = tmp_path / "other"
    other.mkdir()
    write_or_check(other, make_manifest(make_dataset(other), dtype="float16", shard_rows=4))
    every_key = "dtype: there float16, here float32; shard_rows: there 4, here 8"
    out = tmp_path / "out"
    refused(f"other, unlike .*a, was made with .*: {every_key}. Merge only", out, *parts, other)
    assert not out.exists()
    refused(f"other was made with .*: {every_key}. Give the same", other, *parts)
    assert [path.name for path in other.iterdir()] == ["manifest.json"]
    refused("nowhere is not a feature cache", out, parts[0], tmp_path / "nowhere")


def test_two_versions_of_a_shard_are_refused(tmp_path, parts):
    manifest = read_manifest(parts[2])
    write_shards(parts[2], manifest, numbers=(2,), bad=(16,))
    message = r"b/shard-00002.h5 and .*c/shard-00002.h5 are two versions of one shard .*. Delete"
    out = tmp_path / "out"
    refused(message, out, *parts)
    assert len(FeatureCache(out).valid_rows) == 15  # what came before is kept
    assert read_index(out)[7].status == "ok"
    (parts[1] / "shard-00002.h5").unlink()
    assert FeatureCache(merge(out, parts)).status[16] == schema.Status.UNDECODABLE


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip("shard-00002.h5", values("net/pool")[16].tobytes()), "c/shard-00002.h5: its bytes"),
        (truncate("shard-00001.h5", 1500), "c/shard-00001.h5 is no whole HDF5 file"),
        (truncate("maps-00001.h5", 0), "c/maps-00001.h5 is no whole HDF5 file"),
    ],
)
def test_a_damaged_shard_is_refused_wherever_it_is(tmp_path, parts, damage, message):
    damage(parts[2])
    refused(f"{message}.*. Delete this file and run extract again", tmp_path / "out", *parts)
    assert merge(tmp_path / "out", parts[:2])
    damage = flip("shard-00000.h5", values("net/pool")[0].tobytes())
    (tmp_path / "out/shard-00000.h5").unlink()
    (tmp_path / "out/shard-00000.h5").write_bytes((parts[0] / "shard-00000.h5").read_bytes())
    damage(tmp_path / "out")
    refused("out/shard-00000.h5: its bytes .*. Delete this file", tmp_path / "out", *parts[:2])


def test_labels_and_index_have_to_fit(tmp_path, parts):
    out = tmp_path / "out"
    replace("labels.csv", "jpg,1", "jpg,0")(parts[1])
    refused("a/labels.csv and .*b/labels.csv differ. Delete the wrong one", out, *parts)
    (parts[1] / "labels.csv").unlink()
    for part in (parts[0], parts[2]):
        replace("labels.csv", "ä1.jpg", "other.jpg")(part)
    refused("a/labels.csv lists other images", out, *parts)
    swap_lines("index.csv", 1, 2)(parts[0])
    refused("a/index.csv: row 1 stands .*Run extract again, .* another cache first", out, *parts)
    (parts[0] / "index.csv").unlink()
    refused("a/index.csv is missing", out, *parts)
    assert not out.exists()


def _merge_on_a_full_disk(out, parts, limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.link = _no_links
    try:
        merge(out, parts)
    except InputError as error:
        kept = "Its shards are kept. Free space or give write permission, then run the same"
        os._exit(7 if kept in str(error) else 8)
    os._exit(0)


@pytest.mark.parametrize("limit", [100, 2500, 3500])
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, parts, limit):
    out = tmp_path / "out"
    child = multiprocessing.get_context("fork").Process(
        target=_merge_on_a_full_disk, args=(out, parts, limit)
    )
    child.start()
    child.join()
    assert child.exitcode == 7
    assert not list(out.glob(f"*{files.TEMPORARY}"))
    assert tree(merge(out, parts)) == tree(labeled(tmp_path / "whole", bad=(3,)))
