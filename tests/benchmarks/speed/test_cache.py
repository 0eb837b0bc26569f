"""``speed cache`` on small made-up caches: every step runs, and targets follow from lines."""

import numpy as np
import pytest

from benchmarks.speed.cache import run, worker
from benchmarks.speed.cache.made_up import write_cache
from benchmarks.speed.cache.report import AFTER, BEFORE, STEPS, page
from classify.results import read_results
from features.cache import FeatureCache
from features.errors import InputError
from tests.folders import results_in


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    write_cache(folder, 3000)
    return folder


def test_a_made_up_cache_is_whole(made_up):
    cache = FeatureCache(made_up)
    assert len(cache) == 3000 and cache.excluded == "3 of 3000 rows excluded: 3 undecodable"
    assert np.isfinite(cache.read()).all()
    assert cache.index[996].message == "not an image"
    assert cache.index[1999].sha256 == cache.index[1998].sha256 != cache.index[1997].sha256


@pytest.mark.parametrize("step", worker.STEPS)
def test_every_step_runs_and_leaves_the_cache_as_it_was(made_up, step):
    before = {path.name: path.read_bytes() for path in made_up.iterdir()}
    worker.STEPS[step](made_up)
    assert {path.name: path.read_bytes() for path in made_up.iterdir()} == before


def test_a_step_is_measured_in_a_process_of_its_own(made_up):
    found = run._measured("open", made_up, run.HERE)
    assert found["seconds"] > 0 and 1 < found["peak_mb"] < 500
    with pytest.raises(InputError, match="The step 'none' of .* failed: KeyError: 'none'"):
        run._measured("none", made_up, run.HERE)


def test_lines_give_the_page(tmp_path, monkeypatch, capsys):
    asked = []

    def measured(step, cache, checkout):
        asked.append(checkout)
        return {"seconds": 1e-4 * len(FeatureCache(cache)), "peak_mb": 100.0}

    monkeypatch.setattr(run, "_measured", measured)
    given = {"before": run.HERE, "before_rows": 1000, "folder": tmp_path}
    text = run.speed_cache(tmp_path / "page.md", rows=(1000, 2000), **given)
    header, lines = read_results(tmp_path / "page.jsonl")
    assert len(lines) == 3 * len(STEPS) == len(asked)
    assert {one["version"] for one in lines if one["rows"] == 2000} == {AFTER}
    assert sum(one["version"] == BEFORE for one in lines) == len(STEPS)
    assert page(header, lines) == text == (tmp_path / "page.md").read_text()
    assert [path.name for path in results_in(tmp_path)] == ["page.jsonl", "page.md"]
    slow = [{**one, "seconds": 1e-9 * one["rows"] ** 3} for one in lines]
    assert "does not hold" in page(header, slow) and "does not hold" not in text


def test_steps_are_those_of_the_worker_and_bad_options_are_refused(tmp_path):
    assert tuple(worker.STEPS) == STEPS
    with pytest.raises(InputError, match="is no checkout of this project"):
        run.speed_cache(tmp_path / "page.md", before=tmp_path)
    with pytest.raises(InputError, match="rows"):
        run.speed_cache(tmp_path / "page.md", rows=(10,))
