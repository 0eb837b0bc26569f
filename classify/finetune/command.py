"""The options of ``python -m classify finetune`` and ``cam``. Loads torch only to run them."""

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from classify.finetune.config import MODELS, FinetuneConfig
from features.command_line import add_options


def add_finetune_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``finetune``."""
    parser.add_argument("--data", type=Path, required=True, help="folder with images/, labels.csv")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    add_options(
        parser, FinetuneConfig, {one.name: _help_text(one) for one in fields(FinetuneConfig)}
    )


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


def _help_text(setting: Field) -> str:
    text = setting.metadata["help"]
    if setting.name == "model":
        return "; ".join(f"{name}: {model.description}" for name, model in MODELS.items())
    choices = setting.metadata.get("choices")
    return f"{text}; of {', '.join(choices)}" if choices else text
