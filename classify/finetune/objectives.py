"""What a model learns from: the rows of an epoch, their labels and weights, and the loss's terms.

A term is a sum over images and a count that it is divided by. Counts follow from labels alone, so
every process knows those of the whole batch, and a batch may be cut in any way. Knows no optimizer.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from classify.finetune import embedding_losses, losses
from classify.finetune.config import MODELS, FinetuneConfig
from classify.finetune.networks import CoProjection, LinearHead, Network, Outputs
from classify.losses import LOSSES
from classify.warp.propagation import propagate_labels
from features.command_line import load

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # rows to scores and features


class Batch(NamedTuple):
    """Some images of a step.

    Attributes
    ----------
    rows : ndarray of int, shape (b,)
    labels : Tensor of int8, shape (b, L)
    weights : Tensor, shape (b,)
    uniforms : Tensor, shape (b, L)
        Numbers from [0, 1) to draw ranks with.
    progress : float
        Share of the run that is over.
    """

    rows: np.ndarray
    labels: Tensor
    weights: Tensor
    uniforms: Tensor
    progress: float


class Objective:
    """Cross-entropy over the known labels; the others say what they do otherwise.

    Parameters
    ----------
    config : FinetuneConfig
    Y : ndarray of int8, shape (n, L)
        Of all rows; only those of `rows` are learned from.
    rows : ndarray of int
        Rows to learn from.
    """

    terms: tuple[str, ...] = ("loss",)

    def __init__(self, config: FinetuneConfig, Y: np.ndarray, rows: np.ndarray):
        self.config, self.labels, self._rows = config, Y.copy(), rows
        self.weights = np.ones(len(Y), dtype=np.float32)

    def head(self, channels: int) -> LinearHead | CoProjection:
        """Build the head that goes with it."""
        return LinearHead(channels, self.labels.shape[1])

    def rows(self) -> np.ndarray:
        """List the rows of the coming epoch: those with a known label."""
        known = (self.labels[self._rows] >= 0).any(axis=1)
        return self._rows[known & (self.weights[self._rows] > 0)]

    def start_epoch(self, epoch: int, predict: Predict) -> None:
        """Look again at what depends on the network."""

    def counts(self, labels: Tensor) -> Tensor:
        """Count what each term is divided by, for some images: shape (terms,)."""
        return torch.stack([(labels >= 0).sum()])

    def sums(self, out: Outputs, batch: Batch) -> Tensor:
        """Sum each term over some images: shape (terms,)."""
        return torch.stack([losses.bce_loss(out.scores, batch.labels).sum()])

    def after_step(self, network: Network) -> None:
        """Put parameters back where they must lie."""

    def state(self) -> dict[str, np.ndarray]:
        """Give the arrays that a resumed run needs."""
        return {}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state`."""


class Ranking(Objective):
    """A loss of `classify.losses` that has a torch function, as a mean over images."""

    def counts(self, labels: Tensor) -> Tensor:
        """Count the images."""
        return torch.tensor([len(labels)], device=labels.device)

    def sums(self, out: Outputs, batch: Batch) -> Tensor:
        """Sum the weighted losses of images, divided by the loss's scale."""
        config, loss = self.config, LOSSES[MODELS[self.config.model].loss]
        options = {
            "beta": 0.0 if batch.progress < config.warm_up else config.beta,
            "kappa": config.kappa,
            "rank_mode": config.rank_mode,
            "rounding": config.rounding,
            **loss.learner_options,
        }
        taken = {**{name: options[name] for name in loss.takes}, **loss.fixed}
        if "rank_mode" in taken:
            taken["uniforms"] = batch.uniforms
        values = load(loss.torch)(out.scores, batch.labels, **taken)
        return torch.stack([(values * batch.weights).sum() / loss.loss_scale])


class SemiSupervised(Ranking):
    """Ramp-loss WARP; unlabeled images take the labels of the nearest labeled one.

    Nearest by the network's own pooled features, looked at every `refresh` epochs; before the first
    time only labeled images are learned from (the ramp-loss WARP paper).
    """

    def __init__(self, config: FinetuneConfig, Y: np.ndarray, rows: np.ndarray):
        super().__init__(config, Y, rows)
        known = (Y[rows] >= 0).any(axis=1)
        self._labeled, self._unlabeled = rows[known], rows[~known]

    def start_epoch(self, epoch: int, predict: Predict) -> None:
        """Propagate labels afresh."""
        if epoch == 0 or epoch % self.config.refreshed or not len(self._unlabeled):
            return
        rows = np.concatenate([self._labeled, self._unlabeled])
        cut = len(self._labeled)
        given = propagate_labels(
            predict(rows)[1], self.labels[rows], np.arange(cut), np.arange(cut, len(rows))
        )
        self.labels[self._unlabeled] = given.labels
        self.weights[self._unlabeled] = given.weights

    def state(self) -> dict[str, np.ndarray]:
        """Give labels and weights in use."""
        return {"labels": self.labels, "weights": self.weights}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take labels and weights in use."""
        self.labels, self.weights = state["labels"].copy(), state["weights"].copy()


class ConstrainedRanking(Objective):
    """Co-projection: cross-entropy plus a weighted constrained ranking loss; its ablations."""

    def __init__(self, config: FinetuneConfig, Y: np.ndarray, rows: np.ndarray):
        super().__init__(config, Y, rows)
        kind = config.model.removeprefix("coprojection").removeprefix("-")
        self.reading = "B" if kind == "b" else "A"
        self.embedding = {
            "": "label", "b": "label set", "mse": "label set", "tba": "add", "tbc": "concatenate",
        }[kind]  # fmt: skip
        self.terms = {"tba": ("loss",), "tbc": ("loss",), "mse": ("bce", "mse")}.get(
            kind, ("bce", "image_triplets", "label_triplets")
        )

    def head(self, channels: int) -> CoProjection:
        """Build the head with two branches."""
        return CoProjection(
            channels, self.labels.shape[1], embedding=self.embedding,
            row3_stride=self.config.row3_stride, pool=self.config.pool,
        )  # fmt: skip

    def counts(self, labels: Tensor) -> Tensor:
        """Count known labels, then images with a triplet of each kind, or images."""
        known = super().counts(labels)
        if "mse" in self.terms:
            return torch.cat([known, known.new_tensor([len(labels)])])
        if "image_triplets" in self.terms:
            kinds = embedding_losses.triplet_counts(labels, reading=self.reading)
            return torch.cat([known, torch.stack([(kind > 0).sum() for kind in kinds])])
        return known

    def sums(self, out: Outputs, batch: Batch) -> Tensor:
        """Sum the cross-entropy; weighted, half of each kind of triplets' means, or distances."""
        bce, weight = super().sums(out, batch), self.config.embedding_weight
        if out.images is None or out.vectors is None:
            return bce
        if "mse" in self.terms:
            distances = embedding_losses.embedding_mse(out.images, out.vectors)
            return torch.cat([bce, weight * distances.sum()[None]])
        kinds = embedding_losses.constrained_triplets(
            out.images, out.vectors, batch.labels, reading=self.reading
        )
        return torch.cat(
            [
                bce,
                embedding_losses.KIND_WEIGHT
                * weight
                * torch.stack([kind.means().sum() for kind in kinds]),
            ]
        )
