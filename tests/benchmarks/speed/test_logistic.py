"""``speed logistic`` on tiny data: gaps are recomputed, and verdicts follow from lines."""

import json

import numpy as np
import pytest

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.speed.logistic import run, worker
from benchmarks.speed.logistic.report import AFTER, BEFORE, MANY, NO_LOSS, PRODUCT, page
from benchmarks.speed.sweep.data import Task
from benchmarks.speed.sweep.scaling import Generator, write_cache
from benchmarks.stored import read_stored, store
from features.cache import FeatureCache
from features.errors import InputError

SIZE = {"rows": 40, "columns": 8, "labels": 4}


def test_lines_give_the_page(tmp_path, monkeypatch, capsys):
    """Zeros in place of the earlier version's weights: their gap is found."""

    def measured(checkout, one, weights):
        if one.tol is None:
            return {"seconds": 1.0, "cpu_seconds": 1.0, "peak_mb": 10.0}
        early = checkout != run.HERE
        made = worker.fit(one.task.X, one.task.Y, one.penalty, one.Cs, one.tol)
        np.save(weights, made * (not early))
        seconds = 70.0 if one.penalty == "l1" else 2.0
        return {"seconds": seconds, "cpu_seconds": 9.0 if early else 2.0, "peak_mb": 20.0}

    (tmp_path / "earlier" / "classify").mkdir(parents=True)
    (tmp_path / "earlier" / "classify" / "logistic.py").touch()
    cache, split = tmp_path / "few.cache", tmp_path / "split.csv"
    write_cache(cache, *SIZE.values(), shard_rows=32)
    parts = [
        f"{id_},{'test' if k % 3 else 'train'}\n" for k, id_ in enumerate(FeatureCache(cache).ids)
    ]
    split.write_text("image,split\n" + "".join(parts))
    monkeypatch.setattr(run, "_measured", measured)
    given = {"before": tmp_path / "earlier", "cache": cache, "rounds": 2}
    given |= {"corel": cache, "corel_split": split, "corel_labels": 1}
    text = run.speed_logistic(tmp_path / "x.md", **SIZE, **given)
    assert (tmp_path / "x.md").read_text() == text == capsys.readouterr().out
    stored = read_stored(store(tmp_path / "x.jsonl", "speed/x", {}, folder=tmp_path))
    assert page(stored.header, stored.lines) == text
    gaps = {
        name: [one.get("gap") for one in stored.lines if one["version"] == name]
        for name in (PRODUCT, AFTER, BEFORE)
    }
    assert len(gaps[PRODUCT]) == 6 and set(gaps[PRODUCT]) == {None}
    assert len(gaps[AFTER]) == 7  # the path took over a minute
    assert max(gaps[AFTER]) <= 1e-2 and min(gaps[BEFORE]) > 0.1
    rows = [[cell.strip() for cell in row.split("|")][2:-1] for row in text.splitlines()]
    for row in (["at least 3 x", "4.5 x"], ["at most 1.1", "0.22"], ["at most 120", "70.00"]):
        assert [*row, HOLDS] in rows


@pytest.mark.parametrize(
    ("asked", "before", "gap", "expected"),
    [
        (MANY, 3.0, 1e-3, [HOLDS, HOLDS]),
        (MANY, 2.9, 2e-3, [FAILS, FAILS]),
        (MANY, None, 1e-3, [HOLDS, NOT_SHOWN]),
        (NO_LOSS, 0.8, 1e-3, [HOLDS, FAILS]),
        (NO_LOSS, None, 1e-3, [HOLDS]),
    ],
)
def test_verdicts_follow_from_the_lines(asked, before, gap, expected):
    times = {AFTER: 1.0} | ({} if before is None else {BEFORE: before})
    same = {"part": "fit", "round": 0, "problem": "made up", "asked": asked, "rows": 9, "tol": 1e-3}
    lines = [
        {
            **same,
            "what": name,
            "version": name,
            "cpu_seconds": time,
            "seconds": 1.0,
            "gap": gap,
            "peak_mb": 1.0,
        }
        for name, time in times.items()
    ]
    text = page({"machine": "m", "rounds": 1}, lines)
    rows = [line for line in text.splitlines() if line.startswith("| made up: ")]
    assert [row.split("|")[-2].strip() for row in rows[len(times) :]] == expected


def test_a_fit_in_a_process_of_its_own_keeps_its_weights(tmp_path):
    X, Y = Generator(SIZE["columns"], SIZE["labels"]).rows(SIZE["rows"])
    task = Task.make("made up", tmp_path / "task", X, Y)
    one = run.Problem(task, "l1", (0.5, 2.0), 1e-2, 1, 1.0)
    found = run._measured(run.HERE, one, tmp_path / "weights.npy")
    assert found["seconds"] > 0 and found["peak_mb"] > 1
    expected = worker.fit(task.X, task.Y, "l1", [0.5, 2.0], 1e-2)
    assert expected.shape == (2, SIZE["labels"], SIZE["columns"] + 1)
    assert np.allclose(np.load(tmp_path / "weights.npy"), expected)


def test_the_product_keeps_no_weights(tmp_path, capsys):
    np.save(tmp_path / "X.npy", np.ones((30, 5), dtype=np.float32))
    np.save(tmp_path / "Y.npy", np.ones((30, 2), dtype=np.int8))
    worker.main(str(tmp_path), "l2", "[1.0]", "null", str(tmp_path / "weights.npy"))
    assert json.loads(capsys.readouterr().out)["seconds"] >= 0
    assert not (tmp_path / "weights.npy").exists()


def test_bad_options_are_refused(tmp_path):
    for given in ({"rows": 2}, {"rounds": 0}):
        with pytest.raises(InputError, match=next(iter(given))):
            run.speed_logistic(**given)
    with pytest.raises(InputError, match="is no checkout of this project"):
        run.speed_logistic(before=tmp_path)
