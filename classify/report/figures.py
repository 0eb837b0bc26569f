"""The figures of the page."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from classify.metrics.calibration import Reliability
from classify.report.svg import INK, figure, series_color, to_element

#: Places on an axis, each with mean, standard deviation and number.
Points = Sequence[tuple[float, tuple[float, float, int]]]
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")


def curve_figure(
    lines: Mapping[str, Points], key: str, *, xlabel: str, ylabel: str, log: bool
) -> str:
    """Draw means with standard deviations along an axis, one line per name.

    Parameters
    ----------
    lines : mapping of str to Points
    key : str
        A word of its own in the page.
    xlabel, ylabel : str
    log : bool
        Whether the axis of places is logarithmic.
    """
    height = 3.2 + 0.2 * len(lines)
    with figure(6.4, height) as drawn:
        axes = drawn.subplots()
        styles = zip(cycle(_MARKERS), (dash for dash in cycle(_DASHES) for _ in range(8)))
        for number, ((name, points), (marker, dash)) in enumerate(
            zip(lines.items(), styles, strict=False)
        ):
            places, means = [at for at, _ in points], [one[0] for _, one in points]
            stds = np.nan_to_num([one[1] for _, one in points])
            axes.errorbar(
                places, means, stds, label=name, marker=marker, linestyle=dash, ms=5, capsize=3,
                color=series_color(number),
            )  # fmt: skip
        if log:
            axes.set_xscale("log")
            ticks = sorted({at for points in lines.values() for at, _ in points})
            ticks = ticks[:: -(-len(ticks) // 10)]
            axes.set_xticks(ticks, [f"{at:.3g}" for at in ticks])
            axes.set_xticks([], minor=True)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        drawn.legend(loc="outside lower left", fontsize="medium", ncols=1)
        said = "; ".join(f"{name}: {_said(points)}" for name, points in lines.items())
        return to_element(drawn, key, f"{ylabel} against {xlabel}. {said}.")


def _said(points: Points) -> str:
    return ", ".join(f"{mean:.3f} at {at:g}" for at, (mean, _, _) in points)


def recall_figure(recall: np.ndarray, precision: np.ndarray, key: str, name: str, ap: float) -> str:
    """Draw the precision-recall curve of one label, small."""
    with figure(2.4, 2.0, layout=None) as drawn:  # dozens of them: fixed room is quicker
        axes = drawn.add_axes((0.23, 0.23, 0.74, 0.73))
        axes.step(recall, precision, where="post", color=series_color(0))
        axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set(xlabel="recall", ylabel="precision")
        return to_element(
            drawn, key, f"Precision against recall of {name}; average precision {ap:.3f}"
        )


def reliability_figure(curve: Reliability, key: str) -> str:
    """Draw how often a label is present against its probability; areas of dots are cell counts."""
    with figure(4.6, 4.2) as drawn:
        axes = drawn.subplots()
        axes.plot((0, 1), (0, 1), color=INK, linestyle="--", linewidth=1, label="as they should be")
        sizes = 20 + 200 * np.sqrt(curve.cells / curve.cells.max())
        axes.plot(curve.predicted, curve.observed, color=series_color(0), label="these predictions")
        axes.scatter(
            curve.predicted, curve.observed, s=sizes, color=series_color(0), alpha=0.6, linewidth=0
        )
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="mean probability")
        axes.set(ylabel="share of present labels", aspect="equal")
        axes.legend(loc="upper left")
        said = ", ".join(
            f"{observed:.2f} at {predicted:.2f}"
            for predicted, observed in zip(curve.predicted, curve.observed, strict=True)
        )
        return to_element(drawn, key, f"Share of present labels by mean probability: {said}")


def share_figure(names: Sequence[str], true: np.ndarray, predicted: np.ndarray, key: str) -> str:
    """Draw, for each label, the share of its images with each other label: true and predicted.

    Parameters
    ----------
    names : sequence of k str
    true, predicted : int array of shape (k, k)
        Images with both labels; on the diagonal, with the label.
    key : str
    """
    size = 0.26 * len(names) + 1.6
    with figure(2 * size + 0.8, size, layout="compressed") as drawn:
        columns = drawn.subplots(1, 2, sharey=True)
        places = range(len(names))
        for axes, counts, title in zip(
            columns, (true, predicted), ("true", "predicted"), strict=True
        ):
            whole = np.diag(counts)[:, None]
            shares = np.divide(counts, whole, out=np.zeros(counts.shape), where=whole > 0)
            image = axes.imshow(shares, vmin=0, vmax=1, cmap="cividis")
            axes.set_title(title)
            axes.set_xticks(places, [_short(name) for name in names], rotation=90)
            axes.set_yticks(places, [_short(name) for name in names])
            axes.grid(visible=False)
        drawn.colorbar(image, ax=columns, label="share of the row's images")
        return to_element(
            drawn, key,
            "Two matrices of the share of a label's images that have each other label, true and "
            "predicted; the table that follows lists the pairs that differ most",
        )  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"


def layer_figure(names: Sequence[str], shares: Sequence[float], key: str) -> str:
    """Draw the share of the absolute weights in each layer as bars."""
    with figure(6.4, 0.8 + 0.36 * len(names)) as drawn:
        axes = drawn.subplots()
        places = range(len(names))
        axes.barh(places, shares, color=series_color(0), height=0.6)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlim=(0, None), xlabel="share of the absolute weights")
        said = ", ".join(f"{name} {one:.0%}" for name, one in zip(names, shares, strict=True))
        return to_element(drawn, key, f"Share of the absolute weights by layer: {said}")
