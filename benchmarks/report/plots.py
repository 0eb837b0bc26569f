"""Learning curves and convergence of solvers as pictures. The one place that needs matplotlib."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import needs_extra
from features.files.unchanged import atomic_rewrite

_COLORS = 128  # of a picture
_DASHES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D")
_ACROSS = 5  # panels in a row
_INSIDE = 5  # names in a legend; more would hide the curves


class Curve(NamedTuple):
    """Mean and standard deviation of a metric at each place along an axis."""

    places: Sequence[float]
    means: Sequence[float]
    stds: Sequence[float]


class Panel(NamedTuple):
    """One metric.

    Attributes
    ----------
    title : str
    curves : mapping of str to Curve
        One curve per learner.
    references : mapping of str to float
        Results to compare with, as horizontal lines.
    xlabel : str
    log : bool
        Whether the axis of places is logarithmic.
    bottom : float, optional
        Where the axis of the metric starts; by default below all that is drawn.
    ylabel : str
    """

    title: str
    curves: Mapping[str, Curve]
    references: Mapping[str, float]
    xlabel: str = "training images"
    log: bool = False
    bottom: float | None = None
    ylabel: str = ""


class Trace(NamedTuple):
    """One solver at several settings: seconds, and distance from the optimum as a share of it."""

    points: Sequence[tuple[float, float]]  # joined in this order
    default: tuple[float, float] | None  # drawn as a star


def draw_curves(panels: Sequence[Panel], path: Path, title: str) -> None:
    """Draw panels side by side, up to five in a row, with error bars, to a PNG.

    Many curves share one legend beside all panels, and a name has one color in all of them. The
    same numbers give the same bytes under one version of matplotlib.

    Parameters
    ----------
    panels : sequence of Panel
    path : Path
    title : str

    Raises
    ------
    InputError
        matplotlib isn't installed.
    """
    across = min(len(panels), _ACROSS)
    down = -(-len(panels) // across)
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    shared = len(names) > _INSIDE
    with _figure((4 * across + 2 * shared, 3.6 * down)) as figure:
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes, panel in zip(places, panels, strict=False):
            _draw(axes, panel, names)
            if shared:
                axes.get_legend().remove()
        for axes in places[len(panels) :]:
            axes.remove()
        if shared:
            handles: dict[str, Any] = {}
            for axes in places[: len(panels)]:
                found = zip(*axes.get_legend_handles_labels(), strict=True)
                handles |= {name: handle for handle, name in found}
            figure.legend(handles.values(), handles, loc="outside right upper")
        figure.suptitle(title)
        _save_png(figure, path)


def curves_svg(panel: Panel) -> str:
    """Draw one panel as an SVG element to embed in a page, with a tick at each place.

    Text stays text, and the same numbers give the same element under one version of matplotlib.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    str
        ``<svg ...>...</svg>`` with all names escaped.

    Raises
    ------
    InputError
        matplotlib isn't installed.
    """
    with _figure((5.2, 3.4)) as figure:
        axes = figure.subplots()
        _draw(axes, panel)
        sizes = sorted({size for curve in panel.curves.values() for size in curve.places})
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.set_xticks([], minor=True)
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]


def draw_convergence(panels: Mapping[str, Mapping[str, Trace]], path: Path, title: str) -> None:
    """Draw each solver's distance from the optimum over its seconds, both logarithmic, to a PNG.

    Parameters
    ----------
    panels : mapping of str to mapping of str to Trace
        By title of a panel, then by name of a solver.
    path : Path
    title : str

    Raises
    ------
    InputError
        matplotlib isn't installed.
    """
    with _figure((6.4 * len(panels), 4.8)) as figure:
        columns = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, traces) in zip(columns, panels.items(), strict=True):
            for number, (solver, trace) in enumerate(traces.items()):
                _draw_trace(axes, solver, trace, number)
            _logarithmic(axes, "x")
            _logarithmic(axes, "y")
            axes.set(
                title=name,
                xlabel="seconds for all labels",
                ylabel="objective / optimum - 1, worst label",
            )
            axes.grid(alpha=0.3)
            axes.legend(fontsize="x-small")
        figure.suptitle(title)
        _save_png(figure, path)


@contextmanager
def _figure(inches: tuple[float, float]) -> Iterator[Any]:
    """Give an empty figure under fixed settings, whatever the user's matplotlibrc holds."""
    with needs_extra("plots", "The picture of the curves", "do without it; all else is written"):
        import matplotlib
        from matplotlib.figure import Figure
    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    settings |= {"svg.fonttype": "none", "svg.hashsalt": "curves", "text.parse_math": False}
    with matplotlib.rc_context(settings):
        yield Figure(figsize=inches, layout="constrained")


def _save_png(figure: Any, path: Path) -> None:
    """Write a picture of few colors: a quarter of the bytes, and without matplotlib's version."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    with atomic_rewrite(path) as temporary, Image.open(drawn) as image:
        image.convert("RGB").quantize(_COLORS).save(temporary, format="png", optimize=True)


def _logarithmic(axes: Any, name: str) -> None:
    """Make an axis logarithmic, with its numbers as plain text: formulas are not parsed."""
    from matplotlib.ticker import LogFormatter

    getattr(axes, f"set_{name}scale")("log")
    axis = getattr(axes, f"{name}axis")
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # where a decade is all


def _draw_trace(axes: Any, solver: str, trace: Trace, number: int) -> None:
    color = f"C{number % 10}"
    if trace.points:
        seconds, excesses = zip(*trace.points, strict=True)
        axes.plot(seconds, excesses, marker="o", ms=3, color=color, label=solver)
    if trace.default:
        axes.plot(*trace.default, marker="*", ms=11, color=color, linestyle="none")


def _draw(axes: Any, panel: Panel, names: Sequence[str] = ()) -> None:
    """Draw a panel; a curve's place among `names`, or in the panel, gives its color and marker."""
    order = list(names or panel.curves)
    for name, curve in panel.curves.items():
        place = order.index(name)
        look: dict[str, Any] = {"marker": _MARKERS[place % len(_MARKERS)], "color": f"C{place}"}
        axes.errorbar(curve.places, curve.means, curve.stds, label=name, ms=3, capsize=2, **look)
    for (name, value), style in zip(panel.references.items(), cycle(_DASHES), strict=False):
        axes.axhline(value, color="0.4", linestyle=style, label=name)
    if panel.log:
        _logarithmic(axes, "x")
    axes.set_ylim(bottom=panel.bottom)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.xlabel)
    axes.set_ylabel(panel.ylabel)
    axes.legend(fontsize="small")
