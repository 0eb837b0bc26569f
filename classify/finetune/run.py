"""A fine-tuning as a whole: a folder of images in, a run folder out.

A run folder holds `config.json` (what was asked), `split.csv`, `log.jsonl`, `checkpoint/` (the
state to go on from, and the model), `scores.npy` (the test images in the order of `split.csv`, one
row each) and `results.jsonl` (the metrics). The same command goes on with a killed run.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from classify.finetune.checkpoint import load_checkpoint
from classify.finetune.config import CONFIG, MODELS, FinetuneConfig, read_run
from classify.finetune.data import Images
from classify.finetune.folder import SCORES, open_folder
from classify.finetune.networks import Network, map_layer
from classify.finetune.objectives import Objective
from classify.finetune.processes import Processes, joined
from classify.finetune.train import MODEL, Trainer
from classify.metrics import METRICS
from classify.models import library_versions
from classify.results import ResultFile
from classify.storage.provenance import hash_labels_as_text
from extract.backbones import find_backbone
from extract.images import Transform
from extract.network import parameter_names, parameter_shapes
from extract.weights import Tensors, checksum, load_weights
from features.command_line import load
from features.datasets import Dataset, load_dataset
from features.errors import InputError
from features.files.locks import locked_folder
from features.files.ownership import make_folder
from features.files.unchanged import atomic_rewrite
from features.labels import read_split_csv, some_of
from features.missing import hide_in_rows
from features.splits import Split, inner_split, random_split, splits_hash

REPORTED_METRICS = tuple(name for name in METRICS if name != "accuracy")
RESULTS = "results.jsonl"
Shapes = Mapping[str, tuple[int, ...]]


def finetune(config: FinetuneConfig, data: Path, out: Path) -> Path:
    """Train a whole network, score the test images and evaluate the scores.

    Rows are split into training and test part; of the training part some are set aside to choose
    the epoch on. The test part is only ever scored, once, by the model chosen.

    Parameters
    ----------
    config : FinetuneConfig
    data : Path
        A folder with `images/` and `labels.csv`.
    out : Path
        The run folder; made if absent, continued if it holds the same run.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        Bad settings, data or weights; a label without a positive; a run folder of other settings,
        with files of others, or one that another run writes; out of memory; a loss that is not
        finite.
    """
    dataset = load_dataset(data)
    dataset.tell()
    Y, split, validation = _parts(config, dataset)
    learned = hide_in_rows(
        Y, split.train, missing=config.missing, unlabeled=config.unlabeled, seed=config.seed
    )
    _require_positives(learned[split.train], dataset.label_names, config.min_positives)
    objective = build_objective(config, learned, split.train)
    tensors = load_weights(find_backbone(config.backbone, config.size), config.weights)
    network = build_network(config, tensors, objective)
    record = _record(config, dataset, (split, validation), tensors)
    with joined(config.device) as processes, ExitStack() as held:
        if processes.first:
            make_folder(out)
            held.enter_context(locked_folder(out))
            open_folder(out, config, record, dataset, (split, validation))
        processes.wait()
        images = Images(dataset, Transform(config.size), workers=config.workers)
        trainer = Trainer(
            config, network, objective, images,
            validation=(validation, Y[validation]), processes=processes, folder=out, record=record,
        )  # fmt: skip
        position = trainer.run()
        processes.wait()
        network.load_test_tensors(load_checkpoint(out / MODEL)[0])
        scores, _ = trainer.predict(split.test)
        _publish(out, processes, scores, Y[split.test], position.best_epoch, record)
    return out


def build_objective(config: FinetuneConfig, Y: np.ndarray, rows: np.ndarray) -> Objective:
    """Build the objective of ``config.model``; arguments as for `Objective`."""
    return load(MODELS[config.model].objective)(config, Y, rows)


def build_network(config: FinetuneConfig, tensors: Tensors, objective: Objective) -> Network:
    """Build the network of a run at its start: the head is drawn with the run's seed."""
    backbone = find_backbone(config.backbone, config.size)
    torch.manual_seed(config.seed)
    head = objective.head(map_layer(backbone).channels)
    return Network(backbone, tensors, head, batch_norm=config.batch_norm)


