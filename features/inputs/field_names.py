"""How tools call the fields of a table or an object that hold the image, its labels and a value."""

import re
from collections.abc import Sequence

IMAGES = re.compile(
    "(input)?(image|img|photo|picture|pic|file|frame)s?"
    "(id|(file)?names?|files?|(file)?paths?|index|url|(gcs)?uri|links?)?|"
    "(abs|rel|full|file)?paths?|fname|url|uri|sourcefile"
)
PERHAPS_IMAGES = re.compile("id|name")  # if no other field is called like images
_LABEL = "(label|class|category|concept|keyword|annotation|attribute|object|target|finding)"
ONE_LABEL = re.compile(f"{_LABEL}(id|name|mid)?|choice")
LABELS = re.compile(
    f"{_LABEL}(e?s|ies|names?)?|categories|(tag|word|choice)s?|findinglabels?|choice|"
    "(label|class|category|concept)(id|mid)|"
    "(classification|boundingbox)annotations?|answer(category|categories)?(labels?|tags?|choices)?"
)
TEXTS = re.compile("(caption|title|description|sentence|comment|prompt|alt(text)?)s?")  # no labels
NO_VALUES = re.compile(  # of what is 0 or 1, and no presence of a label
    ".*(ids?|idx|index|names?|number|count)|(is)?(occluded|truncated|crowd|difficult|groupof|inside)|"
    "(is)?(depiction|verified|reviewed|valid)|fold|split|row|version"
)
VALUES = re.compile(
    "conf(idence)?|scores?|values?|presen(t|ce)|prob(ability)?|exists|positive|probabilities"
)

# `label1`, `tag_1`, `labels/0`, `labels[0]`, `labels.0.name`, and `label`, which pandas repeats as
# `label.1`.
_NUMBERED = re.compile(r"(\D*?)(?:[\W_]*\d+\]?(?:[\W_]+name)?)?", re.IGNORECASE)


def field_key(name: str) -> str:
    """Give what is compared with the patterns above.

    Examples
    --------
    >>> field_key("Image Name"), bool(IMAGES.fullmatch(field_key("file_path")))
    ('imagename', True)
    """
    return re.sub("[^a-z0-9]", "", name.casefold())


def numbered_labels(header: Sequence[str]) -> list[int]:
    """Give the columns that are called like labels and alike but for a number; two or more.

    Examples
    --------
    >>> numbered_labels(["image", "tag_1", "split", "tag_2"]), numbered_labels(["image", "tag_1"])
    ([1, 3], [])
    """
    places: dict[str, list[int]] = {}
    for at, name in enumerate(header):
        found = _NUMBERED.fullmatch(name.strip())
        key = field_key(found[1]) if found else ""
        if LABELS.fullmatch(key):
            places.setdefault(key, []).append(at)
    return next((found for found in places.values() if len(found) > 1), [])
