"""The options of `python -m features`, and what its commands print.

A command's signature is here and its work in a module of its own, which is loaded when the command
runs: help texts load neither h5py nor numpy nor tqdm.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from features.annotations import catalog
from features.command_line import add_options
from features.errors import printable

_POSITIONAL = {"positional": True}
_CACHE = "the cache's folder"


def add_index_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``index``."""
    texts = {
        "format": "one of those below; without a name it lists them",
        "source": "the annotations: a file or a folder, as listed below",
        "images": "folder of the images; it is linked, not copied",
        "out": "folder for labels.csv, which is then given to extract as --data",
        "strict_names": "refuse names of images that aren't exactly their files'",
        "negative": "what -1 means in a csv file of labels; empty cells are unknown",
    }
    choices = {"choices": (catalog.AUTO, *catalog.NAMES), "nargs": "?", "action": _Formats}
    add_options(parser, run_index, texts, format=choices)
    parser.epilog = f"{catalog.describe_formats()}\n\n{parser.epilog}"


class _Formats(argparse.Action):
    """Takes a format's name; without one it lists the formats and ends the program."""

    def __call__(self, parser, namespace, values, option_string=None):
        if values is None:
            print(catalog.describe_formats())
            parser.exit()
        setattr(namespace, self.dest, values)


def run_index(
    *,
    format: str = catalog.AUTO,
    source: Path,
    images: Path,
    out: Path,
    strict_names: bool = False,
    negative: Literal["unknown", "absent"] = "unknown",
) -> None:
    """Make a data set of published annotations and describe it."""
    from features.annotations.index import index_annotations
    from features.commands.info import describe_index

    dataset = index_annotations(
        format, source, images, out, strict_names=strict_names, negative=negative
    )
    dataset.tell()
    print(printable(describe_index(dataset, images)))


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``info``."""
    add_options(parser, run_info, {"cache": _CACHE}, cache=_POSITIONAL)


def run_info(*, cache: Path) -> None:
    """Describe a cache."""
    from features.commands.info import describe_cache

    print(printable(describe_cache(cache)))


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``verify``."""
    add_options(parser, run_verify, {"cache": _CACHE}, cache=_POSITIONAL)


def run_verify(*, cache: Path) -> int:
    """Print one line per fault of a cache, or a summary of a sound one.

    Returns
    -------
    int
        The exit code: 0 for a sound cache, 1 for one with faults.
    """
    from tqdm import tqdm

    from features.commands.verify import find_faults, summary

    sound = True
    for fault in find_faults(cache):
        tqdm.write(printable(" ".join(fault.split())))  # one line to stdout, past the progress bar
        sound = False
    if sound:
        print(printable(summary(cache)))
    return 0 if sound else 1


def add_merge_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``merge``."""
    texts = {
        "out": "the cache's folder; it is made, or shards are added to it",
        "caches": "caches of the same settings",
    }
    add_options(
        parser, run_merge, texts, out=_POSITIONAL, caches={"positional": True, "metavar": "cache"}
    )


def run_merge(*, out: Path, caches: Sequence[Path]) -> None:
    """Merge caches and count the rows of the result."""
    from features.commands.info import describe_rows
    from features.commands.merge import merge

    print(printable(describe_rows(merge(out, caches))))


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``export``."""
    texts = {
        "cache": _CACHE,
        "out": "file that ends in .npz or .parquet",
        "layers": "vector layers to write (all)",
    }
    add_options(parser, run_export, texts, cache=_POSITIONAL)


def run_export(*, cache: Path, out: Path, layers: Sequence[str] | None = None) -> None:
    """Export a cache and print the file's name."""
    from features.commands.export import export

    print(export(cache, out, layers=layers))
