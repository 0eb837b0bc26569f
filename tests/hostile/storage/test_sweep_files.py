"""Sweeps onto files of others, edited result lines, odd options, fits that fail, full disks."""

import errno
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from classify.__main__ import main
from classify.learners import LEARNERS, Learner
from classify.results import ResultFile, header_of, read_results
from classify.storage.provenance import hash_labels, hash_labels_as_text
from classify.sweep import KEY, parse_C, sweep
from features.cache import FeatureCache
from features.command_line import run_command
from features.errors import InputError
from tests.caches import write_data, write_labeled_cache

ROOT = Path(__file__).parents[3]
N = 24
OPTIONS = {"learner": ["l2"], "C": [0.1, 1.0], "splits": 2, "folds": 2, "jobs": 1}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    Y = (X[:, :2] > 0).astype(int)
    data = write_data(folder / "data", [f"{i}.jpg" for i in range(N)], ["sea", "sky"], Y)
    return write_labeled_cache(folder / "cache", data, {"net/fc": X})


@pytest.fixture(scope="module")
def swept(cache, tmp_path_factory):
    return sweep(cache, tmp_path_factory.mktemp("out") / "s.jsonl", **OPTIONS).read_bytes()


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
def test_a_file_of_others_is_refused_before_it_is_touched(cache, tmp_path, content):
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(InputError, match="exists and is not a file of result lines"):
        sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == content and path.stat().st_mtime == 1
    assert [one.name for one in tmp_path.iterdir()] == ["s.jsonl"]


@pytest.mark.parametrize("name", ["labels.csv", "manifest.json", "index.csv", "shard-00000.h5"])
def test_the_files_of_a_cache_are_no_result_files(cache, tmp_path, name):
    folder = tmp_path / "cache"
    shutil.copytree(cache, folder)
    before = (folder / name).read_bytes()
    with pytest.raises(InputError, match="is not a file of result lines"):
        sweep(folder, folder / name, **OPTIONS)
    assert (folder / name).read_bytes() == before


def test_folders_devices_pipes_and_dangling_links_are_refused(cache, tmp_path):
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
            sweep(cache, tmp_path / name, **OPTIONS)
    assert len(list(tmp_path.iterdir())) == 4 and (tmp_path / "dangling").is_symlink()


def test_a_link_to_a_result_file_stays_a_link(cache, swept, tmp_path):
    path, link = tmp_path / "store.jsonl", tmp_path / "s.jsonl"
    path.write_bytes(swept[: swept.rindex(b"\n", 0, -1) + 5])
    link.symlink_to(path)
    sweep(cache, link, **OPTIONS)
    assert link.is_symlink() and path.read_bytes() == swept


def test_a_refused_sweep_leaves_another_sweeps_half_line(cache, swept, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept + b'{"half')
    with pytest.raises(InputError, match="folds: there 2, here 3"):
        sweep(cache, path, **{**OPTIONS, "folds": 3})
    assert path.read_bytes() == swept + b'{"half'
    sweep(cache, path, **OPTIONS)
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
def test_an_edited_line_is_named_and_nothing_is_lost(cache, swept, tmp_path, edit, message):
    first, second, *rest = swept.splitlines(keepends=True)
    line = json.loads(second)
    edit(line)
    content = b"".join([first, json.dumps(line).encode() + b"\n", *rest])
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"s.jsonl, line [23] {message}"):
        sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == content


REPEATED = b'{"learner": "l1", "scaling": "none", "split": 9, "C": 1.0, "split": 8}'


@pytest.mark.parametrize(
    "raw", [b"NaN", b"[]", b"{}", b'{"C": NaN}', b'{"C": 1}}', b"\xff", REPEATED]
)
def test_a_line_that_is_no_line_is_named(cache, swept, tmp_path, raw):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept + raw + b"\n")
    with pytest.raises(InputError, match="s.jsonl, line 6 is damaged: remove that line"):
        sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == swept + raw + b"\n"


