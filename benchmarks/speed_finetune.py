"""What the constrained ranking loss costs of a training step."""

import argparse
from pathlib import Path

from benchmarks.commands import default
from benchmarks.machine import describe_machine
from benchmarks.markdown import table
from features.files import write_text


def speed_finetune(
    out: Path,
    *,
    backbone: str = "resnet101",
    size: int = 448,
    images: int = 16,
    labels: int = 80,
    part: int = 2,
    repeats: int = 3,
    device: str = "auto",
) -> Path:
    """Time a training step of co-projection and, by itself, its constrained ranking loss.

    A step is forward, loss and backward of `images` images in parts, and the update; one part is
    timed and multiplied, since a whole batch at 448 pixels needs more memory than many machines
    have. Filters are random, which costs the same.

    Parameters
    ----------
    out : Path
        A Markdown file; also printed.
    backbone, size : str and int
    images, labels : int
        Of a batch.
    part : int
        Images of the part that is timed.
    repeats : int
        Of which the median counts, after one that doesn't.
    device : str

    Returns
    -------
    Path
        `out`.
    """
    from benchmarks.finetune_step import step_seconds  # torch

    step, loss = step_seconds(
        backbone=backbone, size=size, images=images, labels=labels, part=part, repeats=repeats,
        device=device,
    )  # fmt: skip
    rows = [
        [f"{backbone}, {images} images of {size} pixels, without the loss", f"{step:.3f}", ""],
        [f"constrained ranking, {images} x {labels}", f"{loss:.5f}", f"{loss / (step + loss):.3%}"],
    ]
    text = f"# Constrained ranking in a training step\n\n{describe_machine(device)}\n\n" + table(
        ["part", "seconds", "share of the step"], rows
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    print(text, end="")
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_finetune`."""
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    for name, text in (
        ("backbone", "of the step"),
        ("size", "side of the input in pixels"),
        ("images", "a step"),
        ("labels", "of the data set"),
        ("part", "images that are timed at once"),
        ("repeats", "whose median counts"),
        ("device", "auto, cpu, cuda or cuda:N"),
    ):
        given = default(speed_finetune, name)
        parser.add_argument(
            f"--{name}", type=type(given), default=given, help=f"{text} (%(default)s)"
        )
