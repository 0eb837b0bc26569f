"""Files that are often found under the name of a picture, a table or weights."""

#: How they begin, in lower case.
_OTHER_KINDS = (
    (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer; run `git annex get`"),
    (b"../.git/annex/objects/", "a git-annex pointer; run `git annex get`"),
    (b"outs:\n- md5:", "a DVC pointer; run `dvc pull`"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
    (b"%!ps", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"%pdf", "a PDF file"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"rar!\x1a\x07", "a RAR archive; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\x89hdf", "an HDF5 file"),
)
XML = "an XML file"


def kind_of(raw: bytes) -> str:
    """Say what a file is that begins so, if it is often found under another's name; or nothing.

    Examples
    --------
    >>> kind_of(b"<!DOCTYPE html>"), kind_of(b"data")
    ('an HTML page', '')
    """
    start = raw[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for begins, kind in _OTHER_KINDS if start.startswith(begins)), "")
