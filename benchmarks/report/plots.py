"""Learning curves and races as pictures. The one place that needs matplotlib."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import InputError
from features.files import atomic_write

_DASHES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


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
        A curve a learner.
    references : mapping of str to float
        Results to compare with, as horizontal lines.
    xlabel : str
    log : bool
        Whether the axis of places is logarithmic.
    bottom : float, optional
        Where the axis of the metric starts; by default below all that is drawn.
    """

    title: str
    curves: Mapping[str, Curve]
    references: Mapping[str, float]
    xlabel: str = "training images"
    log: bool = False
    bottom: float | None = None


class Trace(NamedTuple):
    """One solver at several settings: seconds, and distance from the optimum as a share of it."""

    points: Sequence[tuple[float, float]]  # joined in this order
    default: tuple[float, float] | None  # drawn as a star


def draw_curves(panels: Sequence[Panel], path: Path, title: str) -> None:
    """Draw panels side by side, with error bars, to a PNG.

    The same numbers give the same bytes under one version of matplotlib.

    Parameters
    ----------
    panels : sequence of Panel
    path : Path
    title : str

    Raises
    ------
    InputError
        Where matplotlib isn't installed.
    """
    with _figure(path, (4 * len(panels), 3.6), "learning curves were not drawn") as figure:
        columns = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(columns, panels, strict=True):
            _draw(axes, panel)
        figure.suptitle(title)


def draw_race(races: Mapping[str, Mapping[str, Trace]], path: Path, title: str) -> None:
    """Draw how near to the optimum each solver comes in how many seconds, both logarithmic, to PNG.

    Parameters
    ----------
    races : mapping of str to mapping of str to Trace
        By title of a panel, then by name of a solver.
    path : Path
    title : str

    Raises
    ------
    InputError
        Where matplotlib isn't installed.
    """
    with _figure(path, (6.4 * len(races), 4.8), "the race was not drawn") as figure:
        columns = figure.subplots(1, len(races), squeeze=False)[0]
        for axes, (name, traces) in zip(columns, races.items(), strict=True):
            for number, (solver, trace) in enumerate(traces.items()):
                _draw_trace(axes, solver, trace, number)
            axes.set(xscale="log", yscale="log", title=name)
            axes.set(xlabel="seconds for all labels", ylabel="objective / optimum - 1, worst label")
            axes.grid(alpha=0.3)
            axes.legend(fontsize="x-small")
        figure.suptitle(title)


@contextmanager
def _figure(path: Path, inches: tuple[float, float], undone: str) -> Iterator[Any]:
    """Give an empty figure and write it to `path` when the block ends well."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            f"{undone}, as matplotlib is missing: pip install -e '.[plots]' and run the same "
            "command again"
        ) from None
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=inches, layout="constrained")
        yield figure
        with atomic_write(path) as temporary:
            # Without the version in its metadata the file depends on the picture alone.
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _draw_trace(axes, solver: str, trace: Trace, number: int) -> None:
    colour = f"C{number % 10}"
    if trace.points:
        seconds, excesses = zip(*trace.points, strict=True)
        axes.plot(seconds, excesses, marker="o", ms=3, color=colour, label=solver)
    if trace.default:
        axes.plot(*trace.default, marker="*", ms=11, color=colour, linestyle="none")


def _draw(axes, panel: Panel) -> None:
    for name, curve in panel.curves.items():
        axes.errorbar(
            curve.places, curve.means, curve.stds, label=name, marker="o", ms=3, capsize=2
        )
    for (name, value), style in zip(panel.references.items(), cycle(_DASHES), strict=False):
        axes.axhline(value, color="0.4", linestyle=style, label=name)
    if panel.log:
        axes.set_xscale("log")
    axes.set_ylim(bottom=panel.bottom)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.xlabel)
    axes.legend(fontsize="small")
