"""Small fine-tunings for tests: settings, trainers, and what their folders hold."""

import json
from pathlib import Path

import numpy as np
import torch

from classify.finetune.config import FinetuneConfig
from classify.finetune.data import Images
from classify.finetune.processes import Processes
from classify.finetune.run import build_network, build_objective
from classify.finetune.train import Trainer
from extract.backbones import find_backbone
from extract.images import Transform
from extract.weights import load_weights
from features.datasets import load_dataset
from tests.extract.test_run import make_images

CONFIG = FinetuneConfig(
    model="bce", backbone="tiny", weights="random:0", size=32, epochs=2, batch_size=4,
    learning_rate=1e-3, head_learning_rate=1e-2, device="cpu", workers=2, checkpoint_every=2,
    log_every=2, validation=0.2, metric="example_ap",
)  # fmt: skip
#: Hidden labels and frequent refreshes, which models with a state depend on.
HIDDEN = {"refresh": 1, "min_positives": 0, "missing": 0.3}


def make_data(folder: Path) -> Path:
    """Write 21 pictures of noise with three labels."""
    make_images(folder)
    rng = np.random.default_rng(0)
    lines = ["image,cat,dog,cow"]
    for path in sorted((folder / "images").iterdir()):
        lines.append(
            f"{path.name},1,0,{rng.integers(2)}" if rng.integers(2) else f"{path.name},0,1,1"
        )
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def trainer_of(config, Y, data, folder, *, rows=None, validation=()):
    """Build a trainer of one process, in a folder that is made."""
    rows = np.arange(len(Y)) if rows is None else rows
    validation = np.array(validation, dtype=int)
    (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
    objective = build_objective(config, Y, rows)
    tensors = load_weights(find_backbone(config.backbone), config.weights)
    return Trainer(
        config, build_network(config, tensors, objective), objective,
        Images(load_dataset(data), Transform(config.size), workers=2),
        validation=(validation, Y[validation]),
        processes=Processes(0, 1, torch.device("cpu")), folder=folder, record=config.record(),
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file but the log, whose speeds differ."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "log.jsonl"
    }


def logged(folder: Path) -> list[dict]:
    """Read the log without its speeds."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines]
