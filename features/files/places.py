"""Where files go that are only kept to save time, and names that libraries take."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Folder of downloads and indices: `$XDG_CACHE_HOME` or `~/.cache`, then the project's name."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multilabel-from-cache"


@contextmanager
def utf8_name(path: Path) -> Iterator[str]:
    """Give a file that exists a name for libraries that take UTF-8 alone, such as safetensors.

    Raises
    ------
    OSError
        It can't be read.
    """
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield f"/proc/self/fd/{file.fileno()}"
        return
    yield os.fspath(path)
