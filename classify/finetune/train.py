"""The training loop: steps, checkpoints, validation, early stopping and a log.

Nothing here has to do with any one model: what is learned, and the loss, come as an `Objective`.
Steps depend on the settings and the step's number alone, so that a run that is killed and started
again ends in the same bits on a CPU, and processes only share a batch. Batch norms that are trained
are the exception, as in the co-projection head: they see one part of a batch, or one of each GPU.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from classify.finetune.checkpoint import (
    Position,
    load_checkpoint,
    part_of,
    require_same_run,
    save_checkpoint,
    to_tensors,
)
from classify.finetune.config import FinetuneConfig
from classify.finetune.data import Images, epoch_batches, row_uniforms
from classify.finetune.earlier import current_names
from classify.finetune.head_init import fit_head
from classify.finetune.log import Log
from classify.finetune.networks import Network
from classify.finetune.objectives import Batch, Objective
from classify.finetune.optimizer import build_optimizer, load_momenta, momenta, set_rates
from classify.finetune.processes import Processes
from classify.metrics import METRICS
from extract.weights import RUN_MODEL
from features.errors import InputError

STATE, MODEL, LOG = "checkpoint/state.safetensors", RUN_MODEL, "log.jsonl"


class Trainer:
    """Train a network towards an objective, in a folder.

    Parameters
    ----------
    config : FinetuneConfig
    network : Network
    objective : Objective
    images : Images
    validation : tuple of (ndarray of int, ndarray of int8)
        Rows set aside to choose the epoch on, and their labels; none to keep the last epoch.
    processes : Processes
    folder : Path
        Of the run.
    record : dict
        JSON that identifies the run: a checkpoint with another is refused.

    Raises
    ------
    InputError
        The batch can't be shared out evenly.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        network: Network,
        objective: Objective,
        images: Images,
        *,
        validation: tuple[np.ndarray, np.ndarray],
        processes: Processes,
        folder: Path,
        record: dict[str, Any],
    ):
        self._parts = processes.world * config.accumulate
        if config.batch_size % self._parts:
            raise InputError(
                f"a batch of {config.batch_size} can't be cut into {processes.world} processes x "
                f"{config.accumulate} parts; give a --batch-size that {self._parts} divides"
            )
        self.config, self.objective, self.images = config, objective, images
        self.validation, self.processes, self.folder = validation, processes, folder
        self.record, self.position = record, Position()
        self.network = network.to(processes.device).to(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(network, config)
        self._model: nn.Module = self.network
        if processes.world > 1:
            if processes.device.type == "cuda":
                self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
            self._model = DistributedDataParallel(self.network, broadcast_buffers=False)
        self._log = Log(folder / LOG, objective.terms, config.tensorboard and processes.first)

    def run(self) -> Position:
        """Train from the last checkpoint, or from the start, to the end.

        Returns
        -------
        Position
            The end; the model chosen lies in the folder's `checkpoint/model.safetensors`.

        Raises
        ------
        InputError
            Out of memory, a loss that is not finite, or a checkpoint of another run.
        """
        with _memory_errors(self.config):
            if not self._resume():
                self._start()
            while not self.position.over:
                self._epoch()
        return self.position

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score rows with the network as it stands, shared over the processes.

        Returns
        -------
        scores : ndarray of float32, shape (len(rows), L)
        features : ndarray of float32, shape (len(rows), d)
        """
        rank, world, device = self.processes.rank, self.processes.world, self.processes.device
        size = max(1, self.config.batch_size // self._parts)
        places = [np.arange(i, min(i + size, len(rows))) for i in range(0, len(rows), size)]
        mine = places[rank::world]
        scores = torch.zeros(len(rows), self.network.head.fc.out_features, device=device)
        features = torch.zeros(len(rows), self.network.backbone.layers[0].channels, device=device)
        self.network.eval()
        with torch.inference_mode(), self._autocast():
            for place, pixels in zip(
                mine, self.images.batches([rows[p] for p in mine]), strict=True
            ):
                out = self.network(self._moved(pixels))
                scores[place], features[place] = out.scores, out.features.float()
        self.processes.summed(scores)
        self.processes.summed(features)
        return scores.cpu().numpy(), features.cpu().numpy()

    def _start(self) -> None:
        """Initialize the head by logistic regression if asked to, and validate it as epoch 0."""
        if self.config.head_init == "zeros":
            return
        rows, (held_out, truth) = self.objective.rows(), self.validation
        X, X_held_out = self.predict(rows)[1], self.predict(held_out)[1]
        fc, first = self.network.head.fc, self.processes.first
        weights, C = torch.zeros(fc.out_features, X.shape[1] + 1), 0.0
        if first:
            labels, metric = self.objective.labels[rows], METRICS[self.config.metric]
            coef, intercept, C = fit_head(X, labels, (X_held_out, truth), metric)
            weights = torch.from_numpy(np.column_stack([coef, intercept])).float()
        weights = self.processes.summed(weights.to(self.processes.device))
        self.network.head.start_at(weights[:, :-1], weights[:, -1])
        self._validate(0, {"head_C": C})
        self._save()

    def _epoch(self) -> None:
        """Train what is left of an epoch, validate it, and save."""
        config, at = self.config, self.position
        if at.batch == 0:
            self.objective.start_epoch(at.epoch, self.predict)
        rows = self.objective.rows()
        batches = epoch_batches(rows, config.batch_size, seed=config.seed, epoch=at.epoch)
        parts = batches.reshape(len(batches), self._parts, -1)
        share = slice(
            self.processes.rank * config.accumulate, (self.processes.rank + 1) * config.accumulate
        )
        mine = parts[at.batch :, share].reshape(-1, parts.shape[2])
        pixels = self.images.batches(mine, augment=config.augment, seed=config.seed, epoch=at.epoch)
        self.network.train()
        for batch in tqdm(
            parts[at.batch :],
            desc=f"epoch {at.epoch + 1} of {config.epochs}",
            unit="step",
            leave=False,
            disable=not self.processes.first,
        ):
            self._step(batch, share, pixels, (at.epoch + at.batch / len(batches)) / config.epochs)
            at.batch, at.step = at.batch + 1, at.step + 1
            # After an epoch's last batch the state is saved once the epoch is validated.
            saving = at.step % config.checkpoint_every == 0 and at.batch < len(batches)
            if saving or at.step % config.log_every == 0:
                self._report()
            if saving:
                self._save()
        self._report()
        self._validate(at.epoch + 1, {"epoch": at.epoch})
        at.epoch, at.batch = at.epoch + 1, 0
        waited = config.patience is not None and at.epoch - at.best_epoch >= config.patience
        at.over = at.epoch == config.epochs or (len(self.validation[0]) > 0 and waited)
        self._save()

    def _step(
        self, batch: np.ndarray, share: slice, pixels: Iterator[Tensor], progress: float
    ) -> None:
        """Take one step on a batch, cut into parts (parts, rows)."""
        set_rates(self.optimizer, self.config.schedule, progress)
        labels = [self._tensor(self.objective.labels[rows]) for rows in batch]
        count = torch.stack([self.objective.counts(one) for one in labels]).sum(dim=0)
        terms = torch.zeros(len(self.objective.terms), device=self.processes.device)
        mine = list(zip(batch[share], labels[share], strict=True))
        for i, (rows, known) in enumerate(mine):
            last = i + 1 == len(mine)
            with self._gradients_later() if not last else nullcontext():
                with self._autocast():
                    out = self._model(self._moved(next(pixels)), known)
                uniforms = row_uniforms(
                    rows, known.shape[1], seed=self.config.seed, epoch=self.position.epoch
                )
                part = Batch(
                    rows, known, self._tensor(self.objective.weights[rows]),
                    self._tensor(uniforms), progress,
                )  # fmt: skip
                values = self.objective.sums(out, part) / count.clamp(min=1)
                # Gradients are averaged over the processes, the batch's loss is a sum over them.
                (values.sum() * self.processes.world).backward()
            terms += values.detach()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.objective.after_step(self.network)
        self._log.add(terms, batch.size)

    def _report(self) -> None:
        """Write a line of the log; stop at a loss that is not finite."""
        if not self._log.steps:
            return
        means = self.processes.summed(self._log.terms) / self._log.steps
        loss = float(means.sum())
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is {loss} at step {self.position.step}: the learning rates "
                f"{self.config.rates['backbone']:g} and {self.config.rates['head']:g} are too "
                "large; divide --learning-rate and --head-learning-rate by 10"
            )
        at, groups = self.position, self.optimizer.param_groups
        line = {"step": at.step, "epoch": at.epoch, "loss": loss}
        if len(means) > 1:
            line |= dict(zip(self.objective.terms, means.tolist(), strict=True))
        line |= {"learning_rate": groups[0]["lr"]}
        if self.processes.device.type == "cuda":
            line |= {"gpu_bytes": torch.cuda.max_memory_allocated()}
        self._log.write(line, timed=True, first=self.processes.first)

    def _validate(self, epoch: int, story: dict[str, Any]) -> None:
        """Save the model if its epoch, counted from 1, is the best so far; log the metric, `story`.

        Without validation rows the last epoch's is saved.
        """
        at, (rows, labels) = self.position, self.validation
        if len(rows):
            metric = METRICS[self.config.metric]
            value = float(metric.function(labels, self.predict(rows)[0]))
            if math.isnan(value):
                raise InputError(
                    f"{self.config.metric} is undefined on the {len(rows)} images set aside, which "
                    "have no label present: raise --validation, or set it to 0"
                )
            line = {"step": at.step, **story, f"validation_{self.config.metric}": value}
            self._log.write(line, timed=False, first=self.processes.first)
            sign = 1 if metric.higher_is_better else -1
            if at.best is not None and sign * value <= sign * at.best:
                return
            at.best = value
        at.best_epoch = epoch
        if self.processes.first and (len(rows) or at.best_epoch == self.config.epochs):
            save_checkpoint(
                self.folder / MODEL, self.network.test_tensors(), {"record": self.record}
            )

    def _save(self) -> None:
        """Write the state that a killed run goes on from."""
        if not self.processes.first:
            return
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"objective.{k}": v for k, v in to_tensors(self.objective.state()).items()}
        tensors |= {f"momentum.{k}": v for k, v in momenta(self.optimizer, self.network).items()}
        story = {"record": self.record, "position": asdict(self.position)}
        save_checkpoint(self.folder / STATE, tensors, story)

    def _resume(self) -> bool:
        """Go back to the last checkpoint; say whether there is one."""
        path = self.folder / STATE
        if not path.exists():
            if self.processes.first:
                self._log.cut(-1)
            return False
        tensors, story = load_checkpoint(path)
        require_same_run(path, current_names(story.get("record", {})), self.record)
        self.position = Position(**story["position"])
        self.network.load_state_dict(part_of("network.", tensors))
        load_momenta(self.optimizer, self.network, part_of("momentum.", tensors))
        arrays = {k: v.numpy() for k, v in part_of("objective.", tensors).items()}
        self.objective.load_state(arrays)
        if self.processes.first:
            self._log.cut(self.position.step)
        return True

    def _gradients_later(self):
        """Add gradients up without exchanging them."""
        if isinstance(self._model, DistributedDataParallel):
            return self._model.no_sync()
        return nullcontext()

    def _autocast(self):
        bf16 = self.config.precision == "bf16"
        return torch.autocast(self.processes.device.type, torch.bfloat16, enabled=bf16)

    def _moved(self, pixels: Tensor) -> Tensor:
        if self.processes.device.type == "cuda":
            pixels = pixels.pin_memory()  # so that the copy runs beside the computation
        return pixels.to(
            self.processes.device, non_blocking=True, memory_format=torch.channels_last
        )

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.processes.device)


@contextmanager
def _memory_errors(config: FinetuneConfig) -> Iterator[None]:
    """Turn running out of memory, on a GPU or a CPU, into one line."""
    try:
        yield
    except RuntimeError as error:
        full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if not full:
            raise
        raise InputError(
            f"out of memory with batches of {config.batch_size} images of {config.size} pixels in "
            f"{config.accumulate} part(s): double --accumulate, which changes no result, or lower "
            "--batch-size or --size"
        ) from error
