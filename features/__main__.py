"""`python -m features`: make an index, and look at, check, merge and export caches."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from features.annotations import READERS, index_annotations
from features.command_line import CommandParser, run_command
from features.commands.export import export
from features.commands.info import describe_cache, describe_index, describe_rows
from features.commands.merge import merge
from features.commands.verify import find_faults, summary

EXAMPLES = {
    "index": "python -m features index --format coco --source instances_val2017.json "
    "--images val2017 --out coco",
    "info": "python -m features info photos.cache",
    "verify": "python -m features verify photos.cache",
    "merge": "python -m features merge photos.cache part-0.cache part-1.cache",
    "export": "python -m features export photos.cache --out photos.npz",
}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parse = CommandParser(
        prog="python -m features",
        description="Make an index of images, and look at, check, merge and export caches.",
        epilog=_examples(*EXAMPLES.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parse.add_subparsers(dest="command", required=True)

    add = _command(commands, "index", _index, "turn published annotations into labels.csv")
    add("--format", required=True, choices=READERS, help="how the annotations are published")
    add("--source", type=Path, required=True, help="their file or folder")
    add("--images", type=Path, required=True, help="folder with the images; linked, not copied")
    add("--out", type=Path, required=True, help="folder for labels.csv; give it to extract --data")

    add = _command(commands, "info", _info, "print what is inside a cache")
    add("cache", type=Path, help="the cache's folder")

    add = _command(commands, "verify", _verify, "check every file of a cache")
    add("cache", type=Path, help="the cache's folder")

    add = _command(commands, "merge", _merge, "bring shards of several runs into one cache")
    add("out", type=Path, help="the cache's folder; made, or filled up")
    add("caches", type=Path, nargs="+", metavar="cache", help="caches of the same settings")

    add = _command(commands, "export", _export, "write a cache as one npz or parquet file")
    add("cache", type=Path, help="the cache's folder")
    add("--out", type=Path, required=True, help="file that ends in .npz or .parquet")
    add("--layers", nargs="+", help="vector layers to write (all)")
    return parse


def _command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    text: str,
) -> Callable[..., argparse.Action]:
    """Add a command; what is returned adds its arguments."""
    sub = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_examples(EXAMPLES[name]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.set_defaults(run=run)
    return sub.add_argument


def _examples(*lines: str) -> str:
    return "\n  ".join([f"example{'s' if len(lines) > 1 else ''}:", *lines])


def _index(given: argparse.Namespace) -> None:
    dataset = index_annotations(given.format, given.source, given.images, given.out)
    print(describe_index(dataset, given.images))


def _info(given: argparse.Namespace) -> None:
    print(describe_cache(given.cache))


def _verify(given: argparse.Namespace) -> int:
    sound = True
    for fault in find_faults(given.cache):
        tqdm.write(" ".join(fault.split()))  # one line to stdout, past the bar
        sound = False
    if sound:
        print(summary(given.cache))
    return 0 if sound else 1


def _merge(given: argparse.Namespace) -> None:
    print(describe_rows(merge(given.out, given.caches)))


def _export(given: argparse.Namespace) -> None:
    print(export(given.cache, given.out, layers=given.layers))


def main(argv: list[str] | None = None) -> int | None:
    """Parse the command line and run the command."""
    given = parser().parse_args(argv)
    return given.run(given)


if __name__ == "__main__":
    run_command(main)
