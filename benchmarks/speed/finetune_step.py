"""One training step, phase by phase: a process of its own, so that its peak memory is its own."""

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.speed.workers import peak_megabytes
from classify.finetune.embedding_losses import constrained_ranking_loss
from classify.finetune.networks import CoProjection, Network, map_layer
from extract.backbones import find_backbone
from extract.engines import choose_device
from extract.weights import load_weights

SEED = 0


def measure_step(
    *,
    backbone: str,
    size: int,
    images: int,
    labels: int,
    part: int,
    repeats: int,
    device: str,
    precision: str,
) -> dict[str, float]:
    """Time the phases of a step of co-projection on random filters, which cost what others cost.

    Parameters
    ----------
    backbone, size, images, labels, part, repeats, device, precision
        As for `benchmarks.speed.finetune.speed_finetune`.

    Returns
    -------
    dict
        Seconds of ``forward`` and ``backward`` (of `part` images), of ``update`` and of
        ``ranking`` (forward and backward of `images`); the number of ``parameters``; ``peak_mb``.
    """
    chosen = choose_device(device)
    torch.manual_seed(SEED)
    record = find_backbone(backbone)
    head = CoProjection(map_layer(record).channels, labels)
    network = Network(record, load_weights(record, f"random:{SEED}"), head)
    network = network.to(chosen).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9)
    pixels = torch.randint(0, 256, (part, 3, size, size), dtype=torch.uint8, device=chosen)
    pixels = pixels.to(memory_format=torch.channels_last)
    present = _labels(images, labels).to(chosen)
    vectors, embedded = torch.randn(2, max(images, labels), labels, device=chosen)
    vectors = vectors[:labels].requires_grad_()
    embedded = embedded[:images].requires_grad_()
    losses = []

    def forward() -> None:
        with torch.autocast(chosen.type, torch.bfloat16, enabled=precision == "bf16"):
            losses.append(network(pixels, present[:part]).scores.float().sum())

    def ranking() -> None:
        constrained_ranking_loss(embedded, vectors, present).backward()

    phases = (forward, lambda: losses.pop().backward(), optimizer.step)
    seconds = [[_seconds(phase, chosen) for phase in phases] for _ in range(repeats + 1)][1:]
    rankings = [_seconds(ranking, chosen) for _ in range(10 * repeats + 1)][1:]
    timed = dict(
        zip(("forward", "backward", "update"), map(median, zip(*seconds, strict=True)), strict=True)
    )
    count = sum(parameter.numel() for parameter in network.parameters())
    peak = torch.cuda.max_memory_allocated() / 2**20 if chosen.type == "cuda" else peak_megabytes()
    return timed | {"ranking": median(rankings), "parameters": count, "peak_mb": peak}


def _labels(images: int, labels: int) -> torch.Tensor:
    """About three present labels an image, as in COCO."""
    return (torch.rand(images, labels) < 3 / labels).to(torch.int8)


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(measure_step(**json.loads(sys.stdin.read()))))
