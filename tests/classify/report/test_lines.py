"""Result files as scores of named ways to train."""

import json
import shutil

import pytest

from classify.report import results_part
from classify.report.files import check_labels, read_files
from classify.report.lines import choose_metric, scored
from classify.report.origins import origin
from classify.report.page import Commands
from classify.report.predictions import choose_way, ways
from classify.results import read_results
from classify.sweep import sweep
from features.cache import FeatureCache
from features.errors import InputError
from tests.hostile.damage import overwrite


def write(path, header, lines, **first):
    text = [json.dumps({"header": header, **first}), *map(json.dumps, lines)]
    overwrite(path, ("\n".join(text) + "\n").encode())
    return path


def other_file(path, cache, lines, key=("learner", "n_train", "seed"), **first):
    """Write a file of another command: its lines, under a header that names the cache."""
    manifest = FeatureCache(cache).manifest_hash
    header = {"caches": [{"manifest": manifest}], "splits": "s", "key": list(key)}
    return write(path, header, lines, **first)


def test_a_sweeps_lines_are_its_selected_ones(place):
    (file,) = read_files([place.sweep, place.sweep], FeatureCache(place.cache))
    found = scored([file])
    _, lines = read_results(place.sweep)
    assert [one.line for one in found] == [line for line in lines if line["selected"]]
    assert {one.name for one in found} == {"l1, none", "l2, none"}
    assert all(one.values["map"] == one.line["map"] for one in found)
    assert {one.repeat[1] for one in found} == set(range(5))


def test_c_is_part_of_a_name_where_it_was_not_chosen(place, tmp_path):
    out = sweep(
        place.cache, tmp_path / "s.jsonl", learner=["l2"], C=(0.1, 1.0), splits=2, select="none",
        scaling=["none", "max"], jobs=1,
    )  # fmt: skip
    names = {one.name for one in scored(read_files([out], FeatureCache(place.cache)))}
    assert names == {f"l2, {s}, C = {C}" for s in ("none", "max") for C in ("0.1", "1")}


def test_files_with_other_numbers_of_the_same_splits_are_told_apart(place, tmp_path):
    one = sweep(place.cache, tmp_path / "all.jsonl", learner=["l2"], C=[1], splits=2, jobs=1)
    two = sweep(
        place.cache, tmp_path / "low.jsonl", learner=["l2"], C=[1], splits=2, layers=["net/low"],
        jobs=1,
    )  # fmt: skip
    cache = FeatureCache(place.cache)
    names = {line.name for line in scored(read_files([one, two], cache))}
    assert names == {"l2, none (all)", "l2, none (low)"}
    copy = shutil.copy(one, tmp_path / "copy.jsonl")
    found = scored(read_files([one, copy], cache))  # the same numbers are no second way to train
    assert {line.name for line in found} == {"l2, none"} and len(found) == 2


def test_lines_of_other_commands_have_places_on_axes(place, tmp_path):
    lines = [
        {"learner": name, "n_train": n, "seed": s, "map": n / 100 + s / 1000, "error": None}
        for name in ("a", "b") for n in (5, 10) for s in (0, 1)
    ]  # fmt: skip
    path = other_file(tmp_path / "t.jsonl", place.cache, lines, run={"command": "make it"})
    (file,) = read_files([path], FeatureCache(place.cache))
    found = scored([file])
    assert file.command == "make it" and not file.is_sweep
    assert found[0].places == {"n_train": 5} and found[0].name == "a"


@pytest.mark.parametrize("value", [None, True, "0.5", 10**400])
def test_only_numbers_are_values(place, tmp_path, value):
    line = {"learner": "a", "n_train": 5, "seed": 0, "map": value, "coverage": 0.5}
    path = other_file(tmp_path / "t.jsonl", place.cache, [line])
    (found,) = scored(read_files([path], FeatureCache(place.cache)))
    assert found.values == {"coverage": 0.5}


def test_failed_lines_are_left_out_and_counted(place, tmp_path):
    header, lines = read_results(place.sweep)
    lines[-1] |= {"error": "ValueError: no"}
    path = write(tmp_path / "s.jsonl", header, lines)
    (file,) = read_files([path], FeatureCache(place.cache))
    assert file.failed == 1 and len(scored([file])) == 9


