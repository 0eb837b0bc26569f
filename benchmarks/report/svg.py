"""A learning curve as an SVG element, so that a page needs no plotting library.

Knows numbers and names only; colours come from the page that holds it.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

Score = tuple[float, float]  # mean and standard deviation; nan where there is no number
Point = tuple[int, float, float]  # training images, mean and standard deviation

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 452, 34, 250  # of the plot in it


def learning_curve(curve: Mapping[str, Sequence[Point]], *, metric: str) -> str:
    """Draw means with error bars against the number of training images.

    Learners differ in colour, dashes and marker; a page's style sheet gives the classes ``s0`` to
    ``s3`` their colours.

    Parameters
    ----------
    curve : mapping of learner to sequence of (training images, mean, std)
        At least one point a learner, sizes rising, means in [0, 1]; a std of nan draws no bar.
    metric : str
        What the means measure.

    Returns
    -------
    str
        An ``<svg>`` element; names are escaped.
    """
    sizes = sorted({size for line in curve.values() for size, _, _ in line})
    ticks = _value_ticks(curve)
    lines = [
        _legend(name, index) + _line(name, line, sizes, ticks, index)
        for index, (name, line) in enumerate(curve.items())
    ]
    label = escape(f"{metric} against the number of training images")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">\n'
        + "\n".join(_axes(sizes, ticks, metric) + lines)
        + "\n</svg>"
    )


def _axes(sizes: list[int], ticks: list[float], metric: str) -> list[str]:
    middle = (_TOP + _BOTTOM) / 2
    values = (
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{_decimals(tick)[:-1]}</text>'
        for tick, y in ((tick, _y(tick, ticks)) for tick in ticks)
    )
    counts = (
        f'<text x="{_x(size, sizes):.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{size}</text>'
        for size in sizes
    )
    names = (
        f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 42}" text-anchor="middle">'
        "training images (logarithmic)</text>"
        f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(metric)}</text>"
    )
    return [*values, *counts, names]


def _legend(name: str, index: int) -> str:
    x, y = _LEFT + 100 * index, 14
    return (
        f'<g class="series s{index % 4}">'
        f'<line x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}"{_dashes(index)}/>'
        f'{_marker(x + 13, y, index)}<text x="{x + 34}" y="{y + 5}">{escape(name)}</text></g>'
    )


def _line(
    name: str, line: Sequence[Point], sizes: list[int], ticks: list[float], index: int
) -> str:
    """Draw one learner: points with error bars, joined."""
    marks, path = [], []
    for size, mean, std in line:
        x, y = _x(size, sizes) + 5 * index, _y(mean, ticks)  # moved apart: bars would hide bars
        path.append(f"{x:.1f},{y:.1f}")
        if math.isfinite(std):
            low, high = (_y(mean + sign * std, ticks) for sign in (-1, 1))
            marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        tip = escape(f"{name}, {size} images: {format_score((mean, std))}")
        marks.append(f"<g><title>{tip}</title>{_marker(x, y, index)}</g>")
    joined = f'<polyline points="{" ".join(path)}"{_dashes(index)}/>'
    return f'<g class="series s{index % 4}">{joined}{"".join(marks)}</g>'


def _dashes(index: int) -> str:
    return ' stroke-dasharray="7 4"' if index % 2 else ""


def _marker(x: float, y: float, index: int) -> str:
    if index % 2 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def _value_ticks(curve: Mapping[str, Sequence[Point]]) -> list[float]:
    """Give some round values that enclose every point with its error bar."""
    ends = [
        mean + sign * (std if math.isfinite(std) else 0)
        for line in curve.values()
        for _, mean, std in line
        for sign in (-1, 1)
    ]
    low, high = min(ends), max(ends)
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 6 or s == 0.5)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [step * k for k in range(first, last + 1)]


def _x(size: float, sizes: list[int]) -> float:
    width = math.log(sizes[-1] / sizes[0]) or 1.0
    return _LEFT + 24 + (_RIGHT - _LEFT - 48) * math.log(size / sizes[0]) / width


def _y(value: float, ticks: list[float]) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])


def format_score(score: Score) -> str:
    """Show a mean with its standard deviation.

    Examples
    --------
    >>> format_score((0.8964, 0.0184)), format_score((0.5, float("nan")))
    ('.896 ± .018', '.500')
    """
    mean, std = score
    if not math.isfinite(mean):
        return "-"
    return f"{_decimals(mean)} ± {_decimals(std)}" if math.isfinite(std) else _decimals(mean)


def _decimals(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text
