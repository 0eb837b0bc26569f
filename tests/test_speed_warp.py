import numpy as np

from benchmarks import speed_warp
from classify.ranking_losses import warp_loss


def test_tables_of_a_small_run(tmp_path, capsys):
    text = speed_warp.run(
        tmp_path / "speed.md",
        rows=400,
        features=12,
        labels=6,
        rounds=1,
        literal_rows=20,
        growth=[(300, 8, 5)],
        propagation=(60, 30, 8),
        folder=tmp_path,
    )
    assert (tmp_path / "speed.md").read_text() == text
    assert capsys.readouterr().out == text + "\n"
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    for name in ("RMLC (ramp, kappa 5)", "cross-entropy, torch", "300 x 8, 5 labels"):
        assert name in firsts
    assert [path.name for path in tmp_path.iterdir()] == ["speed.md"]


def test_the_literal_loop_is_warp():
    X, Y = speed_warp.draw_problem(1, 5, 7)
    W = speed_warp.literal_epoch(X, Y)
    # From zero scores everything violates, so that the first draw does whatever the order.
    _, gradient = warp_loss(np.zeros((1, 7)), Y, beta=0.0, kappa=0.0)
    np.testing.assert_allclose(W, -gradient.T @ X / 20, rtol=1e-5)


def test_drawn_problems_have_three_labels_a_row_and_rows_of_length_one():
    X, Y = speed_warp.draw_problem(500, 64, 10)
    np.testing.assert_array_equal(Y.sum(axis=1), 3)
    assert abs(np.linalg.norm(X, axis=1).mean() - 1) < 0.02
