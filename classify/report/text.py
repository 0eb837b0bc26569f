"""Words of the page."""

import re

from classify.metrics import METRICS

# The categories Cc and Cs of Unicode, but for line feed and tab.
_NO_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Show what is no character of a text as a replacement character.

    Those are control characters and halves of surrogate pairs, which stand for bytes of a file's
    name that are not UTF-8.

    Examples
    --------
    >>> plain("a\x00b\udce4c\nd é")
    'a�b�c\nd é'
    """
    return _NO_CHARACTER.sub("\ufffd", text)


def heading(metric: str) -> str:
    """Name a metric with the direction of better values.

    Examples
    --------
    >>> heading("coverage")
    'coverage ↓'
    """
    return f"{metric} {'↑' if METRICS[metric].higher_is_better else '↓'}"
