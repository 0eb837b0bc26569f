"""The part of the page that says where everything comes from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from classify.report.files import Results
from classify.report.page import Commands, Paragraph, Section, Table, word
from features.cache import FeatureCache


def section(cache: FeatureCache, files: Sequence[Results], made: Commands) -> Section:
    """Build the section: commands, result files, the cache's manifest.

    Parameters
    ----------
    cache : FeatureCache
    files : sequence of Results
    made : Commands
        All commands.
    """
    headers = [
        [word(one.path), word(key), word(value)] for one in files for key, value in flat(one.header)
    ]
    facts = [
        ("folder", str(cache.folder)),
        ("sha256 of the manifest", cache.manifest_hash),
        ("images", f"{len(cache):,}"),
        ("images with features", f"{len(cache.valid_rows):,}"),
        *flat(cache.manifest),
    ]
    return Section(
        "origins",
        "Where it comes from",
        [
            Paragraph("These commands, in this order, make the page anew."),
            made,
            Table(
                "The cache and its manifest",
                ["field", "value"],
                [[word(name), word(value)] for name, value in facts],
                sortable=False,
            ),
            Table("Headers of the result files", ["file", "field", "value"], headers),
        ],
    )


def flat(value: Any, front: str = "") -> Iterator[tuple[str, str]]:
    """Write nested mappings as pairs of a dotted name and a text.

    Examples
    --------
    >>> list(flat({"a": {"b": 1}, "c": [1, 2], "d": {}}))
    [('a.b', '1'), ('c', '1, 2'), ('d', '')]
    """
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flat(inner, f"{front}.{name}" if front else str(name))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{front}.{number}")
    elif isinstance(value, list | Mapping):
        yield front, ", ".join(map(str, value))
    else:
        yield front, str(value)
