"""The commands behind a page, from headers and lines."""

import csv
import shlex
import shutil

import pytest

from classify.__main__ import main
from classify.report.command import report
from classify.report.files import Results, read_files
from classify.report.origins import origin, sweep_command
from classify.results import read_results
from classify.sweep import sweep
from features.cache import FeatureCache
from features.errors import InputError
from features.splits import duplicate_groups, random_split, splits_hash


def command(path, cache, labels=None):
    cache = FeatureCache(cache)
    (file,) = read_files([path], cache)
    return sweep_command(file, cache, labels)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": ["net/low"]}, "--layers net/low"),
        ({"select": "none", "scaling": ["max", "std"]}, "--scaling max std"),
        ({"metric": "map", "seed": 7}, "--seed 7"),
        ({"C": [0.1, 3.0], "learner": ["l2"]}, "--learner l2"),
    ],
)
def test_a_sweep_can_be_run_again_from_its_file(place, tmp_path, options, words):
    given = {"C": [1.0], "splits": 2, "folds": 2, "learner": ["l1"], "jobs": 1, **options}
    out = sweep(place.cache, tmp_path / "s t.jsonl", **given)
    line = command(out, place.cache)
    assert words in line
    before = out.read_bytes()
    out.unlink()
    main([*shlex.split(line)[2:], "--jobs", "1"])
    assert out.read_bytes() == before


def test_other_labels_are_named_and_needed(place, tmp_path):
    text = (place.cache / "labels.csv").read_text().splitlines()
    text[1] = text[1].replace(",1", ",0")
    labels = tmp_path / "corrected.csv"
    labels.write_text("\n".join(text) + "\n")
    out = sweep(
        place.cache, tmp_path / "s.jsonl", C=[1.0], splits=2, folds=2, jobs=1, labels=labels
    )
    assert f"--labels {labels}" in command(out, place.cache, labels)
    assert "--labels" not in command(place.sweep, place.cache, labels)
    with pytest.raises(InputError, match="was learned from other labels than those of .*cache"):
        report([out], cache=place.cache, out=tmp_path / "r.html")
    page = report([out], cache=place.cache, out=tmp_path / "r.html", labels=labels, jobs=1)
    assert f"--labels {labels} --out" in page.read_text()


def test_splits_that_kept_equal_files_together_are_told_by_their_hash(place, tmp_path):
    folder = shutil.copytree(place.cache, tmp_path / "cache")
    with open(folder / "index.csv", newline="") as file:
        header, *rows = csv.reader(file)
    at = header.index("sha256")
    for k, row in enumerate(rows):
        row[at] = f"{k % 3:064}"
    with open(folder / "index.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    cache = FeatureCache(folder)
    header, lines = read_results(place.sweep)
    groups = duplicate_groups([row.sha256 for row in cache.index])
    drawn = [random_split(60, seed, groups=groups) for seed in range(5)]
    grouped = {**header, "splits": splits_hash(drawn, cache.ids)}
    for kept, said in ((header, False), (grouped, True)):
        line = sweep_command(Results(place.sweep, kept, "", lines), cache, None)
        assert ("--group-duplicates" in line) == said


def test_other_files_say_their_command_or_nothing(place):
    header = {"key": ["learner", "seed"]}
    assert origin(Results(place.sweep, header, "make it", []), None, None) == "make it"
    assert origin(Results(place.sweep, header, "", []), None, None) == ""
