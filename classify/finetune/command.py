"""The options of ``python -m classify finetune`` and ``cam``. Loads torch only to run them."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from classify.finetune.config import MODELS, FinetuneConfig

EXAMPLE = """\
example:
  python -m classify finetune --data photos --model coprojection --backbone resnet101 --size 448 \\
      --out tuned
  torchrun --nproc-per-node 4 -m classify finetune --data photos --batch-size 64 --out tuned
  python -m extract --data photos --backbone resnet101 --size 448 --weights tuned --out tuned.cache
  python -m classify cam tuned --images photos/images/1.jpg --out maps
"""


def add_commands(commands: Any) -> None:
    """Add `finetune` and `cam` to the commands of ``python -m classify``."""
    raw = argparse.RawDescriptionHelpFormatter
    tune = commands.add_parser(
        "finetune", help="train a whole network on images", epilog=EXAMPLE, formatter_class=raw
    )
    tune.add_argument("--data", type=Path, required=True, help="folder with images/, labels.csv")
    tune.add_argument("--out", type=Path, required=True, help="the run folder")
    for one in fields(FinetuneConfig):
        _add_option(tune, one)
    tune.set_defaults(run=run_finetune)
    cam = commands.add_parser(
        "cam", help="show where a fine-tuned network sees a label", epilog=EXAMPLE,
        formatter_class=raw,
    )  # fmt: skip
    cam.add_argument("run_folder", metavar="RUN", type=Path, help="a folder that finetune wrote")
    cam.add_argument("--images", type=Path, nargs="+", required=True, help="image files")
    cam.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    cam.add_argument("--labels", nargs="+", help="labels to show (the three highest scores)")
    cam.set_defaults(run=run_cam)


def run_finetune(data: Path, out: Path, **settings: Any) -> None:
    """Run a fine-tuning."""
    from classify.finetune.run import finetune  # torch

    finetune(FinetuneConfig(**settings), data, out)


def run_cam(run_folder: Path, images: list[Path], out: Path, labels: list[str] | None) -> None:
    """Draw class activation maps."""
    from classify.finetune.cam import draw_maps  # torch

    draw_maps(run_folder, images, out, labels=labels)


def _add_option(parse: argparse.ArgumentParser, one: Any) -> None:
    flag = f"--{one.name.replace('_', '-')}"
    text = one.metadata["help"].replace("%", "%%")
    if isinstance(one.default, bool):
        parse.add_argument(flag, action="store_true", help=text)
        return
    if one.name == "model":
        text = "; ".join(f"{name}: {model.description}" for name, model in MODELS.items())
    elif choices := one.metadata.get("choices"):
        text = f"{text}; of {', '.join(choices)}"
    kind = one.metadata.get("type", type(one.default))
    shown = "" if one.default is None else " (%(default)s)"
    parse.add_argument(flag, type=kind, default=one.default, help=text + shown)