def test_results_of_another_cache_are_refused(place, tmp_path):
    header, lines = read_results(place.sweep)
    path = write(tmp_path / "s.jsonl", {**header, "manifest": "0" * 64}, lines)
    with pytest.raises(InputError, match=r"s.jsonl holds results of manifest 0+, and .* has "):
        read_files([path], FeatureCache(place.cache))


def test_results_of_other_labels_are_refused(place):
    cache = FeatureCache(place.cache)
    files = read_files([place.sweep], cache)
    check_labels(files, cache.label_names, cache.labels, cache.folder)
    changed = cache.labels.copy()
    changed[0, 0] ^= 1
    with pytest.raises(InputError, match="was learned from other labels than those of new.csv"):
        check_labels(files, cache.label_names, changed, "new.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"C": "all"}, "line 1 has no C that a sweep could have"),
        ({"select": 3, "metric": None}, "line 1 has no select, metric"),
        ({"key": ["part", "what", "round"]}, "lacks part|no scores of learners"),
        ({"key": ["split"]}, "no scores of learners over splits"),
    ],
)
def test_a_damaged_or_foreign_header_is_one_line(place, tmp_path, change, message):
    header, lines = read_results(place.sweep)
    if change.get("key") == ["split"]:
        lines = lines[:1]
    path = write(tmp_path / "s.jsonl", {**header, **change}, lines)
    with pytest.raises(InputError, match=message):
        read_files([path], FeatureCache(place.cache))


def test_a_file_without_a_metric_is_one_line(place, tmp_path):
    header, lines = read_results(place.sweep)
    without = [line for line in lines if not line["selected"]]
    for kept, reason in (
        ([], "let the sweep end"),
        (without, "example_ap has no value inside the training images, .* another --metric"),
        ([without[0] | {"error": "ValueError: no"}], "fits failed, the first by ValueError: no"),
    ):
        path = write(tmp_path / "s.jsonl", header, kept)
        with pytest.raises(InputError, match=rf"No line of .*s.jsonl has a metric: {reason}"):
            scored(read_files([path], FeatureCache(place.cache)))


def test_what_is_no_file_is_one_line(place, tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError, match="is no file: give files of result lines"):
            read_files([path], FeatureCache(place.cache))


def test_the_metric_is_the_sweeps_unless_it_is_given(place):
    files = read_files([place.sweep], FeatureCache(place.cache))
    lines = scored(files)
    assert choose_metric(files, lines, None) == "example_ap"
    files[0].header["metric"] = "map"
    assert choose_metric(files, lines, None) == "map"
    files[0].header["metric"] = "accuracy"
    assert choose_metric(files, lines, None) == "example_ap"
    with pytest.raises(InputError, match="The 'metric' option must be one of example_ap, .*accu"):
        choose_metric(files, lines, "accuracy")


def test_a_damaged_sweep_is_a_page_or_one_line(place, tmp_path, monkeypatch):
    """Every field of a header and of a line, with what doesn't belong there."""
    cache = FeatureCache(place.cache)
    header, lines = read_results(place.sweep)
    odd = (None, True, -1, 1e300, 10**400, "x", [], {}, "\ud800")
    changes = [({**header, name: value}, lines) for name in header for value in odd]
    changes += [
        (header, [{**lines[1], name: value}, *lines[2:]])
        for name in lines[1]
        for value in odd
        if not isinstance(value, list | dict)
    ]
    pages = 0
    monkeypatch.setattr(results_part, "curve_figure", lambda lines, key, **kinds: key)
    for changed, kept in changes:
        path = write(tmp_path / "s.jsonl", changed, kept)
        try:
            files = read_files([path], cache)
            check_labels(files, cache.label_names, cache.labels, cache.folder)
            found = scored(files)
            metric = choose_metric(files, found, None)
            results_part.sections(files, found, metric, Commands([]))
            for one in ways(found, metric, cache):
                choose_way([one], None)
            origin(files[0], cache, None)
            pages += 1
        except InputError as error:
            assert "\n" not in str(error)
    assert 20 < pages < len(changes)
