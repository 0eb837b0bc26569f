"""`python -m extract`: images to a feature cache."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from extract.backbones import BACKBONES
from extract.config import DTYPES, ExtractConfig
from extract.engines import ENGINES, PRECISIONS
from extract.estimate import estimate
from extract.images import RESIZES
from extract.job import Job
from extract.run import run
from extract.weights import CHOICES
from features.command_line import CommandParser, run_command
from features.datasets import load_dataset
from features.errors import InputError

EXAMPLE = """\
example:
  python -m extract --data photos --backbone vgg16 --weights vgg16-conv --out photos.cache

photos/images/ holds the images; photos/labels.csv, if there is one, an `image` column and one
0/1 column a label (empty or -1: unknown). Stop it any time: the same command goes on.
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line; its defaults are those of `ExtractConfig`."""
    default = ExtractConfig()
    parse = CommandParser(
        prog="python -m extract",
        description="Run a network once over the images and cache its layers.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parse.add_argument
    add("--data", type=Path, required=True, help="folder with images/ and, optionally, labels.csv")
    add("--out", type=Path, required=True, help="the cache's folder")
    add("--backbone", default=default.backbone, help=f"{', '.join(BACKBONES)} (%(default)s)")
    add("--weights", default=default.weights, help=f"{CHOICES} (%(default)s)")
    add("--layers", nargs="+", help="layers to store (all that the weights can compute)")
    add("--size", type=int, help="side of the input in pixels (the backbone's)")
    add("--resize", default=default.resize, choices=RESIZES, help="(%(default)s)")
    add("--dtype", default=default.dtype, choices=DTYPES, help="of stored vectors (%(default)s)")
    add("--scaled-decode", action="store_true", help="shrink large JPEG photos while decoding")
    add("--engine", default=default.engine, choices=ENGINES, help="(%(default)s)")
    add("--device", default=default.device, help="auto, cpu, cuda or cuda:N (%(default)s)")
    add("--batch-size", type=int, help="images a forward pass (16 on a CPU, 256 on a GPU)")
    add("--workers", type=int, default=default.workers, help="decoding threads (%(default)s)")
    add("--shard-rows", type=int, default=default.shard_rows, help="(%(default)s)")
    add(
        "--max-failures",
        type=float,
        default=default.max_failures,
        help="share of the rows that may fail (%(default)s)",
    )
    add("--retry-failed", action="store_true", help="compute only the failed rows again")
    add("--precision", default=default.precision, choices=PRECISIONS, help="on a GPU")
    add("--shards", metavar="I/N", help="compute part I of N, from 0/N to N-1/N, as in a job array")
    add("--dask", metavar="ADDRESS", help="hand shards to tcp://HOST:PORT, or local:N processes")
    add("--dry-run", action="store_true", help="print rows, bytes and the time it would take")
    return parse


def part(text: str | None, environment: Mapping[str, str]) -> tuple[int, int]:
    """Read which part of the shards this process computes.

    Parameters
    ----------
    text : str or None
        `I/N`; None: from `RANK` and `WORLD_SIZE`, as torchrun sets them, or everything.
    environment : mapping
        The process's environment.

    Raises
    ------
    InputError
        `text` is not of that form.

    Examples
    --------
    >>> part("2/8", {}), part(None, {"RANK": "1", "WORLD_SIZE": "4"}), part(None, {})
    ((2, 8), (1, 4), (0, 1))
    """
    if text is None:
        return int(environment.get("RANK", 0)), int(environment.get("WORLD_SIZE", 1))
    first, slash, second = text.partition("/")
    if not (slash and first.isdigit() and second.isdigit()):
        raise InputError(f"--shards {text}: give I/N, as in 0/4 to 3/4")
    return int(first), int(second)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run the extraction."""
    given = vars(parser().parse_args(argv))
    given["layers"] = tuple(given["layers"]) if given["layers"] else None
    given["part"] = part(given["shards"], os.environ)
    if given["device"] == "cuda" and "LOCAL_RANK" in os.environ:
        given["device"] = f"cuda:{os.environ['LOCAL_RANK']}"
    names = (field.name for field in fields(ExtractConfig))
    config = ExtractConfig(**{name: given[name] for name in names if name in given})
    dataset = load_dataset(given["data"])
    if given["dry_run"]:
        print(estimate(Job(config, dataset, given["out"])))
    else:
        print(run(config, dataset, given["out"], dask=given["dask"]))


if __name__ == "__main__":
    run_command(main)
