"""Where files go that are only kept to save time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder of downloads and indices: `$XDG_CACHE_HOME` or `~/.cache`, then the project's name."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multilabel-from-cache"
