"""Numbers to Markdown tables. Knows no learner and no paper."""

import re
from collections.abc import Iterable, Sequence

from features.errors import printable

_MARKUP = re.compile(r"[\\`*\[\]]|(?<![^\W_])_|_(?![^\W_])")
_HTML = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def plain(text: object) -> str:
    r"""Write a name that users choose as itself: no markup, no HTML, no control characters.

    Examples
    --------
    >>> print(plain("a_b *c* <i>`d`\n| e"))
    a_b \*c\* &lt;i&gt;\`d\` | e
    """
    line = printable(" ".join(str(text).split()))
    for one, entity in _HTML:
        line = line.replace(one, entity)
    return _MARKUP.sub(r"\\\g<0>", line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table whose first column is text and whose others are numbers.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequence of str
        Each as long as `header`. Cells are Markdown of one line; their bars are escaped.

    Returns
    -------
    str
        With a newline at the end, columns padded to one width so that it reads well as text too.

    Examples
    --------
    >>> print(table(["learner", "a.p."], [["LR", ".957"]]), end="")
    | learner | a.p. |
    |:--------|-----:|
    | LR      | .957 |
    """
    cells = [[_cell(text) for text in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    rule = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
    lines = [f"|{'|'.join(rule)}|"]
    for row in cells:
        texts = [row[0].ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(f"| {' | '.join(texts)} |")
    lines[0], lines[1] = lines[1], lines[0]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", " ".join(text.splitlines()))


def mean_and_std(mean: float | None, std: float | None, *, digits: int = 4) -> str:
    """Write a mean and its standard deviation; what is undefined is left out.

    Examples
    --------
    >>> mean_and_std(0.95731, 0.0086), mean_and_std(0.5, float("nan"), digits=2)
    ('0.9573 ± 0.0086', '0.50')
    """
    if mean is None or mean != mean:
        return "undefined"
    if std is None or std != std:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {std:.{digits}f}"
