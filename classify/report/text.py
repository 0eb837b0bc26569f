"""Words of the page."""

import unicodedata

from classify.metrics import METRICS


def plain(text: str) -> str:
    r"""Show what is no character of a text as a replacement character.

    Those are control characters and halves of surrogate pairs, which stand for bytes of a file's
    name that are not UTF-8.

    Examples
    --------
    >>> plain("a\x00b\udce4c\nd é")
    'a�b�c\nd é'
    """
    return "".join(
        "\ufffd" if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" else one
        for one in text
    )


def heading(metric: str) -> str:
    """Name a metric with the direction of better values.

    Examples
    --------
    >>> heading("coverage")
    'coverage ↓'
    """
    return f"{metric} {'↑' if METRICS[metric].higher_is_better else '↓'}"
