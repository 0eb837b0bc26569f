import numpy as np

from benchmarks.speed import imcl
from benchmarks.speed.imcl_reference import literal_omp, omp_by_query


def test_tables_of_a_small_run(tmp_path, capsys):
    text = imcl.speed_imcl(
        tmp_path / "speed.md",
        queries=20,
        candidates=40,
        features=12,
        labels=8,
        k=3,
        rounds=1,
        literal_queries=4,
        growth=[60, 90],
        growth_features=6,
        memory_rows=70,
        memory_features=5,
        memory_labels=20,
        folder=tmp_path,
    )
    assert (tmp_path / "speed.md").read_text() == text
    assert capsys.readouterr().out == text + "\n"
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    for name in (
        "joint_omp, this project",
        "literal loop (4 queries, scaled)",
        "scikit-learn, features alone (4 queries, scaled)",
        "90 x 6, 8 labels",
        "70 x 5, 20 labels",
    ):
        assert name in firsts
    assert "4; weights differ by" in text
    assert [path.name for path in tmp_path.iterdir()] == ["speed.md"]


def test_loops_find_the_same():
    Z, F, Y, G = imcl.draw_pursuit(10, 50, 16, 9)
    for y, f in zip(Y, G, strict=True):
        assert omp_by_query(y, f, Z, F, k=4) == literal_omp(y, f, Z, F, k=4)[0]


def test_drawn_rows_have_few_known_labels(tmp_path):
    X, Y = imcl.mapped_problem(tmp_path, 5000, 64, 200)
    assert abs(np.linalg.norm(X, axis=1).mean() - 1) < 0.02
    assert 11 < (Y >= 0).sum(axis=1).mean() <= 12
    assert 2.9 < (Y == 1).sum(axis=1).mean() <= 3