def load_run(run: Path) -> tuple[FinetuneConfig, Network, tuple[str, ...]]:
    """Open a finished run's network, in eval mode on the CPU.

    Returns
    -------
    config : FinetuneConfig
    network : Network
    label_names : tuple of str

    Raises
    ------
    InputError
        The folder holds no run, or its model is missing or damaged.
    """
    config, names = read_run(run)
    tensors, _ = load_checkpoint(run / MODEL)
    bare = np.zeros((1, len(names)), dtype=np.int8)
    # A library's network may have a head of its own, which is not the one in the file.
    backbone = {name: one for name, one in tensors.items() if not name.startswith("head.")}
    found = {name: tuple(one.shape) for name, one in tensors.items()}
    known = parameter_shapes(find_backbone(config.backbone, config.size))
    _require_same_network(run, found, {name: known[name] for name in known if name in backbone})
    network = build_network(config, backbone, build_objective(config, bare, np.arange(1)))
    needed = {name: tuple(one.shape) for name, one in network.test_tensors().items()}
    _require_same_network(run, found, needed)
    network.load_test_tensors(tensors)
    return config, network.eval(), names


def _require_same_network(run: Path, found: Shapes, needed: Shapes) -> None:
    """Refuse a model whose tensors are not those of the settings beside it."""
    for name, shape in needed.items():
        if found.get(name) != shape:
            raise InputError(
                f"{run / MODEL} does not hold the network of {run / CONFIG}: its {name} is "
                f"{found.get(name, 'missing')}, that one's {shape}. Restore both files, or train "
                "again into another folder."
            )


def _parts(config: FinetuneConfig, dataset: Dataset) -> tuple[np.ndarray, Split, np.ndarray]:
    """Labels, the split with the rows to learn from, and the rows to choose the epoch on."""
    no_rows = np.empty(0, dtype=np.int64)
    chosen: np.ndarray | None = None
    if dataset.labels is None:
        raise InputError(
            f"{dataset.root} has no labels.csv; give one with a column `image` and one 0/1 column "
            "a label"
        )
    if config.split == "random":
        split = random_split(len(dataset), config.seed)
    else:
        parts = read_split_csv(Path(config.split), dataset.ids)
        lacking = {"train", "test"} - parts.keys()
        if lacking:
            raise InputError(f"{config.split} has no image marked {' or '.join(sorted(lacking))}")
        split, chosen = Split(parts["train"], parts["test"]), parts.get("val")
    if chosen is None and config.validation:
        inner = inner_split(split.train, config.seed, config.validation)
        split, chosen = Split(inner.train, split.test), inner.test
    chosen = no_rows if chosen is None else np.sort(chosen)
    return dataset.labels, Split(np.sort(split.train), np.sort(split.test)), chosen


def _require_positives(Y: np.ndarray, names: tuple[str, ...], least: int) -> None:
    counts = (Y == 1).sum(axis=0)
    few = [name for name, count in zip(names, counts, strict=True) if count < least]
    if few:
        raise InputError(
            f"{some_of(few)} of {len(names)} labels have fewer than {least} positives among the "
            f"{len(Y)} training images; leave them out, give another --seed or --min-positives 0"
        )


def _record(
    config: FinetuneConfig, dataset: Dataset, parts: tuple[Split, np.ndarray], tensors: Tensors
) -> dict[str, Any]:
    """Everything that identifies a run."""
    split, validation = parts
    backbone = find_backbone(config.backbone, config.size)
    names = parameter_names(backbone, (map_layer(backbone),))
    assert dataset.labels is not None  # checked before
    return {
        **config.record(),
        "labels": hash_labels_as_text(dataset.label_names, dataset.labels),
        "splits": splits_hash([split, Split(split.train, validation)], dataset.ids),
        "weights_sha256": checksum(tensors, names),
    }


def _publish(
    out: Path,
    processes: Processes,
    scores: np.ndarray,
    Y: np.ndarray,
    epoch: int,
    record: dict[str, Any],
) -> None:
    """Write the scores and the metrics, and print the metrics that papers print."""
    if not processes.first:
        return
    with atomic_rewrite(out / SCORES) as temporary, open(temporary, "wb") as file:
        np.save(file, scores)
    header = {**record, "versions": library_versions() | {"torch": torch.__version__}}
    values = {name: METRICS[name].function(Y, scores) for name in REPORTED_METRICS}
    with ResultFile(out / RESULTS, key=("part",), header=header) as results:
        if ("test",) not in results:
            results.append({"part": "test", "epoch": epoch, "images": len(Y), **values})
        results.finish()
    shown = ("map", "example_ap", "f1_micro", "f1_macro")
    said = ", ".join(f"{name} {values[name]:.4f}" for name in shown)
    print(f"epoch {epoch}, {len(Y)} test images: {said}", file=sys.stderr)
