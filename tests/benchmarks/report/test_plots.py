"""Pictures of curves: their bytes depend on the numbers alone, and a name keeps its color."""

import matplotlib
import pytest
from PIL import Image

from benchmarks.report import plots
from benchmarks.report.plots import Curve, Panel, Trace, draw_convergence, draw_curves

DPI = 120


def panel(*names, **options):
    curves = {name: Curve([1, 2], [0.5, 0.6], [0.1, 0.1]) for name in names}
    return Panel("a.p.", curves, {"published": 0.7}, **options)


@pytest.fixture
def figures(monkeypatch):
    """The figures, which are not written."""
    kept = []
    monkeypatch.setattr(plots, "_save_png", lambda figure, path: kept.append(figure))
    return kept


def test_the_same_numbers_give_the_same_bytes_whatever_the_user_set(tmp_path):
    draw_curves([panel("ours")], tmp_path / "one.png", "title")
    with matplotlib.rc_context({"lines.linewidth": 9, "savefig.transparent": True}):
        draw_curves([panel("ours")], tmp_path / "again.png", "title")
    draw_curves([panel("theirs")], tmp_path / "other.png", "title")
    one, again, other = ((tmp_path / f"{x}.png").read_bytes() for x in ("one", "again", "other"))
    assert one == again != other
    with Image.open(tmp_path / "one.png") as image:
        assert (image.format, image.size) == ("PNG", (4 * DPI, 432))


def test_a_name_has_one_color_in_all_panels(figures, tmp_path):
    draw_curves([panel("a", "b"), panel("b", log=True)], tmp_path / "x.png", "title")
    first, second = figures[0].axes
    of_a, of_b = (bars.lines[0].get_color() for bars in first.containers)
    assert of_a != of_b == second.containers[0].lines[0].get_color()
    assert (first.get_xscale(), second.get_xscale()) == ("linear", "log")


def test_many_curves_share_one_legend_and_panels_fill_rows_of_five(figures, tmp_path):
    names = [f"learner {k}" for k in range(6)]
    draw_curves([panel(*names)] * 7, tmp_path / "x.png", "title")
    [figure] = figures
    assert figure.get_size_inches().tolist() == [4 * 5 + 2, 2 * 3.6]
    assert len(figure.axes) == 7 and not any(axes.get_legend() for axes in figure.axes)
    [legend] = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {*names, "published"}


def test_convergence_has_a_line_a_solver_and_a_star_for_its_default(figures, tmp_path):
    traces = {"ours": Trace([(0.1, 1e-2), (0.2, 1e-4)], (0.15, 1e-3)), "bare": Trace([], None)}
    draw_convergence({"L1": traces, "L2": traces}, tmp_path / "x.png", "title")
    for axes in figures[0].axes:
        line, star = axes.get_lines()
        assert line.get_xydata().tolist() == [[0.1, 1e-2], [0.2, 1e-4]]
        assert (star.get_marker(), star.get_xydata().tolist()) == ("*", [[0.15, 1e-3]])
        assert star.get_color() == line.get_color()
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        figures[0].canvas.draw()
        labels = [one.get_text() for one in (*axes.get_xticklabels(), *axes.get_yticklabels())]
        assert "1" in labels and not any("$" in label for label in labels)
