"""`python -m extract`: images to a feature cache."""

from features.interrupts import end_quietly

if __name__ == "__main__":
    end_quietly()  # also while what follows is loaded

import argparse
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from extract.backbones import BACKBONES
from extract.config import DTYPES, ENGINES, PRECISIONS, RESIZES, WEIGHTS, ExtractConfig
from features.command_line import CommandParser, add_options, run_command
from features.command_line.environment import local_rank, rank_and_world
from features.command_line.numbers import as_int
from features.errors import InputError

EXAMPLE = """\
example:
  python -m extract --data photos --backbone vgg16 --weights vgg16-conv --out photos.cache

photos/images/, or photos itself, holds the images. photos/labels.csv, which is optional, has a
column `image` and one column per label with 0, 1, or nothing (or -1) for unknown. A stopped
extraction resumes with the same command.
"""
TEXTS = {
    "backbone": f"network: {', '.join(BACKBONES)}, torchvision/NAME, timm/NAME or open_clip/NAME",
    "weights": WEIGHTS,
    "layers": "layers to store, or NODE/POOL of a library's network (all that the weights can"
    " compute)",
    "size": "side of the input in pixels (the backbone's)",
    "resize": "scale the whole image, scale and cut the center, or as the network's library does"
    " (own for torchvision/, timm/ and open_clip/, else warp)",
    "scaled_decode": "shrink large JPEG photos while decoding: faster, pixels differ slightly",
    "background": "color that transparent pixels are composed on: a name, or '#rrggbb'",
    "white_level": "value of white in deep pictures (12 bits in 16, floats) that don't state it",
    "accept_damaged": "take files of which parts would be invented, with the status 'damaged'",
    "max_pixels": "an image of more pixels fails",
    "dtype": "type of stored vectors",
    "engine": "how the network runs",
    "precision": "of the network; bf16 needs a GPU",
    "device": "auto, cpu, cuda or cuda:N",
    "batch_size": "images per forward pass (16 on a CPU, 256 on a GPU)",
    "threads": "threads that compute (one per core that the process may use)",
    "workers": "decoding threads (as --threads, at most 16)",
    "shard_rows": "rows per file of the cache",
    "max_failures": "share of the rows that may fail",
    "retry_failed": "compute only the failed rows again",
    "append": "add the images that the data set has and the cache lacks; the others must have the "
    "names, sizes and, where a file is newer than its shard, checksum that they had",
}


class _List(argparse.Action):
    """Print networks and end, as ``--help`` does."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        from extract.backbones.listing import listing  # loads torch

        print(listing(given[1] or ""))
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Build the command line; its defaults are those of `ExtractConfig`."""
    parse = CommandParser(
        prog="python -m extract",
        description="Run a network once over the images and cache its layers.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parse.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        help="folder of images, or one with images/ and labels.csv; a .zip or .tar file, "
        "'shards-{0000..0099}.tar', parquet files, or a .txt file with a path in each line; or the "
        "address of one of these, as s3://bucket/photos",
    )
    add(
        "--list",
        nargs="?",
        action=_List,
        metavar="WORD",
        help="print the networks with a word in their name: layers, width, input, cost; then end",
    )
    add("--out", type=Path, required=True, help="folder of the cache; made, or resumed")
    add_options(
        parse,
        ExtractConfig,
        TEXTS,
        resize={"choices": RESIZES},
        dtype={"choices": DTYPES},
        engine={"choices": tuple(ENGINES)},
        precision={"choices": PRECISIONS},
    )
    add("--shards", metavar="I/N", help="compute part I of N, 0/N to N-1/N, as in a job array")
    add("--dask", metavar="ADDRESS", help="compute on tcp://HOST:PORT, or on local:N processes")
    add("--strict-names", action="store_true", help="refuse names that aren't exactly a file's")
    add("--dry-run", action="store_true", help="print rows, bytes and an estimate of the time")
    return parse


def part(text: str | None, environment: Mapping[str, str]) -> tuple[int, int]:
    """Read which part of the shards this process computes.

    Parameters
    ----------
    text : str or None
        `I/N`. None: from `RANK` and `WORLD_SIZE`, as torchrun sets them, or everything.
    environment : mapping
        The process's environment.

    Returns
    -------
    tuple of int
        (I, N).

    Raises
    ------
    InputError
        `text` does not have that form, or a variable is no number.

    Examples
    --------
    >>> part("2/8", {}), part(None, {"RANK": "1", "WORLD_SIZE": "4"}), part(None, {})
    ((2, 8), (1, 4), (0, 1))
    """
    if text is None:
        return rank_and_world(environment)
    first, _, second = text.partition("/")
    try:
        return as_int(first), as_int(second)
    except ValueError as error:
        raise InputError(
            f"The 'shards' option must be I/N with 0 <= I < N, as in 0/4 to 3/4. Got {text!r}."
        ) from error


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run the extraction."""
    given = vars(parser().parse_args(argv))
    given["layers"] = tuple(given["layers"]) if given["layers"] else None
    given["part"] = part(given["shards"], os.environ)
    if given["device"] == "cuda" and (rank := local_rank(os.environ)) is not None:
        given["device"] = f"cuda:{rank}"
    config = ExtractConfig(**{field.name: given[field.name] for field in fields(ExtractConfig)})

    from features.datasets import load_dataset  # from here on, imports may take seconds

    dataset = load_dataset(given["data"], strict_names=given["strict_names"])
    dataset.tell()
    if given["dry_run"]:
        from extract.estimate import estimate
        from extract.job import Job

        print(estimate(Job(config, dataset, given["out"])))
    else:
        from extract.run import run

        print(run(config, dataset, given["out"], dask=given["dask"]))


if __name__ == "__main__":
    run_command(main)
