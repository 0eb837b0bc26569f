"""`python -m classify`: train on a cache, and tag the images of another."""

import argparse
import inspect
from pathlib import Path

from classify import training
from features.errors import run_command

EXAMPLE = """\
example:
  python -m classify fit photos.cache --learner l2 --out tagger.safetensors
  python -m classify predict tagger.safetensors photos.cache --out tags.csv
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line; its defaults are those of the functions it calls."""
    raw = argparse.RawDescriptionHelpFormatter
    parse = argparse.ArgumentParser(
        prog="python -m classify",
        description="Learn labels from cached features, on a CPU.",
        epilog=EXAMPLE,
        formatter_class=raw,
    )
    commands = parse.add_subparsers(dest="command", required=True, metavar="command")
    fit = commands.add_parser("fit", help="train a model", epilog=EXAMPLE, formatter_class=raw)
    default = {k: v.default for k, v in inspect.signature(training.fit).parameters.items()}
    fit.add_argument("cache", type=Path, help="features to learn from")
    fit.add_argument("--out", type=Path, required=True, help="the model file, .safetensors")
    learners = "; ".join(f"{name}: {text}" for name, text in training.LEARNERS.items())
    fit.add_argument("--learner", default=default["learner"], help=f"{learners} (%(default)s)")
    fit.add_argument(
        "--C", type=float, default=default["C"], help="weight of the loss (%(default)s)"
    )
    scalings = ", ".join(training.SCALINGS)
    fit.add_argument("--scale", default=default["scale"], help=f"{scalings} (%(default)s)")
    fit.add_argument("--layers", nargs="+", help="layers to learn from (all)")
    fit.add_argument("--labels", type=Path, help="a labels.csv instead of the cache's own")
    fit.set_defaults(run=training.fit)
    tag = commands.add_parser("predict", help="tag images", epilog=EXAMPLE, formatter_class=raw)
    tag.add_argument("model", type=Path, help="a file that fit wrote")
    tag.add_argument("cache", type=Path, help="features made the same way")
    tag.add_argument("--out", type=Path, required=True, help="a .csv or .jsonl file")
    tag.set_defaults(run=training.predict)
    return parse


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run the command."""
    given = vars(parser().parse_args(argv))
    given.pop("command")
    given.pop("run")(**given)
    print(given["out"])


if __name__ == "__main__":
    run_command(main)
