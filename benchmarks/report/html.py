"""Results as one HTML file that needs nothing else: no script, no network, pictures embedded.

The markup is in ``templates/``; what is shown is escaped by jinja2.
"""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from benchmarks.report.plots import Curve, Panel, curves_svg
from features.files.unchanged import rewrite_text

THUMBNAIL = (320, 320)  # pixels at most; cards are half as wide, so sharp on dense screens
TEMPLATES = Path(__file__).parent / "templates"

Score = tuple[float, float]  # mean and standard deviation; nan where there is no number
Point = tuple[int, float, float]  # training images, mean and standard deviation


@dataclass(frozen=True)
class Example:
    """One picture with its labels.

    Parameters
    ----------
    title : str
        What the picture is called.
    image : Path
        A file that Pillow reads.
    true, predicted : sequence of str
        Label names.
    probabilities : mapping of str to float
        Of labels by name, shown where known.
    """

    title: str
    image: Path
    true: Sequence[str]
    predicted: Sequence[str]
    probabilities: Mapping[str, float] = field(default_factory=dict)

    def tags(self) -> list[tuple[str, str]]:
        """Pair each label, with its probability, with "hit", "missed" or "wrong", in this order."""
        true, predicted = set(self.true), set(self.predicted)
        pairs = [
            *(("hit", name) for name in self.true if name in predicted),
            *(("missed", name) for name in self.true if name not in predicted),
            *(("wrong", name) for name in self.predicted if name not in true),
        ]
        return [(kind, self._words(name)) for kind, name in pairs]

    def _words(self, name: str) -> str:
        known = self.probabilities.get(name)
        return name if known is None else f"{name} {known:.0%}"


class Picture(NamedTuple):
    """One picture with some words under it.

    Attributes
    ----------
    title : str
        What the picture is called.
    image : Path
        A file that Pillow reads.
    words : str
    """

    title: str
    image: Path
    words: str


def write_page(
    path: Path,
    *,
    title: str,
    summary: str,
    metrics: Mapping[str, Mapping[str, Score]],
    stages: Mapping[str, float],
    curve: Mapping[str, Sequence[Point]],
    curve_metric: str,
    examples: Iterable[Example],
    facts: Mapping[str, str],
) -> Path:
    """Write the page of a quickstart, all or nothing.

    Parameters
    ----------
    path : Path
        The HTML file. Its folder must exist.
    title, summary : str
        Headline, and a paragraph under it.
    metrics : mapping of learner to mapping of metric to (mean, std)
        The headline table: one column per learner, one row per metric, which fits on a phone. A
        std of nan is left out.
    stages : mapping of stage to seconds
        In the order they ran; what was finished before counts with the time of finding it.
    curve : mapping of learner to sequence of (training images, mean, std)
        The learning curve; without a finite point it is left out.
    curve_metric : str
        What its means measure.
    examples : iterable of Example
        Pictures to show with their labels.
    facts : mapping of str to str
        How the numbers were made.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        There is a curve, and matplotlib isn't installed.
    """
    return _write(
        path,
        "results.html",
        title=title,
        summary=summary,
        metrics=metrics,
        metric_names=list(dict.fromkeys(name for scores in metrics.values() for name in scores)),
        chart=_chart(curve, curve_metric),
        curve_metric=curve_metric,
        examples=list(examples),
        stages=[(name, f"{seconds:.1f} s") for name, seconds in stages.items()],
        facts=list(facts.items()),
    )


def write_picture_rows(
    path: Path, *, title: str, summary: str, rows: Iterable[Sequence[Picture]]
) -> Path:
    """Write a page of rows of pictures, all or nothing.

    Parameters
    ----------
    path : Path
        The HTML file. Its folder must exist.
    title, summary : str
        Headline, and a paragraph under it.
    rows : iterable of sequence of Picture

    Returns
    -------
    Path
        `path`.
    """
    return _write(path, "picture_rows.html", title=title, summary=summary, rows=list(rows))


def format_score(score: Score | None) -> str:
    """Show a mean with its standard deviation.

    Examples
    --------
    >>> format_score((0.8964, 0.0184)), format_score((0.5, float("nan"))), format_score(None)
    ('.896 ± .018', '.500', '-')
    """
    mean, std = score or (math.nan, math.nan)
    if not math.isfinite(mean):
        return "-"
    return f"{_decimals(mean)} ± {_decimals(std)}" if math.isfinite(std) else _decimals(mean)


def _write(path: Path, template: str, **content: Any) -> Path:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"score": format_score, "thumbnail": _embedded}
    rewrite_text(path, environment.get_template(template).render(content))
    return path


def _chart(curve: Mapping[str, Sequence[Point]], metric: str) -> Markup | None:
    """Draw the learning curves of the learners that have finite points."""
    points = {name: [p for p in line if math.isfinite(p[1])] for name, line in curve.items()}
    curves = {name: Curve(*zip(*line, strict=True)) for name, line in points.items() if line}
    if not curves:
        return None
    panel = Panel("", curves, {}, xlabel="training images (logarithmic)", ylabel=metric, log=True)
    return Markup(curves_svg(panel))  # matplotlib has escaped the names in it


def _embedded(path: Path) -> str:
    """Give the picture as a small JPEG in a data URI."""
    jpeg = io.BytesIO()
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail(THUMBNAIL)
    small.save(jpeg, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")


def _decimals(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text
