"""Seconds of a training step and of its constrained ranking loss, by themselves."""

import time
from collections.abc import Callable
from statistics import median

import torch

from classify.finetune.losses import constrained_ranking_loss
from classify.finetune.networks import CoProjection, Network, map_layer
from extract.backbones import find_backbone
from extract.engines import choose_device
from extract.weights import load_weights

SEED = 0


def step_seconds(
    *, backbone: str, size: int, images: int, labels: int, part: int, repeats: int, device: str
) -> tuple[float, float]:
    """Time a step of co-projection without its ranking loss, and that loss.

    Parameters
    ----------
    backbone, size, images, labels, part, repeats, device
        As for `benchmarks.speed_finetune.speed_finetune`.

    Returns
    -------
    step, loss : float
        Seconds, forward and backward each.
    """
    chosen = choose_device(device)
    torch.manual_seed(SEED)
    record = find_backbone(backbone)
    head = CoProjection(map_layer(record).channels, labels)
    network = Network(record, load_weights(record, f"random:{SEED}"), head).to(chosen).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9)
    pixels = torch.randint(0, 256, (part, 3, size, size), dtype=torch.uint8, device=chosen)
    present = _labels(images, labels).to(chosen)
    vectors, embedded = torch.randn(2, max(images, labels), labels, device=chosen)
    vectors = vectors[:labels].requires_grad_()
    embedded = embedded[:images].requires_grad_()

    def ranking() -> None:
        constrained_ranking_loss(embedded, vectors, present).backward()

    def forward_and_backward() -> None:
        network(pixels, present[:part]).scores.sum().backward()

    loss = _seconds(ranking, 10 * repeats, chosen)
    one_part = _seconds(forward_and_backward, repeats, chosen)
    update = _seconds(optimiser.step, repeats, chosen)
    return one_part * images / part + update, loss


def _labels(images: int, labels: int) -> torch.Tensor:
    """About three present labels an image, as in COCO."""
    drawn = torch.rand(images, labels)
    return (drawn < 3 / labels).to(torch.int8)


def _seconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return median(times[1:])
