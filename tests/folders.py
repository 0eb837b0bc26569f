"""What a command leaves in a folder."""

from pathlib import Path


def results_in(folder: Path) -> list[Path]:
    """Give the entries of a folder in order, without checksums of a file system that keeps none."""
    return sorted(path for path in folder.iterdir() if not path.name.endswith(".sha256"))
