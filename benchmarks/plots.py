"""Curves of a metric as a picture. The one place that needs matplotlib."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError
from features.files import replacing

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
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "the curves were not drawn, as matplotlib is missing: pip install -e '.[plots]' "
            "and run the same command again"
        ) from None
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(4 * len(panels), 3.6), layout="constrained")
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw(axes, panel)
        figure.suptitle(title)
        with replacing(path) as temporary:
            # Without the version in its metadata the file depends on the picture alone.
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


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