def test_lines_with_other_ends_are_read(cache, swept, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(swept.replace(b"\n", b"\r\n"))
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == swept


# What changed since a sweep began


def test_other_labels_features_and_order_are_noticed(cache, swept, tmp_path):
    path, folder = tmp_path / "s.jsonl", tmp_path / "cache"
    path.write_bytes(swept)
    labels = tmp_path / "labels.csv"
    text = (cache / "labels.csv").read_text()
    labels.write_text(text.replace("0.jpg,1", "0.jpg,0", 1))
    with pytest.raises(InputError, match="something else: labels: there "):
        sweep(cache, path, **OPTIONS, labels=labels)
    labels.write_text(text.replace("sea", "see"))
    with pytest.raises(InputError, match="something else: labels: there "):
        sweep(cache, path, **OPTIONS, labels=labels)
    X = FeatureCache(cache).read()
    write_labeled_cache(folder, cache.parent / "data", {"net/fc": X + 1})
    with pytest.raises(InputError, match="something else: features: there "):
        sweep(folder, path, **OPTIONS)
    assert path.read_bytes() == swept


def test_labels_are_told_apart_by_names_values_and_shape():
    Y = np.array([[1, 0], [1, -1]], dtype=np.int8)
    others = [(["a", "c"], Y), (["a", "b"], Y.T), (["a,b"], Y.reshape(4, 1)), (["a", "b"], -Y)]
    hashes = {hash_labels(names, labels) for names, labels in [(["a", "b"], Y), *others]}
    assert len(hashes) == 5
    assert hash_labels(("a", "b"), np.asfortranarray(Y)) == hash_labels(["a", "b"], Y)


def test_a_file_of_an_earlier_version_is_gone_on_with(cache, swept, tmp_path):
    first, *lines = swept.splitlines(keepends=True)
    header = json.loads(first)["header"]
    header.pop("features")
    features = FeatureCache(cache)
    header["labels"] = hash_labels_as_text(features.label_names, features.labels)
    earlier = json.dumps({"header": header}, ensure_ascii=False).encode() + b"\n"
    path = tmp_path / "s.jsonl"
    path.write_bytes(earlier + lines[0])
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == earlier + b"".join(lines)
    header["labels"] = "0" * 64
    path.write_bytes(json.dumps({"header": header}).encode() + b"\n")
    with pytest.raises(InputError, match="something else: labels: there 0000"):
        sweep(cache, path, **OPTIONS)


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "The 'seed' option must be an int in the range [0, "),
        (["--jobs", "0"], "The 'jobs' option must be an int in the range [1, "),
        (["--jobs", "-2"], "The 'jobs' option must be an int in the range [1, "),
        (["--splits", "0"], "The 'splits' option must be an int in the range [1, "),
        (["--folds", "1"], "The 'folds' option must be an int in the range [2, "),
        (["--folds", "17"], "17 folds need as many rows, and "),
        (["--C", "nan"], "The 'C' option must be a float in the range (0, inf). Got nan"),
        (["--C", "1:inf:3"], "The 'C' option must be a float in the range (0, inf). Got inf"),
        (["--C", "0:1:3"], "The 'C' option must be a float in the range (0, inf). Got 0.0"),
        (["--C=-1:1:3"], "The 'C' option must be a float in the range (0, inf). Got -1.0"),
        (["--C", "1:2:0"], "The 'COUNT of C' option must be an int in the range [1, 10000]. Got 0"),
        (["--C", "1:2:99999999999"], "must be an int in the range [1, 10000]. Got 99999999999"),
        (["--C", "1:2:3.5"], "The 'C' option must be LOW:HIGH:COUNT"),
        (["--C", ""], "The 'C' option must be LOW:HIGH:COUNT"),
        (["--C", "²"], "The 'C' option must be LOW:HIGH:COUNT"),
        (
            ["--splits", "²"],
            "The 'splits' option must be an int in the range [1, 2147483647]. Got '²'",
        ),
        (["--dask", "nowhere"], "nowhere"),
        (["--layers", "net/none"], "must be one of net/fc. Got 'net/none'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_odd_options_are_one_line_and_leave_no_file(cache, tmp_path, capsys, options, message):
    out = tmp_path / "s.jsonl"
    with pytest.raises(SystemExit) as left:
        run_command(lambda: main(["sweep", str(cache), "--out", str(out), *options]))
    error = capsys.readouterr().err
    assert left.value.code == 1 and error.startswith("error: ") and message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_range_of_one_value_and_twice_the_same_learner(cache, tmp_path):
    assert parse_C("2:8:1") == [2.0] and parse_C("8:2:2") == [8.0, 2.0]
    options = {**OPTIONS, "learner": ["l2", "l2"], "scaling": ["none", "none"], "C": [1.0, 1.0]}
    _, lines = read_results(sweep(cache, tmp_path / "s.jsonl", **options))
    assert len(lines) == 2


# Fits that fail


class Diverging:
    """Its weights are NaN from C = 1 on."""

    def __init__(self, C):
        self.C = C

    def fit(self, X, Y):
        self.coef_ = np.full((Y.shape[1], X.shape[1]), np.nan if self.C >= 1 else 0.5)
        return self

    def decision_function(self, X):
        return X @ self.coef_.T


def test_a_fit_of_NaN_is_a_failed_line_and_the_exit_code_says_so(
    cache, tmp_path, monkeypatch, capsys
):
    record = Learner("l2", "NaN from C = 1 on", f"{__name__}:Diverging")
    monkeypatch.setitem(LEARNERS, "l2", record)
    out = tmp_path / "s.jsonl"
    words = ["sweep", str(cache), "--out", str(out), "--learner", "l2", "l1", "--C", "0.1,1"]
    words += ["--splits", "2", "--folds", "2", "--jobs", "1"]
    assert main(words) == 1
    _, lines = read_results(out)
    assert len(lines) == 8
    for line in lines:
        failed = line["learner"] == "l2" and line["C"] == 1
        assert (line["error"] is not None) == failed
        assert (line["inner"] is None) == failed
    assert sum(line["selected"] for line in lines) == 4
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: 2 of 8 fits failed; the first: learner l2, scaling none, split ")
    assert said.endswith("scores are not finite")
    assert main(words) == 1  # nothing is left to run, and the failed lines are told again


@pytest.mark.filterwarnings("ignore")  # of values that overflow
def test_features_that_no_fit_survives_end_no_sweep(cache, tmp_path):
    X = FeatureCache(cache).read() * 1e30
    folder = write_labeled_cache(tmp_path / "cache", cache.parent / "data", {"net/fc": X})
    path = sweep(folder, tmp_path / "s.jsonl", **{**OPTIONS, "scaling": ["none", "max"]})
    _, lines = read_results(path)
    assert {line["scaling"] for line in lines if line["error"] is None} >= {"max"}
    for line in lines:
        assert (line["error"] is None) == (line["inner"] is not None)


# Stops


def test_a_full_disk_is_named_and_keeps_whole_lines(cache, swept, tmp_path, monkeypatch):
    path, write, count = tmp_path / "s.jsonl", os.write, 0

    def full(descriptor, data):
        nonlocal count
        count += 1
        if count > 1:
            write(descriptor, bytes(data)[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr("classify.results.os.write", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*s.jsonl'"):
            sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == b"".join(swept.splitlines(keepends=True)[:2])
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == swept


def test_a_killed_worker_is_one_line(cache, tmp_path, monkeypatch):
    class Killed:
        def __init__(self, **options):
            pass

        def __call__(self, tasks):
            raise TerminatedWorkerError("A worker process managed by the executor was killed")
            yield

    monkeypatch.setattr("classify.parallel.Parallel", Killed)
    with pytest.raises(InputError, match="a process of --jobs 1 was killed, most likely because"):
        sweep(cache, tmp_path / "s.jsonl", **OPTIONS)
    header, lines = read_results(tmp_path / "s.jsonl")
    assert header["folds"] == 2 and lines == []


def create_at_once(path, barrier, results):
    barrier.wait()
    try:
        with ResultFile(path, key=("split",), header={"seed": 0}) as file:
            file.append({"split": 0})
            results.put("")
            barrier.wait()
            file.finish()
    except InputError as error:
        results.put(str(error))
        barrier.wait()


def test_of_two_creations_at_once_the_second_gets_one_line(tmp_path):
    context = multiprocessing.get_context("fork")
    for number in range(3):
        path = tmp_path / f"{number}.jsonl"
        barrier, results = context.Barrier(2), context.SimpleQueue()
        children = [
            context.Process(target=create_at_once, args=(path, barrier, results)) for _ in range(2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
        said = sorted([results.get(), results.get()])
        assert said[0] == "" and "is being written by another run" in said[1]
        assert read_results(path)[1] == [{"split": 0}]


def sweep_in_ascii(words, closed, told):
    """Be a sweep whose stdout or stderr is closed, and whose other one takes ASCII only."""
    kept = 3 - closed
    goes_to = os.open(told if kept == 2 else "/dev/full", os.O_WRONLY | os.O_CREAT)
    os.dup2(goes_to, kept)
    os.close(closed)
    stream = open(kept, "w", encoding="ascii", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (None, stream) if closed == 1 else (stream, None)
    run_command(lambda: main(words))


@pytest.mark.parametrize("closed", [1, 2])
def test_ascii_output_and_closed_streams_are_no_traceback(cache, tmp_path, closed):
    out, told = tmp_path / "s.jsonl", tmp_path / "stderr"
    words = ["sweep", str(cache), "--learner", "l2", "--C", "1", "--splits", "2", "--jobs", "1"]
    arguments = ([*words, "--out", str(out)], closed, told)
    child = multiprocessing.get_context("fork").Process(target=sweep_in_ascii, args=arguments)
    child.start()
    child.join()
    assert child.exitcode == closed - 1  # nobody reads stdout: no error; it is full: one
    assert "Traceback" not in (told.read_text() if told.exists() else "")
    assert len(read_results(out)[1]) == 2


TIDIED = {
    "the last line's end is gone": lambda raw: raw.rstrip(b"\n"),
    "other line ends, and the last is gone": lambda raw: raw.replace(b"\n", b"\r\n").rstrip(),
    "blank lines": lambda raw: raw.replace(b"\n", b"\n\n"),
    "blank lines at the end": lambda raw: raw + b"\n \n",
}


@pytest.mark.parametrize("kind", TIDIED)
def test_no_line_is_lost_that_an_editor_has_left_whole(cache, swept, tmp_path, kind):
    path = tmp_path / "s.jsonl"
    path.write_bytes(TIDIED[kind](swept))
    assert read_results(path) == read_results(_file(tmp_path / "whole.jsonl", swept))
    header = {name: value for name, value in header_of(path).items() if name != "key"}
    with ResultFile(path, key=KEY, header=header) as file:
        assert len(file.lines) == len(swept.splitlines()) - 1
        file.append({**file.lines[-1], "split": 99})
    assert len(read_results(path)[1]) == len(swept.splitlines())
    path.write_bytes(TIDIED[kind](swept))
    sweep(cache, path, **OPTIONS)
    assert path.read_bytes() == swept


def _file(path, content):
    path.write_bytes(content)
    return path
