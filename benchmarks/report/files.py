"""Files of pages and pictures: told by how they begin, so that no other is replaced."""

from pathlib import Path

from classify.results import claim_results
from features.files.ownership import begins, claim

_BEGINS = {".md": b"# ", ".png": b"\x89PNG\r\n", ".html": b"<!doctype html>"}


def claim_page(path: Path) -> Path:
    """Check that a page, a picture or result lines can be written, before they are computed.

    Its folder is made.

    Parameters
    ----------
    path : Path
        Ends in .md, .png, .html or .jsonl.

    Returns
    -------
    Path
        Where to write: `path`, or the file that it is a symbolic link to.

    Raises
    ------
    InputError
        Something of another kind has that name.
    OSError
        Nothing can be written there.
    """
    if path.suffix == ".jsonl":
        return claim_results(path)
    return claim(path, begins(_BEGINS[path.suffix]), what="a page or picture of a table")
