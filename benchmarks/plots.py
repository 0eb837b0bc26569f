"""Learning curves as a picture. The one place that needs matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError
from features.files import replacing


class Curve(NamedTuple):
    """Mean and standard deviation of a metric at each training size."""

    sizes: Sequence[int]
    means: Sequence[float]
    stds: Sequence[float]


class Panel(NamedTuple):
    """One metric: a curve a learner, and the earlier result to beat, with its source."""

    title: str
    curves: Mapping[str, Curve]
    reference: tuple[str, float] | None


def draw_curves(panels: Sequence[Panel], path: Path, title: str) -> None:
    """Draw a panel a metric side by side, with error bars, to a PNG.

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
            "learning curves were not drawn, as matplotlib is missing: pip install -e '.[plots]' "
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
        axes.errorbar(curve.sizes, curve.means, curve.stds, label=name, marker="o", ms=3, capsize=2)
    if panel.reference:
        name, value = panel.reference
        axes.axhline(value, color="0.4", linestyle="--", label=f"{name}, quoted")
    axes.set_title(panel.title)
    axes.set_xlabel("training images")
    axes.legend(fontsize="small")
