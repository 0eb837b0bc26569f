"""Sweeps onto files of others, edited result lines, and what changed since a sweep began."""

import json
import os
import shutil

import numpy as np
import pytest

from classify.results import ResultFile, header_of, read_results
from classify.storage.provenance import hash_labels, hash_labels_as_text
from classify.sweep import KEY, sweep
from features.cache import FeatureCache
from features.errors import InputError
from tests.caches import SMALL_SWEEP, write_labeled_cache

FOREIGN = {
    "a line without its end": b"my notes, not yours",
    "labels.csv": b"image,a\n1.jpg,1\n",
    "JSON lines of someone else": b'{"image": "1.jpg"}\n{"image": "2.jpg"}\n',
    "a header of another kind": b'{"header": ["image"]}\n',
    "a header without a key": b'{"header": {"seed": 0}}\n',
    "a key that is no list": b'{"header": {"key": "split"}}\nhalf',
    "JSON over several lines": b'{\n"header": {}\n}\nhalf',
    "nested JSON": b"[" * 100_000,
    "an empty file": b"",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "no UTF-8": b'{"header": {"key": ["\xff"]}}\n',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=list(FOREIGN))
def test_a_file_of_others_is_refused_before_it_is_touched(labeled, tmp_path, content):
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(InputError, match="exists and is not a file of result lines"):
        sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == content and path.stat().st_mtime == 1
    assert [one.name for one in tmp_path.iterdir()] == ["s.jsonl"]


@pytest.mark.parametrize("name", ["labels.csv", "manifest.json", "index.csv", "shard-00000.h5"])
def test_the_files_of_a_cache_are_no_result_files(labeled, tmp_path, name):
    folder = tmp_path / "cache"
    shutil.copytree(labeled, folder)
    before = (folder / name).read_bytes()
    with pytest.raises(InputError, match="is not a file of result lines"):
        sweep(folder, folder / name, **SMALL_SWEEP)
    assert (folder / name).read_bytes() == before


def test_folders_devices_pipes_and_dangling_links_are_refused(labeled, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    for name, message in {
        "pipe": "is a named pipe",
        "dangling": "is a symbolic link to nothing",
        "device": "is a device",
        "folder": "is a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            sweep(labeled, tmp_path / name, **SMALL_SWEEP)
    assert len(list(tmp_path.iterdir())) == 4 and (tmp_path / "dangling").is_symlink()


def test_a_link_to_a_result_file_stays_a_link(labeled, swept, tmp_path):
    path, link = tmp_path / "store.jsonl", tmp_path / "s.jsonl"
    path.write_bytes(swept[: swept.rindex(b"\n", 0, -1) + 5])
    link.symlink_to(path)
    sweep(labeled, link, **SMALL_SWEEP)
    assert link.is_symlink() and path.read_bytes() == swept


def test_a_refused_sweep_leaves_another_sweeps_half_line(labeled, swept, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept + b'{"half')
    with pytest.raises(InputError, match="folds: there 2, here 3"):
        sweep(labeled, path, **{**SMALL_SWEEP, "folds": 3})
    assert path.read_bytes() == swept + b'{"half'
    sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept


EDITS = {
    "no error field": (lambda line: line.pop("error"), "has error missing"),
    "no metric": (lambda line: line.pop("map"), "has map missing"),
    "text for a number": (lambda line: line.update(inner="high"), "has inner 'high'"),
    "a flag for a number": (lambda line: line.update(inner=True), "has inner True"),
    "a number for a flag": (lambda line: line.update(selected=1), "has selected 1"),
    "an error that is no text": (lambda line: line.update(error=False), "has error False"),
    "no key": (lambda line: line.pop("split"), "lacks split"),
    "a list in the key": (lambda line: line.update(split=[1]), "is damaged"),
    "a nested value": (lambda line: line.update(map={"a": 1}), "is damaged"),
    "another line's key": (lambda line: line.update(C=1.0), "repeats learner 'l2'"),
}


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=list(EDITS))
def test_an_edited_line_is_named_and_nothing_is_lost(labeled, swept, tmp_path, edit, message):
    first, second, *rest = swept.splitlines(keepends=True)
    line = json.loads(second)
    edit(line)
    content = b"".join([first, json.dumps(line).encode() + b"\n", *rest])
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"s.jsonl, line [23] {message}"):
        sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == content


