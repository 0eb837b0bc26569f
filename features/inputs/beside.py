"""What lies beside the pictures and labels that are read, a line for each kind."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from features.errors import InputError
from features.inputs.listing import Listing, scan

_TABLES = re.compile(
    r"([^/]+/)*([^/]*(label|annotation|instances|tags|classes|metadata)[^/]*|train)"
    r"\.(csv|tsv|txt|json|jsonl|ndjson|xml|xlsx?|ods)",
    re.IGNORECASE,
)


def unread_labels(root: Path, images: Path, found: Listing) -> tuple[str, ...]:
    """Name files that may be meant as labels where there is no labels.csv.

    Parameters
    ----------
    root, images : Path
        The data set's folder, and that of its pictures, which may be the same.
    found : Listing
        Of `images`.

    Returns
    -------
    tuple of str
        A line, or none.
    """
    names = set(found.others)
    if images != root:
        names = {f"{images.name}/{name}" for name in names}
        with os.scandir(root) as entries:
            names |= {entry.name for entry in entries if entry.is_file()}
    meant = sorted(filter(_TABLES.fullmatch, names))
    if not meant:
        return ()
    return (
        f"{root} has no labels.csv, so no labels are read; {meant[0]!r} may hold them: `python -m "
        f"features index --source {root / meant[0]} --images {images} --out {root}-indexed` makes "
        "one of it",
    )


def unlisted(images: Path, ids: Collection[str], source: object) -> tuple[str, ...]:
    """Count the pictures of a folder that a labels.csv does not list, and those it can't list."""
    try:
        found = scan(images)
    except InputError:  # a folder that can't be read, and need not be
        return ()
    more = set(found.pictures).difference(ids)
    noun = "image is" if len(more) == 1 else "images are"
    lines = [
        f"{len(more)} more {noun} in {images} and left out" if more else "",
        found.oddly_named(),
    ]
    return tuple(f"{source}: {line}" for line in lines if line)
