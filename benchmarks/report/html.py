"""Results as one HTML file that needs nothing else: no script, no network, pictures embedded.

Takes plain numbers, words and picture files; knows no data set, cache, learner or metric.
"""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from benchmarks.report.svg import Point, Score, format_score, learning_curve
from features.files import write_text

THUMBNAIL = (320, 320)  # pixels at most; cards are half as wide, so sharp on dense screens

_NO_SCORE = (math.nan, math.nan)


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
    """

    title: str
    image: Path
    true: Sequence[str]
    predicted: Sequence[str]


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
    """Write the page, all or nothing. Everything that is shown is escaped first.

    Parameters
    ----------
    path : Path
        The HTML file. Its folder must exist.
    title, summary : str
        Headline, and a paragraph under it.
    metrics : mapping of learner to mapping of metric to (mean, std)
        The headline table: a column a learner, a row a metric. A std of nan is left out.
    stages : mapping of stage to seconds
        In the order they ran; what was finished before counts with the time of finding it.
    curve : mapping of learner to sequence of (training images, mean, std)
        The learning curve, drawn where it has points.
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
    """
    points = {name: [p for p in line if math.isfinite(p[1])] for name, line in curve.items()}
    points = {name: line for name, line in points.items() if line}
    sections = [
        ("Scores", _metrics_table(metrics)),
        ("Learning curve", learning_curve(points, metric=curve_metric) if points else ""),
        ("Test pictures", _cards(examples)),
        (
            "Time of the last run",
            _pairs((name, f"{seconds:.1f} s") for name, seconds in stages.items()),
        ),
        ("How it was made", _pairs(facts.items())),
    ]
    body = "\n".join(f"<h2>{name}</h2>\n{html}" for name, html in sections if html)
    return _write_document(path, title, summary, body)


def write_picture_rows(
    path: Path, *, title: str, summary: str, rows: Iterable[Sequence[Picture]]
) -> Path:
    """Write a page of rows of pictures, all or nothing. Everything that is shown is escaped first.

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
    body = "\n".join(
        f'<div class="cards">\n{"".join(_figure(*one) for one in row)}\n</div><hr>' for row in rows
    )
    return _write_document(path, title, summary, body)


def _write_document(path: Path, title: str, summary: str, body: str) -> Path:
    write_text(
        path,
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(summary)}</p>\n{body}\n</main>\n</body>\n</html>\n",
    )
    return path


def _metrics_table(metrics: Mapping[str, Mapping[str, Score]]) -> str:
    """Give a row a metric and a column a learner, which fits on a phone."""
    head = "".join(f'<th scope="col">{escape(learner)}</th>' for learner in metrics)
    rows = []
    for name in dict.fromkeys(name for scores in metrics.values() for name in scores):
        cells = (format_score(scores.get(name, _NO_SCORE)) for scores in metrics.values())
        numbers = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{numbers}</tr>')
    return _table(f"<tr><td></td>{head}</tr>", rows)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = [f'<tr><th scope="row">{escape(a)}</th><td>{escape(b)}</td></tr>' for a, b in pairs]
    return _table("", rows) if rows else ""


def _table(head: str, rows: list[str]) -> str:
    head = f"<thead>{head}</thead>" if head else ""
    return f'<div class="wide"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


# Pictures: a hit, a miss and a mistake differ in word, sign and border, not in colour alone.


def _cards(examples: Iterable[Example]) -> str:
    cards = "\n".join(_card(example) for example in examples)
    if not cards:
        return ""
    legend = (
        f"<p>{_tag('hit', 'present and found')} {_tag('missed', 'present, not found')} "
        f"{_tag('wrong', 'found, not present')}</p>"
    )
    return f'{legend}\n<div class="cards">\n{cards}\n</div>'


def _card(example: Example) -> str:
    true, predicted = set(example.true), set(example.predicted)
    tags = [_tag("hit", name) for name in example.true if name in predicted]
    tags += [_tag("missed", name) for name in example.true if name not in predicted]
    tags += [_tag("wrong", name) for name in example.predicted if name not in true]
    return _figure_of(example.title, example.image, " ".join(tags))


def _figure(title: str, image: Path, words: str) -> str:
    return _figure_of(title, image, escape(words))


def _figure_of(title: str, path: Path, html: str) -> str:
    image = f'<img src="{_embedded(path)}" alt="{escape(title)}" loading="lazy">'
    caption = f"<figcaption>{escape(title)}<br>{html}</figcaption>"
    return f"<figure>{image}{caption}</figure>"


def _tag(kind: str, text: str) -> str:
    sign = {"hit": "✓", "missed": "○ missed:", "wrong": "✕ wrong:"}[kind]
    return f'<span class="tag {kind}">{sign} {escape(text)}</span>'


def _embedded(path: Path) -> str:
    """Give the picture as a small JPEG in a data URI."""
    jpeg = io.BytesIO()
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail(THUMBNAIL)
    small.save(jpeg, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")


_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --back: #ffffff;
  --card: #f5f6f8; --rule: #d4d8dd; --hit: #0b6b3a; --missed: #6b5200; --wrong: #a3262a;
  --s0: #0072b2; --s1: #c04c00; --s2: #007a5e; --s3: #a0487c; }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaed; --soft: #a7aeb8; --back: #15181c;
  --card: #1f2329; --rule: #3a4048; --hit: #6fd6a0; --missed: #e6c34f; --wrong: #ff9a94;
  --s0: #56b4e9; --s1: #f0a030; --s2: #4ecfa8; --s3: #e39ac4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: normal; }
th, td { padding: .35rem 1.2rem .35rem 0; text-align: left;
  border-bottom: 1px solid var(--rule); }
thead th { font-weight: 600; color: var(--soft); } td { white-space: nowrap; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
figure { margin: 0; padding: .5rem; background: var(--card); border-radius: 6px; }
img { display: block; width: 100%; height: 12rem; object-fit: contain; }
figcaption { margin-top: .4rem; font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; }
.tag { display: inline-block; margin: .15rem 0; padding: 0 .4rem; border: 2px solid;
  border-radius: 4px; font-size: .85rem; }
.hit { color: var(--hit); } .missed { color: var(--missed); border-style: dashed; }
.wrong { color: var(--wrong); border-style: double; border-width: 4px; padding: 0 .25rem; }
svg { width: 100%; max-width: 34rem; height: auto; }
svg text { font-size: 14px; fill: var(--text); }
.grid { stroke: var(--rule); }
.series polyline { fill: none; stroke-width: 2; } .series line { stroke-width: 1.5; }
.s0 { stroke: var(--s0); fill: var(--s0); } .s1 { stroke: var(--s1); fill: var(--s1); }
.s2 { stroke: var(--s2); fill: var(--s2); } .s3 { stroke: var(--s3); fill: var(--s3); }
.series text { stroke: none; }
"""