REPEATED = b'{"learner": "l1", "scaling": "none", "split": 9, "C": 1.0, "split": 8}'


@pytest.mark.parametrize(
    "raw", [b"NaN", b"[]", b"{}", b'{"C": NaN}', b'{"C": 1}}', b"\xff", REPEATED]
)
def test_a_line_that_is_no_line_is_named(labeled, swept, tmp_path, raw):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept + raw + b"\n")
    with pytest.raises(InputError, match="s.jsonl, line 6 is damaged: remove that line"):
        sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept + raw + b"\n"


def test_lines_with_other_ends_are_read(labeled, swept, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept.replace(b"\n", b"\r\n"))
    sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept


# What changed since a sweep began


def test_other_labels_features_and_order_are_noticed(labeled, swept, tmp_path):
    path, folder = tmp_path / "s.jsonl", tmp_path / "cache"
    path.write_bytes(swept)
    labels = tmp_path / "labels.csv"
    text = (labeled / "labels.csv").read_text()
    labels.write_text(text.replace("0.jpg,1", "0.jpg,0", 1))
    with pytest.raises(InputError, match="something else: labels: there "):
        sweep(labeled, path, **SMALL_SWEEP, labels=labels)
    labels.write_text(text.replace("sea", "see"))
    with pytest.raises(InputError, match="something else: labels: there "):
        sweep(labeled, path, **SMALL_SWEEP, labels=labels)
    X = FeatureCache(labeled).read()
    write_labeled_cache(folder, labeled.parent / "data", {"net/fc": X + 1})
    with pytest.raises(InputError, match="something else: features: there "):
        sweep(folder, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept


def test_labels_are_told_apart_by_names_values_and_shape():
    Y = np.array([[1, 0], [1, -1]], dtype=np.int8)
    others = [(["a", "c"], Y), (["a", "b"], Y.T), (["a,b"], Y.reshape(4, 1)), (["a", "b"], -Y)]
    hashes = {hash_labels(names, labels) for names, labels in [(["a", "b"], Y), *others]}
    assert len(hashes) == 5
    assert hash_labels(("a", "b"), np.asfortranarray(Y)) == hash_labels(["a", "b"], Y)


def test_a_file_of_an_earlier_version_is_gone_on_with(labeled, swept, tmp_path):
    first, *lines = swept.splitlines(keepends=True)
    header = json.loads(first)["header"]
    header.pop("features")
    features = FeatureCache(labeled)
    header["labels"] = hash_labels_as_text(features.label_names, features.labels)
    earlier = json.dumps({"header": header}, ensure_ascii=False).encode() + b"\n"
    path = tmp_path / "s.jsonl"
    path.write_bytes(earlier + lines[0])
    sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == earlier + b"".join(lines)
    header["labels"] = "0" * 64
    path.write_bytes(json.dumps({"header": header}).encode() + b"\n")
    with pytest.raises(InputError, match="something else: labels: there 0000"):
        sweep(labeled, path, **SMALL_SWEEP)


TIDIED = {
    "the last line's end is gone": lambda raw: raw.rstrip(b"\n"),
    "other line ends, and the last is gone": lambda raw: raw.replace(b"\n", b"\r\n").rstrip(),
    "blank lines": lambda raw: raw.replace(b"\n", b"\n\n"),
    "blank lines at the end": lambda raw: raw + b"\n \n",
}


@pytest.mark.parametrize("kind", TIDIED)
def test_no_line_is_lost_that_an_editor_has_left_whole(labeled, swept, tmp_path, kind):
    path = tmp_path / "s.jsonl"
    path.write_bytes(TIDIED[kind](swept))
    assert read_results(path) == read_results(_file(tmp_path / "whole.jsonl", swept))
    header = {name: value for name, value in header_of(path).items() if name != "key"}
    with ResultFile(path, key=KEY, header=header) as file:
        assert len(file.lines) == len(swept.splitlines()) - 1
        file.append({**file.lines[-1], "split": 99})
    assert len(read_results(path)[1]) == len(swept.splitlines())
    path.write_bytes(TIDIED[kind](swept))
    sweep(labeled, path, **SMALL_SWEEP)
    assert path.read_bytes() == swept


def _file(path, content):
    path.write_bytes(content)
    return path
