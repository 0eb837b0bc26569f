"""The options of ``python -m classify finetune`` and ``cam``. Loads torch only to run them."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from classify.finetune.config import MODELS, FinetuneConfig


def add_finetune_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``finetune``."""
    parser.add_argument("--data", type=Path, required=True, help="folder with images/, labels.csv")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    for one in fields(FinetuneConfig):
        _add_option(parser, one)


def add_cam_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``cam``."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="a folder that finetune wrote")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="image files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--labels", nargs="+", help="labels to show (the three highest scores)")


def run_finetune(data: Path, out: Path, **settings: Any) -> None:
    """Run a fine-tuning."""
    from classify.finetune.run import finetune  # torch

    finetune(FinetuneConfig(**settings), data, out)
    print(out)


def run_cam(run_folder: Path, images: list[Path], out: Path, labels: list[str] | None) -> None:
    """Draw class activation maps."""
    from classify.finetune.cam import draw_maps  # torch

    draw_maps(run_folder, images, out, labels=labels)
    print(out)


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
