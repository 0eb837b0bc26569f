"""Addresses such as `s3://bucket/a.tar`, used in the places of paths."""

import os
import re
from pathlib import Path, PosixPath
from typing import Any

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])", re.IGNORECASE)
#: Schemes whose servers list no folders.
WEB = ("http", "https")


class Address(PosixPath):
    """A file or folder that fsspec reads; what asks the file system asks the server.

    `pathlib` takes one of two slashes away, which the text has again.
    """

    def __str__(self) -> str:
        return _SCHEME.sub(r"\1://", super().__str__(), count=1)

    @property
    def scheme(self) -> str:
        """What stands before the colon, in lower case."""
        return str(self).partition(":")[0].lower()

    @property
    def suffix(self) -> str:
        """The ending of the name, without what a web address has behind a question mark."""
        name = self.name.partition("?")[0] if self.scheme in WEB else self.name
        return os.path.splitext(name)[1]

    def absolute(self) -> "Address":
        """Give the same address."""
        return self

    def resolve(self, strict: bool = False) -> "Address":
        """Give the same address."""
        return self

    def exists(self, **given: Any) -> bool:
        """Tell whether something is there."""
        from features.sources.remote.client import kind

        return kind(self) is not None

    def is_file(self, **given: Any) -> bool:
        """Tell whether a file is there."""
        from features.sources.remote.client import kind

        return kind(self) == "file"

    def is_dir(self, **given: Any) -> bool:
        """Tell whether a folder is there; what the web serves is always a file."""
        from features.sources.remote.client import kind

        return self.scheme not in WEB and kind(self) == "directory"

    def read_bytes(self) -> bytes:
        """Read the whole file."""
        from features.sources.remote.client import read_text_file

        return read_text_file(self)


def located(text: str | Path) -> Path:
    """Give an `Address` for what has a scheme, and a `Path` for everything else.

    Examples
    --------
    >>> str(located("S3://b/a.tar")), located("https://h/x/a.tar?key=1").suffix
    ('S3://b/a.tar', '.tar')
    >>> located("file:///data/a.zip"), located("C:/a.zip"), located("a:b/c")
    (PosixPath('/data/a.zip'), PosixPath('C:/a.zip'), PosixPath('a:b/c'))
    """
    if isinstance(text, Address):
        return text
    text = os.fspath(text)
    found = _SCHEME.match(text)
    if not found or os.path.lexists(text):
        return Path(text)
    if found[1].lower() == "file":
        return Path("/", text[found.end() :])
    return Address(text)
