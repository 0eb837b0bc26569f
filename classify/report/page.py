"""The page from its sections: markup in ``templates/``, where jinja2 escapes all that is shown."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from classify.report.text import plain
from features.files.ownership import begins
from features.files.unchanged import rewrite_text

TEMPLATES = Path(__file__).parent / "templates"
REPORT = "multilabel report"  # the command that a page names as its generator


def written_by(generator: str) -> Callable[[BinaryIO], bool]:
    """Recognize the pages of a command; only such a file is replaced."""
    start = '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    return begins(f'{start}<meta name="generator" content="{generator}">\n'.encode())


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what it shows, and the number that it sorts by.

    `value` None is a cell of words; an empty text is a number that is missing.
    """

    text: str
    value: float | str | None = None


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Commands:
    """Commands to paste: what each makes, and its line, which is empty if it is not known."""

    kind: ClassVar[str] = "command"
    lines: Sequence[tuple[str, str]]
    title: str = "Command behind it"


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    kind: ClassVar[str] = "table"
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = True


@dataclass(frozen=True)
class Drawing:
    """An ``<svg>`` element with a caption; `width` is "one", "two" or "square"."""

    kind: ClassVar[str] = "drawing"
    caption: str
    svg: str
    width: str = "one"


@dataclass(frozen=True)
class Drawings:
    """Small ``<svg>`` elements with their names, side by side."""

    kind: ClassVar[str] = "drawings"
    caption: str
    svgs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Tag:
    """A label of an image; `kind` is "hit", "missed", "wrong", "unknown", or "given": no guess."""

    kind: str
    label: str
    probability: str


@dataclass(frozen=True)
class Card:
    """An image: its name, a data URI or nothing, some words, its labels, and what is left out.

    `none` is said of an image without labels.
    """

    title: str
    source: str
    words: str
    tags: Sequence[Tag]
    more: str = ""
    none: str = "no label, and none predicted"


@dataclass(frozen=True)
class Cards:
    """Images side by side, after what the signs of their labels mean."""

    kind: ClassVar[str] = "cards"
    cards: Sequence[Card]

    def signs(self) -> list[str]:
        """List the kinds of labels that occur."""
        found = {tag.kind for card in self.cards for tag in card.tags}
        return [kind for kind in ("hit", "missed", "wrong", "unknown") if kind in found]


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading; `key` is its anchor."""

    key: str
    title: str
    parts: Sequence[Any] = field(default_factory=tuple)


MISSING = Cell("-", "")


def word(text: object) -> Cell:
    """Give a cell of words."""
    return Cell(str(text))


def count(value: int) -> Cell:
    """Give a cell of a whole number.

    Examples
    --------
    >>> count(5000)
    Cell(text='5,000', value=5000)
    """
    return Cell(f"{value:,}", value)


def decimal(value: float, places: int = 3) -> Cell:
    """Give a cell of a number; one that is NaN is a dash.

    Examples
    --------
    >>> decimal(0.25), decimal(float("nan"))
    (Cell(text='0.250', value=0.25), Cell(text='-', value=''))
    """
    if not math.isfinite(value):
        return MISSING
    return Cell(f"{value:.{places}f}", round(value, 9))


def spread(mean: float, std: float) -> Cell:
    """Give a cell of a mean with its standard deviation, which may be NaN.

    Examples
    --------
    >>> spread(0.5, 0.01).text, spread(0.5, float("nan")).text
    ('0.5000 ± 0.0100', '0.5000')
    """
    shown = f"{mean:.4f} ± {std:.4f}" if math.isfinite(std) else f"{mean:.4f}"
    return Cell(shown, round(mean, 9))


def write_page(
    path: Path,
    *,
    title: str,
    lead: str,
    note: str,
    sections: Sequence[Section],
    generator: str = REPORT,
) -> None:
    """Write the page, all or nothing.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    title, lead, note : str
        Headline, and paragraphs under it; `note` may be empty.
    sections : sequence of Section
    generator : str
        The command, by which its page is recognized.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters["drawn"] = Markup
    page = environment.get_template("page.html")
    shown = {"title": title, "lead": lead, "note": note, "generator": generator}
    rewrite_text(path, page.render(sections=sections, **shown))
