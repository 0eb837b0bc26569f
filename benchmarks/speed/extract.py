"""Extraction against its peers and the machine's limit: ``python -m benchmarks speed extract``.

Rounds are interleaved (see `benchmarks.speed.workers`). The timed region is decoding to stored
features.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from benchmarks.speed import workers
from benchmarks.speed.extract_report import ARCHIVES, LONG, OTHERS, OURS, page
from benchmarks.speed.record import Record
from benchmarks.speed.workers import LIMIT, Worker, rate
from features.command_line import default
from features.datasets import load_dataset
from features.errors import InputError

FACTS = ("flops", "bytes", "peak_mb")  # what a worker tells at its end
SIDES = (500, 375)  # of the JPEG files, in pixels
QUALITY = 90


def speed_extract(
    data: Path,
    out: Path | None = None,
    *,
    backbones: Sequence[str] = ("vgg16", "resnet101"),
    peers: Sequence[str] = ("loop", *OURS, *ARCHIVES, *OTHERS),
    images: int = 512,
    rounds: int = 5,
    long_run: int = 5000,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str = "float32",
    thingsvision_python: str = sys.executable,
    clip_retrieval_python: str = sys.executable,
) -> str:
    """Measure images per second of every implementation, side by side.

    Parameters
    ----------
    data : Path
        A data set; its first images are encoded again as 500 x 375 JPEG, quality 90.
    out : Path, optional
        File for the page, ``.md``; the result lines go beside it, to ``.jsonl``.
    backbones : sequence of str
        With random filters; the convolutional layers of VGG16, `gap` and `gmp` of a ResNet, the
        default layers of ``timm/NAME``.
    peers : sequence of str
        `loop` is a plain loop of torchvision or timm (Pillow, a `DataLoader`, NCHW, eager);
        `eager`, `compile` and `openvino` are this project's engines, `zip` and `tar` its engine
        `eager` on the same photos in an archive; `clip-retrieval` is the loop with that peer's
        reader of files, `thingsvision` the other peer.
    images, rounds : int
        Images in all and the number of rounds they are split into, in whole batches.
    long_run : int
        Images of the longer of two runs of ResNet-18 whose peak memory and time per image are
        compared, the shorter being a tenth of it; 0 leaves that out.
    batch_size : int, optional
        Of every implementation; by default 16 on a CPU, 256 on a GPU.
    device, precision : str
        As for extraction.
    thingsvision_python, clip_retrieval_python : str
        Interpreters that have these installed.

    Returns
    -------
    str
        The Markdown page.

    Raises
    ------
    InputError
        Too few images for the rounds, an implementation that does not exist, or an `out` that
        can't be written.
    """
    from extract.extractor import CPU_BATCH  # torch loads in seconds: not for --help

    parts = _parts(images, rounds, batch_size or CPU_BATCH)
    facts: dict[str, Any] = {
        "backbones": list(backbones),
        "peers": list(peers),
        "precision": precision,
    }
    facts |= {"images": images, "rounds": rounds}
    record = Record("speed-extract", page, out, facts, device=device)
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "device": device,
        "precision": precision,
        "rows": parts[0][1],
        "pythons": {"thingsvision": thingsvision_python, "clip-retrieval": clip_retrieval_python},
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = encode_photos(data, Path(folder), images)
        for backbone in backbones:
            options |= {"backbone": backbone}
            record.add(backbone, _compare(backbone, peers, options, paths, parts))
        if long_run:
            options |= {"backbone": "resnet18", "rows": max(1, long_run // 10)}
            record.add(LONG, _long_run(options, paths))
    return record.finish()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `speed_extract`; their defaults are its own."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of images")
    add("--out", type=Path, help="file for the page, .md; its result lines go beside it")
    for name in ("backbones", "peers"):
        add(f"--{name}", nargs="+", default=default(speed_extract, name), help="(%(default)s)")
    for name in ("images", "rounds", "long_run", "batch_size"):
        flag = f"--{name.replace('_', '-')}"
        add(flag, type=int, default=default(speed_extract, name), help="(%(default)s)")
    for name in ("device", "precision", "thingsvision_python", "clip_retrieval_python"):
        flag = f"--{name.replace('_', '-')}"
        add(flag, default=default(speed_extract, name), help="(%(default)s)")


def encode_photos(data: Path, folder: Path, n: int) -> list[str]:
    """Encode the first n images of a data set as JPEG of one size, quality 90.

    Returns
    -------
    list of str
        Their paths.

    Raises
    ------
    InputError
        The data set has fewer.
    """
    dataset = load_dataset(data)
    if len(dataset) < n:
        raise InputError(f"{data} has {len(dataset)} images; give --images up to that")
    paths = []
    for row in tqdm(range(n), desc="photos", unit="img"):
        with Image.open(dataset.root / dataset.paths[row]) as image:
            photo = image.convert("RGB").resize(SIDES, Image.Resampling.BICUBIC)
        paths.append(str(folder / f"{row:06}.jpg"))
        photo.save(paths[-1], quality=QUALITY)
    return paths


def _parts(images: int, rounds: int, batch: int) -> list[tuple[int, int]]:
    """Cut the images into rounds of whole batches: half a batch costs this project a whole one."""
    each = images // rounds if rounds > 0 else 0
    each -= each % batch if each > batch else 0
    if each < 1:
        raise InputError(f"{images} images in {rounds} rounds; give at least one image a round")
    return [(k * each, (k + 1) * each) for k in range(rounds)]


def _compare(
    backbone: str,
    peers: Sequence[str],
    options: dict[str, Any],
    paths: list[str],
    parts: list[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Give a line per implementation and round, or one that says why it is absent."""
    lines: list[dict[str, Any]] = []
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        running: dict[str, Worker] = {}
        for name in (LIMIT, *peers):
            worker = stack.enter_context(_worker(name, options, paths))
            if worker.absent is None:
                running[name] = worker
            else:
                lines.append({"what": name, "absent": f"absent: {worker.absent}"})
        for start, stop in tqdm(parts, desc=backbone, unit="round"):
            for name, worker in running.items():
                rates.setdefault(name, []).append(rate(worker, name, start, stop))
        for name, worker in running.items():
            facts = {key: worker.info[key] for key in FACTS if key in worker.info}
            lines += [
                {"what": name, "round": k, "rate": one, **facts}
                for k, one in enumerate(rates[name])
            ]
    return lines


def _long_run(options: dict[str, Any], paths: list[str]) -> list[dict[str, Any]]:
    """Run, and run ten times longer: memory, and the rate in the middle of the shards."""
    step = options["rows"]
    paths = [paths[i % len(paths)] for i in range(10 * step)]
    lines = []
    for shards in (1, 10):
        with _worker("eager", options, paths) as worker:
            starts = range(0, shards * step, step)
            each = [rate(worker, "eager", start, start + step) for start in starts]
            peak = worker.info["peak_mb"]
        found = {"images": shards * step, "rate": statistics.median(each), "peak_mb": peak}
        lines.append({"what": f"{shards} shards", **found})
    return lines


def _worker(name: str, options: dict[str, Any], paths: list[str]) -> Worker:
    python = options.get("pythons", {}).get(name, sys.executable)
    given = options | {"name": name, "paths": paths, "side": workers.MATRIX_SIDE}
    return Worker("benchmarks.speed.extract_worker", given, python=python)
