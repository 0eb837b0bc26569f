"""Tags with a confidence each in one text: ``cat:0.98|dog:0.02``, ``[('cat', 0.98)]``."""

import re
from collections.abc import Callable, Sequence

from features.annotations.collect import Picture
from features.errors import InputError

_SHARE = r"[01](?:\.\d*)?|\.\d+|\d(?:\.\d*)?[eE]-\d+|\d{1,3}(?:\.\d+)?\s?%"
_RATED = re.compile(rf"(.*?[^\s:=(@])(\s*[:=@(]\s*|\s+)({_SHARE})\s*\)?")
_BETWEEN_BLANKS = re.compile(rf"(?<!\S)([^\s\d.]\S*)\s+({_SHARE})(?!\S)")
_PAIR = rf"[(\[]?\s*(?:'([^']*)'|\"([^\"]*)\")\s*[,:]\s*({_SHARE})\s*[)\]]?"
_PAIRS = re.compile(rf"\s*[\[({{]\s*{_PAIR}(?:\s*,\s*{_PAIR})*\s*,?\s*[\])}}]\s*")
_ONE_PAIR = re.compile(_PAIR)

Rated = list[tuple[str, str]]


def rated_tags(
    texts: Sequence[str], split: Callable[[str], list[str]], source: object
) -> list[Rated] | None:
    """Give the tags and confidences of all texts; or None if they have no confidences.

    Parameters
    ----------
    texts : sequence of str
    split : callable
        From a text to its tags.
    source : object
        Where they stand; a message begins with it.

    Returns
    -------
    list of list of (str, str), or None
        Names and numbers from 0 to 1. Names with 0 and 1 alone, without a decimal point, are rated
        if they are two or more and none is both in one text.

    Raises
    ------
    InputError
        Some tags have a fraction behind them and others none.

    Examples
    --------
    >>> rated_tags(["cat:0.98|dog:2 %", ""], lambda text: text.split("|"), "a.csv")
    [[('cat', '0.98'), ('dog', '0.02')], []]
    >>> rated_tags(["cat", "dog:1"], str.split, "a.csv")
    """
    found: list[Rated] = []
    plain: list[str] = []
    rated: list[str] = []
    whole: list[str] = []
    for text in texts:
        tags = _pairs(text)
        if tags is None:
            tags = []
            for tag in filter(None, split(text)):
                one = _RATED.fullmatch(tag)
                if one and (one[2].strip() or not one[3].isdigit()):
                    tags.append((one[1], _share(one[3])))
                    (whole if one[3].isdigit() else rated).append(tag)
                else:
                    plain.append(tag)
        elif not {share for _, share in tags} <= {"0", "1"}:  # else they are flags
            rated.append(text)
        found.append(tags)
    if rated and plain:
        raise InputError(
            f"{source}: {rated[0][:80]!r} is a label with its confidence, and {plain[0][:80]!r} "
            "has none. Give one to each, or remove them all."
        )
    names = {name for tags in found for name, _ in tags}
    contradicted = any(len(dict(tags)) < len(set(tags)) for tags in found)
    are_flags = bool(whole) and not plain and not contradicted and len(names) > 1
    return found if rated or are_flags else None


def rated_pictures(
    names: Sequence[str], tags: Sequence[Rated], value_of: Callable[[str], int]
) -> list[Picture]:
    """Read the confidences; what is not named is unknown if some tag is absent, else absent."""
    labels = [{name: value_of(share) for name, share in one} for one in tags]
    others = -1 if any(value == 0 for one in labels for value in one.values()) else 0
    return [Picture(name, one, others) for name, one in zip(names, labels, strict=True)]


def _pairs(text: str) -> Rated | None:
    """Read pairs in brackets, or of a name and a fraction with nothing but blanks between."""
    if _PAIRS.fullmatch(text):
        return [(one or two, _share(share)) for one, two, share in _ONE_PAIR.findall(text)]
    fractions = _BETWEEN_BLANKS.findall(text)
    if fractions and not _BETWEEN_BLANKS.sub("", text).strip():
        return None if any(share.isdigit() for _, share in fractions) else [
            (name, _share(share)) for name, share in fractions
        ]  # fmt: skip
    return None


def _share(text: str) -> str:
    return f"{float(text.strip('% ')) / 100:g}" if text.endswith("%") else text
