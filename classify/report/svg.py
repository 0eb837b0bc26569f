"""Pictures of matplotlib as elements of a page: its colors, text that stays text, a description."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
SERIES = 8  # colors of curves
_REFERENCE = re.compile(r"url\(#")
#: Colors that stand for the page's own, which differ between light and dark.
INK, RULE = "#010203", "#040506"
_COLORS = {INK: "currentColor", RULE: "var(--rule)"} | {
    f"#0708{k:02x}": f"var(--series-{k})" for k in range(SERIES)
}


def series_color(number: int) -> str:
    """Give what stands for the color of a curve."""
    return f"#0708{number % SERIES:02x}"


@contextmanager
def figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] | None = "constrained"
) -> Iterator[Any]:
    """Give an empty matplotlib figure under fixed settings, whatever the user's matplotlibrc holds.

    Parameters
    ----------
    width, height : float
        Inches; 72 units of the picture each.
    layout : {"constrained", "compressed"}, optional
        How matplotlib makes room for text; None leaves that to the caller.
    """
    import matplotlib
    from matplotlib.figure import Figure

    colors = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    )
    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    settings |= {
        **colors,
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "text.parse_math": False,
        "axes.grid": True,
        "grid.color": RULE,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "image.interpolation": "none",
    }
    with warnings.catch_warnings(), matplotlib.rc_context(settings):
        # The browser's fonts draw the text, so glyphs that matplotlib's lack are not missing.
        warnings.filterwarnings("ignore", message="(Glyph|Matplotlib currently does not support)")
        yield Figure(figsize=(width, height), layout=layout)


def to_element(drawn: Any, key: str, description: str) -> str:
    """Write a figure as an ``<svg>`` element.

    The same figure gives the same element under one version of matplotlib.

    Parameters
    ----------
    drawn : matplotlib.figure.Figure
    key : str
        A word of its own in the page, in front of all ids of the element.
    description : str
        For those who don't see it.

    Returns
    -------
    str
        All names escaped.
    """
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    drawn.savefig(text, format="svg", metadata=nothing, transparent=True)
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)  # that style is of all elements of a page
    for node in root.iter():
        node.tag = _without_space(node.tag)
        given = {_without_space(name): value for name, value in node.attrib.items()}
        node.attrib.clear()
        node.attrib.update({name: _own(name, value, key) for name, value in given.items()})
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    title = ElementTree.Element("title", id=f"{key}-title")
    title.text = description
    root.insert(0, title)
    root.attrib.update({"role": "img", "aria-labelledby": f"{key}-title", "class": "drawn"})
    return ElementTree.tostring(root, encoding="unicode")


def _without_space(name: str) -> str:
    """Leave the namespace out, which a page of HTML doesn't need."""
    return name.rpartition("}")[2]


def _own(name: str, value: str, key: str) -> str:
    """Rewrite an attribute: ids that are the figure's own, and the page's colors."""
    if name == "id":
        return f"{key}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{key}-{value[1:]}"
    value = _REFERENCE.sub(f"url(#{key}-", value)
    if name in ("style", "fill", "stroke"):
        for stand_in, color in _COLORS.items():
            value = value.replace(stand_in, color)
    return value
