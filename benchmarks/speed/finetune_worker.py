"""The implementations of ``speed finetune``: this project's trainer, and a loop as torchvision's.

Both read JPEG files, mirror half of them, train a ResNet with batch norm in training and binary
cross-entropy by SGD with momentum, and save the state after every job.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.workers import (
    LIMIT,
    Prepare,
    Work,
    image_jobs,
    matrix_products,
    serve,
)

SEED = 0


def flops_per_image(given: dict[str, Any]) -> int:
    """Floating-point operations of one image, forward and backward, as torch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from torchvision import models

    model = models.get_model(given["backbone"], weights=None, num_classes=given["labels"]).eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros((1, 3, given["size"], given["size"]))).sum().backward()
    return counter.get_total_flops()


def synthetic_labels(n: int, labels: int) -> np.ndarray:
    """About three present labels an image: int8 (n, labels)."""
    return (np.random.default_rng(SEED).random((n, labels)) < 3 / labels).astype(np.int8)


def _ours(given: dict[str, Any]) -> tuple[Work, int]:
    from classify.finetune.config import FinetuneConfig
    from classify.finetune.data import Images
    from classify.finetune.processes import joined
    from classify.finetune.run import build_network, build_objective
    from classify.finetune.train import Trainer
    from extract.backbones import find_backbone
    from extract.images import Transform
    from extract.weights import load_weights
    from features.datasets import load_dataset

    config = FinetuneConfig(
        model="bce", backbone=given["backbone"], weights=f"random:{SEED}", size=given["size"],
        epochs=1, batch_size=given["batch_size"], augment="flip", batch_norm="train",
        precision=given["precision"], device=given["device"], workers=given["workers"],
        checkpoint_every=10**9, log_every=10**9,
    )  # fmt: skip
    dataset = load_dataset(Path(given["data"]))
    Y, nobody = synthetic_labels(len(dataset), given["labels"]), np.empty(0, dtype=np.int64)
    tensors = load_weights(find_backbone(config.backbone), config.weights)
    network = build_network(config, tensors, build_objective(config, Y, np.arange(len(Y))))

    def work(start: int, stop: int) -> float:
        rows = np.arange(start, stop)
        objective = build_objective(config, Y, rows)
        with tempfile.TemporaryDirectory() as folder, joined(config.device) as processes:
            (Path(folder) / "checkpoint").mkdir()
            images = Images(dataset, Transform(config.size), workers=config.workers)
            Trainer(
                config, network, objective, images, validation=(nobody, Y[:0]),
                processes=processes, folder=Path(folder), record={},
            ).run()  # fmt: skip
        return 0

    return work, flops_per_image(given)


def _loop(given: dict[str, Any]) -> tuple[Work, int]:
    """Train as torchvision's reference script for classification does."""
    import torch
    from torchvision import models, transforms

    from benchmarks.speed.photos import Photos
    from extract.engines import choose_device
    from features.datasets import load_dataset

    device = choose_device(given["device"])
    dataset = load_dataset(Path(given["data"]))
    Y = torch.from_numpy(synthetic_labels(len(dataset), given["labels"])).float()
    prepare = transforms.Compose(
        [
            transforms.Resize((given["size"], given["size"])),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    model = models.get_model(given["backbone"], weights=None, num_classes=given["labels"])
    model = model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.BCEWithLogitsLoss()

    paths = [dataset.root / path for path in dataset.paths]

    def work(start: int, stop: int) -> float:
        loader = torch.utils.data.DataLoader(
            Photos(paths[start:stop], prepare, Y[start:stop]), given["batch_size"], shuffle=True,
            drop_last=False, num_workers=given["workers"], pin_memory=device.type == "cuda",
        )  # fmt: skip
        for pixels, labels in loader:
            pixels, labels = pixels.to(device), labels.to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=given["precision"] == "bf16"):
                loss = criterion(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with tempfile.TemporaryDirectory() as folder:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, Path(folder) / "checkpoint.pth")
        return 0

    return work, flops_per_image(given)


IMPLEMENTATIONS = {"this project": _ours, "loop": _loop}


def _made(given: dict[str, Any]) -> tuple[Prepare, dict[str, Any]]:
    if given["name"] == LIMIT:
        work, flops = matrix_products(given["device"], given["precision"], given["side"])
    else:
        work, flops = IMPLEMENTATIONS[given["name"]](given)
    return image_jobs(work, flops, given["rows"])


if __name__ == "__main__":
    serve(_made)
