"""`python -m features`: look at a cache."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from features.cache import FeatureCache
from features.errors import run_command
from features.manifest import flatten

EXAMPLE = """\
example:
  python -m features info photos.cache
"""


def info(folder: Path) -> str:
    """Describe a cache: what made it, its layers, rows, labels and failures.

    Parameters
    ----------
    folder : Path
        The cache's folder.

    Returns
    -------
    str
        Lines of text.

    Raises
    ------
    InputError
        The folder is no cache.
    """
    cache = FeatureCache(folder)
    lines = [f"{folder}: {len(cache)} rows, {len(cache.valid_rows)} with features"]
    if cache.excluded:
        lines.append(f"  {cache.excluded}")
    for name, width in cache.layers.items():
        lines.append(f"  {name:<20} {width:>6} columns")
    for name, shape in cache.maps.items():
        lines.append(f"  {name:<20} {' x '.join(map(str, shape))} map")
    lines.append(f"  {'together':<20} {sum(cache.layers.values()):>6} columns")
    if cache.labels is not None:
        known, present = np.sum(cache.labels >= 0), np.sum(cache.labels == 1)
        lines.append(
            f"{len(cache.label_names)} labels, {present / max(1, len(cache)):.3f} an image, "
            f"{cache.labels.size - known} cells unknown: {', '.join(cache.label_names)}"
        )
    lines.append(f"manifest {cache.manifest_hash}")
    for key, value in flatten(cache.manifest).items():
        if not key.startswith("layer"):
            lines.append(f"  {key:<28} {value}")
    return "\n".join(lines)


COMMANDS: dict[str, tuple[Callable[[Path], str], str]] = {
    "info": (info, "print what is inside a cache"),
}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parse = argparse.ArgumentParser(
        prog="python -m features",
        description="Look at a feature cache.",
        epilog=EXAMPLE,
        formatter_class=raw,
    )
    commands = parse.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, epilog=EXAMPLE, formatter_class=raw)
        sub.add_argument("cache", type=Path, help="the cache's folder")
    return parse


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    given = parser().parse_args(argv)
    print(COMMANDS[given.command][0](given.cache))


if __name__ == "__main__":
    run_command(main)
