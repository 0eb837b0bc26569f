"""A training step phase by phase, and training beside a plain loop: ``speed finetune``."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.report.machine import describe_machine
from benchmarks.report.markdown import table
from benchmarks.speed import workers as processes
from benchmarks.speed.workers import LIMIT, Worker, rate
from benchmarks.synthetic.images import render_dataset
from classify.finetune.config import PRECISIONS
from features.command_line import default
from features.datasets import load_dataset
from features.errors import InputError
from features.files import write_text

IMPLEMENTATIONS = ("loop", "this project")


def speed_finetune(
    out: Path,
    *,
    data: Path | None = None,
    backbones: Sequence[str] = ("resnet101", "vgg16"),
    sizes: Sequence[int] = (224, 448),
    images: int = 16,
    labels: int = 80,
    part: int = 2,
    repeats: int = 3,
    loop_backbone: str = "resnet18",
    loop_size: int = 224,
    rounds: int = 3,
    batches: int = 2,
    workers: int = 1,
    precision: str = "float32",
    device: str = "auto",
) -> Path:
    """Time the steps of co-projection, and the trainer beside a loop as torchvision's.

    A step is forward, backward and constrained ranking loss of `images` images and the update; a
    part of them is timed and multiplied, since a whole batch at 448 pixels needs more memory than
    many machines have. Filters are random, which cost the same.

    Parameters
    ----------
    out : Path
        A Markdown file; also printed.
    data : Path, optional
        Folder of images for the comparison; by default synthetic images.
    backbones, sizes : sequences of str and int
        Of the steps: every one at every size.
    images, labels : int
        Of a batch.
    part : int
        Images of the part that is timed.
    repeats : int
        Of which the median counts, after one that doesn't.
    loop_backbone, loop_size : str and int
        Of the comparison; a ResNet.
    rounds, batches : int
        Turns of each in the comparison, and batches of `images` a turn.
    workers : int
        Threads or processes of the comparison that decode.
    precision : {"float32", "bf16"}
    device : str

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A number or precision that is not allowed, a step that can't be taken, or too few images.
    """
    counts = {"images": images, "labels": labels, "part": part, "repeats": repeats}
    for name, value in {**counts, "batches": batches, "workers": workers}.items():
        if value < 1:
            raise InputError(f"{name} is {value}; give a whole number from 1")
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}; give one of {', '.join(PRECISIONS)}")
    if data is not None and len(load_dataset(data)) < rounds * batches * images:
        raise InputError(
            f"{data} has {len(load_dataset(data))} images; {rounds} rounds of {batches} batches of "
            f"{images} need {rounds * batches * images}: lower one of these"
        )
    machine = {"device": device, "precision": precision}
    text = f"# Fine-tuning\n\n{describe_machine(device)}, {precision}\n\n"
    given: dict[str, Any] = counts | machine
    chosen = [(backbone, size) for backbone in backbones for size in sizes]
    steps = [_step(given | {"backbone": b, "size": s}) for b, s in tqdm(chosen, desc="steps")]
    if chosen:
        text += _steps_table(chosen, steps, images, labels, part)
    if rounds:
        given = {"labels": labels, "batch_size": images, "workers": workers, **machine}
        given |= {"backbone": loop_backbone, "size": loop_size, "rows": batches * images}
        text += _compare(given, data, rounds)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    print(text, end="")
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_finetune`."""
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    parser.add_argument("--data", type=Path, help="images for the comparison (synthetic images)")
    for name, kind in (("backbones", str), ("sizes", int)):
        value = default(speed_finetune, name)
        shown = " ".join(map(str, value))
        parser.add_argument(
            f"--{name}", nargs="*", type=kind, default=value, help=f"of the steps ({shown})"
        )
    for name, text in (
        ("images", "a step"),
        ("labels", "of the data set"),
        ("part", "images that are timed at once"),
        ("repeats", "whose median counts"),
        ("loop_backbone", "of the comparison"),
        ("loop_size", "of the comparison, in pixels"),
        ("rounds", "of the comparison; 0 leaves it out"),
        ("batches", "of a turn in the comparison"),
        ("workers", "that decode in the comparison"),
        ("precision", "float32 or bf16"),
        ("device", "auto, cpu, cuda or cuda:N"),
    ):
        given = default(speed_finetune, name)
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(given), default=given, help=f"{text} (%(default)s)")


def _step(given: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.finetune_step"],
        input=json.dumps(given),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InputError(
            f"a step of {given['backbone']} at {given['size']} pixels failed ({last}); lower "
            "--part, or leave that backbone or size out"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _steps_table(
    chosen: Sequence[tuple[str, int]],
    steps: Sequence[dict[str, float]],
    images: int,
    labels: int,
    part: int,
) -> str:
    rows = []
    for (backbone, size), step in zip(chosen, steps, strict=True):
        forward, backward = (step[name] * images / part for name in ("forward", "backward"))
        whole = forward + backward + step["update"] + step["ranking"]
        seconds = (forward, backward, step["update"], step["ranking"])
        rows.append(
            [
                f"{backbone} at {size}",
                f"{step['parameters']:,}",
                *(f"{value:.3g}" for value in seconds),
                f"{step['ranking'] / whole:.3%}",
                f"{step['peak_mb']:,.0f}",
            ]
        )
    head = ["co-projection", "parameters", "forward, s", "backward, s", "update, s"]
    head += [f"ranking {images} x {labels}, s", "its share", f"peak MB with {part} images"]
    return f"## A step of {images} images\n\n{table(head, rows)}\n"


def _compare(given: dict[str, Any], data: Path | None, rounds: int) -> str:
    rates: dict[str, list[float]] = {}
    each = given["rows"]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if data is None:
            data = render_dataset(Path(folder) / "pictures", n=each * rounds)
        running = {
            name: stack.enter_context(
                Worker(
                    "benchmarks.speed.finetune_worker",
                    given
                    | {"name": name, "data": str(data.resolve()), "side": processes.MATRIX_SIDE},
                )
            )
            for name in (LIMIT, *IMPLEMENTATIONS)
        }
        for name, worker in running.items():
            if worker.absent:
                raise InputError(
                    f"{name} can't be measured ({worker.absent}): give another --loop-backbone"
                )
        for turn in tqdm(range(rounds), desc="training", unit="round"):
            for name, worker in running.items():
                start = turn * each
                rates.setdefault(name, []).append(rate(worker, name, start, start + each))
        ends = {name: worker.info for name, worker in running.items()}
    limit, rows = statistics.median(rates[LIMIT]), []
    for name in IMPLEMENTATIONS:
        median = statistics.median(rates[name])
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates["loop"], strict=True))
        share = median * ends[name]["flops"] / limit
        rows.append(
            [
                name,
                f"{median:.2f} ({min(rates[name]):.2f} to {max(rates[name]):.2f})",
                f"{ratio:.2f}",
                f"{share:.0%}",
                f"{ends[name]['peak_mb']:,.0f}",
            ]
        )
    head = [f"{given['backbone']} at {given['size']}", "images/s, median (min to max)"]
    head += ["over the loop", "share of the matrix rate", "peak MB"]
    return (
        f"## Training, batches of {given['batch_size']}, from JPEG to a saved state\n\n"
        f"{table(head, rows)}\nMatrix product: {limit / 1e9:,.0f} GFLOP/s.\n"
    )
