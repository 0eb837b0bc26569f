import numpy as np
import pytest

from benchmarks.report.claims import FAILS, HOLDS, NOT_SHOWN
from benchmarks.speed.imcl.data import make_pursuit, mapped_problem
from benchmarks.speed.imcl.reference import loop_omp, omp_by_query
from benchmarks.speed.imcl.report import LOOP, OURS, PRODUCTS, page
from benchmarks.speed.imcl.run import speed_imcl
from benchmarks.stored import read_stored, store
from features.errors import InputError

SMALL = {"queries": 20, "candidates": 40, "features": 12, "labels": 8, "k": 3, "rounds": 1}
SMALL |= {"loop_queries": 4, "scaling": [60, 90], "scaling_features": 6}
SMALL |= {"memory_rows": 70, "memory_features": 5, "memory_labels": 20}


def test_the_command_writes_lines_that_give_its_page(tmp_path, capsys):
    text = speed_imcl(tmp_path / "speed.md", **SMALL)
    assert (tmp_path / "speed.md").read_text() == text == capsys.readouterr().out
    stored = read_stored(store(tmp_path / "speed.jsonl", "speed/x", {}, folder=tmp_path))
    assert page(stored.header, stored.lines) == text
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    for name in (
        OURS,
        f"{LOOP} (4 queries, scaled)",
        "scikit-learn, features alone (4 queries, scaled)",
        "90 x 6, 8 labels",
        "70 x 5, 20 labels",
    ):
        assert name in firsts
    assert "4; weights differ by" in text
    with pytest.raises(InputError, match="rounds"):
        speed_imcl(**{**SMALL, "rounds": 0})


@pytest.mark.parametrize(
    ("loop", "products", "same", "verdicts"),
    [
        (50.0, 0.6, 4, [HOLDS, HOLDS, HOLDS]),
        (49.0, 0.59, 3, [FAILS, FAILS, FAILS]),
        (None, None, None, [NOT_SHOWN, NOT_SHOWN]),
    ],
)
def test_verdicts_follow_from_the_lines(loop, products, same, verdicts):
    lines = [
        {"part": "pursuit", "what": name, "round": 0, "queries": 4, "cpu_seconds": value}
        for name, value in ((OURS, 1.0), (LOOP, loop), (PRODUCTS, products))
        if value is not None
    ]
    one = {"part": "agreement", "what": "neighbors", "round": 0, "neighbors": 2.0, "queries": 4}
    if same is not None:
        lines.append({**one, "same": same, "difference": 1e-9})
    text = page({"machine": "a machine", "pursuit": "4 queries"}, lines)
    found = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("|")]
    assert [word for word in found if word in (HOLDS, FAILS, NOT_SHOWN)] == verdicts


def test_loops_find_the_same():
    Z, F, Y, G = make_pursuit(10, 50, 16, 9)
    for y, f in zip(Y, G, strict=True):
        assert omp_by_query(y, f, Z, F, k=4) == loop_omp(y, f, Z, F, k=4)[0]


def test_made_rows_have_few_known_labels(tmp_path):
    X, Y = mapped_problem(tmp_path, 5000, 64, 200)
    assert abs(np.linalg.norm(X, axis=1).mean() - 1) < 0.02
    assert 11 < (Y >= 0).sum(axis=1).mean() <= 12
    assert 2.9 < (Y == 1).sum(axis=1).mean() <= 3
