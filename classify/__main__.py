"""`python -m classify`: train on a cache, tag the images of another, fine-tune a network."""

import argparse
import inspect
from pathlib import Path

from classify import sweep, training
from classify.finetune import command
from classify.learners import LEARNERS, MEANING_OF_C, SCALINGS
from classify.metrics import METRICS
from features.command_line import CommandParser, argument, run_command

EXAMPLE = """\
example:
  python -m classify fit photos.cache --learner l2 --out tagger.safetensors
  python -m classify predict tagger.safetensors photos.cache --out tags.csv
  python -m classify sweep photos.cache --learner l1 l2 --C 0.01:100:5 --splits 3 --out sweep.jsonl
  python -m classify sweep photos.cache --learner rmlc --splits 3 --out rmlc.jsonl
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line; its defaults are those of the functions it calls."""
    raw = argparse.RawDescriptionHelpFormatter
    parse = CommandParser(
        prog="python -m classify",
        description="Learn labels from cached features, on a CPU; or fine-tune a whole network.",
        epilog=EXAMPLE,
        formatter_class=raw,
    )
    commands = parse.add_subparsers(dest="command", required=True, metavar="command")
    fit = commands.add_parser("fit", help="train a model", epilog=EXAMPLE, formatter_class=raw)
    default = {k: v.default for k, v in inspect.signature(training.fit).parameters.items()}
    fit.add_argument("cache", type=Path, help="features to learn from")
    fit.add_argument("--out", type=Path, required=True, help="the model file, .safetensors")
    learners = "; ".join(f"{name}: {one.description}" for name, one in LEARNERS.items())
    fit.add_argument("--learner", default=default["learner"], help=f"{learners} (%(default)s)")
    fit.add_argument("--C", type=float, default=default["C"], help=f"{MEANING_OF_C} (%(default)s)")
    scalings = ", ".join(SCALINGS)
    fit.add_argument("--scale", default=default["scale"], help=f"{scalings} (%(default)s)")
    fit.add_argument("--layers", nargs="+", help="layers to learn from (all)")
    fit.add_argument("--labels", type=Path, help="a labels.csv instead of the cache's own")
    fit.set_defaults(run=training.fit)
    tag = commands.add_parser("predict", help="tag images", epilog=EXAMPLE, formatter_class=raw)
    tag.add_argument("model", type=Path, help="a file that fit wrote")
    tag.add_argument("cache", type=Path, help="features made the same way")
    tag.add_argument("--out", type=Path, required=True, help="a .csv or .jsonl file")
    tag.set_defaults(run=training.predict)
    _add_sweep(commands)
    command.add_commands(commands)
    return parse


def _add_sweep(commands) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    grid = commands.add_parser(
        "sweep", help="fit a grid over random splits", epilog=EXAMPLE, formatter_class=raw
    )
    default = {k: v.default for k, v in inspect.signature(sweep.sweep).parameters.items()}
    add = grid.add_argument
    add("cache", type=Path, help="features with labels")
    add("--out", type=Path, required=True, help="the file of result lines, .jsonl")
    learners = ", ".join(LEARNERS)
    add("--learner", nargs="+", default=default["learner"], help=f"{learners} (%(default)s)")
    add("--scale", nargs="+", default=default["scale"], help=f"{', '.join(SCALINGS)} (%(default)s)")
    add(
        "--C",
        type=argument(sweep.parse_C),
        default=default["C"],
        help=f"LOW:HIGH:COUNT or a,b,c: {MEANING_OF_C} (%(default)s)",
    )
    for name, text in {
        "splits": "random splits, 2/3 to train on",
        "seed": "of the first split",
        "folds": "inner folds",
        "jobs": "processes, -1 for one a core",
    }.items():
        add(f"--{name}", type=int, default=default[name], help=f"{text} (%(default)s)")
    add("--select", default=default["select"], help=f"{', '.join(sweep.SELECTIONS)} (%(default)s)")
    add(
        "--metric",
        default=default["metric"],
        help=f"to select by, of {', '.join(METRICS)}".replace("%", "%%") + " (%(default)s)",
    )
    add("--layers", nargs="+", help="layers to learn from (all)")
    add("--labels", type=Path, help="a labels.csv instead of the cache's own")
    add("--dask", metavar="ADDRESS", help="run on a Dask cluster: tcp://HOST:PORT or local:N")
    grid.set_defaults(run=_sweep)


def _sweep(**given) -> None:
    """Run a sweep and print what its splits give on average."""
    for name, splits, values in sweep.summarise(sweep.sweep(**given)):
        numbers = "  ".join(f"{m} {mean:.4f} ± {std:.4f}" for m, (mean, std) in values.items())
        print(f"{name} ({splits} fits): {numbers}")


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run the command."""
    given = vars(parser().parse_args(argv))
    given.pop("command")
    given.pop("run")(**given)
    print(given["out"])


if __name__ == "__main__":
    run_command(main)
