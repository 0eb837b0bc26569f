import time
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.catalog import CATALOG
from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.speed import memory
from benchmarks.speed.warp import peers, report, scaling
from benchmarks.speed.warp.peers import (
    IMPLEMENTATIONS,
    loop_epoch,
    make_problem,
    objective,
    torch_pairwise,
)
from benchmarks.speed.warp.run import parse_size
from benchmarks.stored import read_stored, store
from classify.losses.ranking import pairwise_loss
from classify.losses.warp import warp_loss
from classify.warp.tagger import WarpTagger
from features.command_line import load, parse
from features.errors import InputError

SMALL = (
    "speed warp --rows 400 --features 12 --labels 6 --rounds 1 --loop-rows 20 "
    "--scaling 300x8x5 600x8x5 --propagation 60x30x8"
)


def test_the_command_writes_lines_that_give_its_page(tmp_path, capsys):
    words = [*SMALL.split(), "--out", str(tmp_path / "speed.md")]
    run, options = parse([CATALOG["speed-warp"].command], "python -m benchmarks", "", words)
    text = load(run)(**options)
    assert (tmp_path / "speed.md").read_text() == text == capsys.readouterr().out
    stored = read_stored(store(tmp_path / "speed.jsonl", "speed/x", {}, folder=tmp_path))
    assert report.page(stored.header, stored.lines) == text
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    names = [one.name for one in IMPLEMENTATIONS]
    targets = ["RMLC over the loop", "exponent of an epoch's time, 300 to 600 rows"]
    for name in (*names, *targets, "WARP, LightFM", "300 x 8, 5 labels", "matrix product alone"):
        assert name in firsts


@pytest.mark.parametrize(
    ("times", "verdicts"),
    [
        ((1.5, 1.0, 3.0), [HOLDS, HOLDS, HOLDS, HOLDS]),
        ((1.6, 1.0, 3.1), [FAILS, FAILS, FAILS, FAILS]),
    ],
)
def test_verdicts_follow_from_the_lines(times, verdicts):
    ours, torch, loop = times
    slow = verdicts[0] == FAILS
    more = {"round": 0, "loss": 1.0, "average_precision": 0.5, "seconds": 1.0, "peak_mb": 1.0}

    def line(part, what, seconds, **fields):
        return {"part": part, "what": what, "cpu_seconds": seconds, **more, **fields}

    sizes = [{"rows": rows, "features": 2, "labels": 3} for rows in (10, 100)]
    lines = [
        line("epoch", report.RMLC, ours, rows=100),
        line("epoch", report.TORCH, torch, rows=100),
        line("epoch", "loop", loop, rows=2),
        *(line("scaling", str(n), [1.0, 20.0 if slow else 10.0][n], **sizes[n]) for n in (0, 1)),
        line("propagation", report.PRODUCTS, 0.79 if slow else 0.8),
        line("propagation", report.OURS, 1.0),
    ]
    header = {"machine": "a machine", "epochs": "100 rows", "propagation": "10 rows"}
    text = report.page(header, lines)
    found = [one.split("|")[-2].strip() for one in text.splitlines() if one.startswith("|")]
    assert [word for word in found if word in (HOLDS, FAILS)] == verdicts


def test_what_is_absent_is_not_shown():
    header = {"machine": "a machine", "epochs": "100 rows", "propagation": "10 rows"}
    absent = {"part": "propagation", "what": report.FAISS, "round": 0, "seconds": None}
    text = report.page(header, [absent])
    assert f"| {report.FAISS}" in text and "absent" in text and NOT_SHOWN in text


def test_sizes_are_three_numbers():
    for text in ("3x4", "3x4x0", "axbxc"):
        with pytest.raises(InputError, match="give three numbers, as in 100000x512x80"):
            parse_size(text)


def test_the_loop_is_that_of_ramp_loss_warp():
    X, Y = make_problem(2, 5, 7)
    expected = np.zeros((7, 5))
    # Near zero everything violates, so that the first draw does whatever the order.
    for x, y in zip(X, Y, strict=True):
        _, gradient = warp_loss((expected @ x)[None], y[None])
        expected -= gradient.T @ x[None] / 20 / 96
    np.testing.assert_allclose(loop_epoch(X, Y), expected, rtol=1e-4, atol=1e-7)


def test_the_pairwise_loss_of_torch_is_this_one(monkeypatch):
    # Two epochs see no fall of the rate, which torch applies to the past of the momentum as well.
    monkeypatch.setattr(peers, "EPOCHS", 2)
    X, Y = make_problem(60, 9, 7)  # one batch: the orders of the rows do not count
    ours = WarpTagger("pairwise", center=False, learning_rate=1.0, epochs=2).fit(X, Y)
    scale = np.linalg.norm(X, axis=1).mean()
    coef, intercept = torch_pairwise(X / np.float32(scale), Y)
    np.testing.assert_allclose(ours.coef_ * scale, coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, intercept, rtol=1e-4, atol=1e-5)


def test_the_objective_is_the_mean_of_the_loss_that_is_minimized():
    X, Y = make_problem(50, 8, 6)
    coef, intercept = np.random.default_rng(0).normal(size=(6, 8)), np.zeros(6)
    (pairwise,) = [one for one in IMPLEMENTATIONS if one.fit is torch_pairwise]
    expected = pairwise_loss(X @ coef.T, Y)[0].mean() / 20
    assert objective(pairwise, X, Y, coef, intercept) == pytest.approx(expected)


def test_made_problems_have_three_labels_a_row_and_rows_of_length_one():
    X, Y = make_problem(500, 64, 10)
    np.testing.assert_array_equal(Y.sum(axis=1), 3)
    assert abs(np.linalg.norm(X, axis=1).mean() - 1) < 0.02


def test_a_cache_of_many_shards_gives_the_fit_of_its_array(tmp_path):
    X, Y = scaling.cache_of(tmp_path / "scaling.cache", (4500, 8, 5))
    assert len(list((tmp_path / "scaling.cache").glob("shard-*.h5"))) == 3
    mapped, whole = (WarpTagger(epochs=2).fit(data, Y) for data in (X, np.asarray(X)))
    np.testing.assert_array_equal(mapped.coef_, whole.coef_)
    np.testing.assert_array_equal(mapped.decision_function(X), whole.decision_function(X[:]))


def test_allocations_are_watched():
    size = 80 << 20
    with memory.peak_memory() as peak:
        held = np.ones(size // 8)
        waiting = iter(range(6000))
        while peak["bytes"] < 0.9 * size and next(waiting, None) is not None:
            time.sleep(0.01)
        del held
    assert 0.9 * size < peak["bytes"] < 2 * size


def test_memory_that_was_freed_before_counts_again():
    np.ones(30 << 17)  # freed at once: blocks up to its size come from the heap from now on
    freed, above = [np.ones(20 << 17) for _ in range(6)], [np.ones(100) for _ in range(2000)]
    freed.clear()  # a hole in the heap, kept from shrinking by what lies above
    with memory.peak_memory() as peak:
        held = np.ones(80 << 17)
    assert above and 0.9 * held.nbytes < peak["bytes"] < 2 * held.nbytes


def test_what_is_held_at_the_end_counts_even_if_nobody_watched(monkeypatch):
    sizes = iter([100, 700])
    monkeypatch.setattr(memory, "_allocated", lambda: next(sizes))
    monkeypatch.setattr(
        memory.threading, "Thread", lambda target: SimpleNamespace(start=int, join=int)
    )
    with memory.peak_memory() as peak:
        pass
    assert peak["bytes"] == 600
