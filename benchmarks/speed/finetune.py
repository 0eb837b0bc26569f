"""A training step phase by phase, and training beside a plain loop: ``speed finetune``."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.speed import workers as processes
from benchmarks.speed.finetune_report import IMPLEMENTATIONS, STEP, TRAINING, page
from benchmarks.speed.record import Record
from benchmarks.speed.workers import LIMIT, Worker, rate
from benchmarks.synthetic.images import render_dataset
from classify.finetune.config import PRECISIONS
from features.command_line import default
from features.datasets import load_dataset
from features.errors import InputError

FACTS = ("flops", "peak_mb")  # what a worker tells at its end


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
        File for the page, ``.md``, which is also printed; the result lines go beside it, to
        ``.jsonl``.
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
        A number or precision that is not allowed, a step that can't be taken, too few images, or an
        `out` that can't be written.
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
    facts = {**counts, "loop_backbone": loop_backbone, "loop_size": loop_size}
    facts |= {"precision": precision}
    record = Record("speed-finetune", page, out, facts, device=device)
    given: dict[str, Any] = counts | machine
    chosen = [(backbone, size) for backbone in backbones for size in sizes]
    for place, (backbone, size) in enumerate(tqdm(chosen, desc="steps")):
        step = _step(given | {"backbone": backbone, "size": size})
        record.add(STEP, [{"what": f"{backbone} at {size}", "place": place, **step}])
    if rounds:
        given = {"labels": labels, "batch_size": images, "workers": workers, **machine}
        given |= {"backbone": loop_backbone, "size": loop_size, "rows": batches * images}
        record.add(TRAINING, _compare(given, data, rounds))
    record.finish()
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_finetune`."""
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="file for the page, .md; its result lines go beside it",
    )
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


def _compare(given: dict[str, Any], data: Path | None, rounds: int) -> list[dict[str, Any]]:
    """Give a line per implementation and round."""
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
        facts = {
            name: {key: worker.info[key] for key in FACTS if key in worker.info}
            for name, worker in running.items()
        }
    return [
        {"what": name, "round": turn, "rate": one, **facts[name]}
        for name, each_rate in rates.items()
        for turn, one in enumerate(each_rate)
    ]
