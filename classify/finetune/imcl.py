"""IMCL end to end: unknown labels follow a few similar images, over a graph between the labels.

Neighbors are sought among a dictionary of training images, whose features and predictions are as
old as the last refresh. The pursuit, the label graph and the scale of label values are those of the
cached path (`classify.imcl.joint_omp`, `classify.imcl.label_graph`, `classify.imcl.soft_labels`).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from classify.finetune import losses
from classify.finetune.config import FinetuneConfig
from classify.finetune.networks import LinearHead, Network, Outputs
from classify.finetune.objectives import Batch, Objective, Predict
from classify.imcl.joint_omp import Dictionary, joint_omp
from classify.imcl.label_graph import cooccurrence_graph
from classify.imcl.soft_labels import LARGEST_SCORE, complete_labels, label_values

DICTIONARY_ROWS = 10_000  # as the IMCL paper's released code keeps for COCO
RATIO_ROWS = 1024  # rows that the weight of the smoothness is measured on


class Interactive(Objective):
    """Cross-entropy of known labels, and the distance of an image's labels to its neighbors'.

    After `warm_up` epochs of cross-entropy alone, the second term is weighed so that `lambda_y`
    times it is `lambda_y` times as large as the first (as in the released code). Neighbors are
    picked by labels and features; features themselves are not drawn together, since a network would
    shrink them to 0 (nor does the code for COCO).
    """

    terms = ("bce", "labels")

    def __init__(self, config: FinetuneConfig, Y: np.ndarray, rows: np.ndarray):
        super().__init__(config, Y, rows)
        rng = np.random.default_rng(config.seed)
        self._pool = np.sort(rng.permutation(np.unique(rows))[:DICTIONARY_ROWS])
        self._graph = cooccurrence_graph(Y[rows]).matrix()
        if not isinstance(self._graph, np.ndarray):
            self._graph = self._graph.toarray()
        self._weight: float | None = None
        self._dictionary = Dictionary(np.zeros((0, Y.shape[1])), np.zeros((0, 1)))

    def head(self, channels: int) -> LinearHead:
        """Build the linear head with the label graph."""
        graph = torch.from_numpy(self._graph.astype(np.float32))
        self._head = LinearHead(channels, len(graph), graph)
        return self._head

    def rows(self) -> np.ndarray:
        """List the rows with a known label; later all."""
        return super().rows() if self._weight is None else self._rows

    def start_epoch(self, epoch: int, predict: Predict) -> None:
        """Look at the dictionary afresh; once, weigh the smoothness against the cross-entropy."""
        begun = self._weight is not None
        if epoch < self.config.warm_up * self.config.epochs or (
            begun and epoch % self.config.refreshed
        ):
            return
        scores, features = predict(self._pool)
        values = complete_labels(self.labels[self._pool], self._mapped(scores))
        self._dictionary = Dictionary(values @ self._matrix(), features)
        if not begun:
            self._weight = self._ratio(scores[:RATIO_ROWS], values[:RATIO_ROWS])

    def counts(self, labels: Tensor) -> Tensor:
        """Count known labels, then images."""
        return torch.cat([super().counts(labels), labels.new_tensor([len(labels)]).long()])

    def sums(self, out: Outputs, batch: Batch) -> Tensor:
        """Sum the cross-entropy, then the weighted distances to what the neighbors say."""
        bce = super().sums(out, batch)
        if self._weight is None or out.graph is None:
            return torch.cat([bce, 0 * bce + _nothing(out)])
        scores = out.scores.detach().cpu().numpy()
        queries = complete_labels(self.labels[batch.rows], self._mapped(scores))
        features = out.features.detach().float().cpu().numpy()
        picked, weights = self._neighbors(batch.rows, queries, features)
        near = self._head.fc(torch.from_numpy(self._dictionary.features[picked]).to(out.scores))
        known = torch.from_numpy(self.labels[self._pool[picked]]).to(near.device)
        theirs = completed(known, near, asymmetry=self.config.asymmetry)
        mine = completed(batch.labels, out.scores, asymmetry=self.config.asymmetry)
        c = torch.from_numpy(weights).to(mine)
        return torch.cat([bce, self._weight * losses.smoothness_loss(mine, theirs, c, out.graph)
                          .sum()[None]])  # fmt: skip

    def after_step(self, network: Network) -> None:
        """Keep the graph within 0 and 1, and without edges that it never had."""
        graph = network.head.graph
        assert isinstance(graph, Tensor)
        with torch.no_grad():
            support = torch.from_numpy(self._graph > 0).to(graph.device)
            graph.clamp_(0, 1).mul_(support)

    def state(self) -> dict[str, np.ndarray]:
        """Give the dictionary and the weight of the smoothness."""
        weight = np.nan if self._weight is None else self._weight
        found = self._dictionary
        return {
            "features": found.features, "carried": found.values, "weight": np.array([weight]),
        }  # fmt: skip

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state`."""
        self._dictionary = Dictionary(state["carried"], state["features"])
        weight = float(state["weight"][0])
        self._weight = None if np.isnan(weight) else weight

    def _mapped(self, scores: np.ndarray) -> np.ndarray:
        return label_values(scores, asymmetry=self.config.asymmetry)

    def _ratio(self, scores: np.ndarray, values: np.ndarray) -> float:
        """Weigh the smoothness so that on the dictionary's first rows both terms are equal."""
        rows = self._pool[: len(scores)]
        picked, weights = self._neighbors(rows, values, self._dictionary.features[: len(rows)])
        said = np.einsum("bk,bkl->bl", weights, self._dictionary.values[picked])
        near = (weights > 0).any(axis=1)
        apart = float(((values - said) ** 2).sum(axis=1)[near].sum()) / len(rows)
        known, signs = self.labels[rows] >= 0, np.where(self.labels[rows] == 1, 1.0, -1.0)
        bce = float(np.logaddexp(0, -signs * scores)[known].mean())
        return self.config.lambda_y * bce / max(apart, 1e-12)

    def _matrix(self) -> np.ndarray:
        graph = self._head.graph
        assert graph is not None
        return graph.detach().cpu().numpy()

    def _neighbors(
        self, rows: np.ndarray, values: np.ndarray, features: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the dictionary and weights of each row's neighbors: two of shape (b, k)."""
        place = np.searchsorted(self._pool, rows).clip(max=len(self._pool) - 1)
        found = joint_omp(
            values,
            features,
            self._dictionary,
            k=self.config.neighbors,
            lambda_y=self.config.lambda_y,
            lambda_f=self.config.lambda_f,
            coefficients="nnls",  # clipped ones can be far from any label: training then diverges
            exclude=np.where(self._pool[place] == rows, place, -1),
        )
        # Whoever found fewer takes the first of the dictionary, at weight 0.
        return found.positions.clip(min=0), found.label_weights.astype(np.float32)


def completed(labels: Tensor, scores: Tensor, *, asymmetry: float = 2.0) -> Tensor:
    """Map known labels to 1 and -1/c, unknown ones to a_c of their scores.

    a_c is the one of `classify.imcl.soft_labels`.

    Parameters
    ----------
    labels : Tensor of int8
    scores : Tensor of the same shape
    asymmetry : float
        c.
    """
    grown = torch.expm1(2 * scores.clamp(-LARGEST_SCORE, LARGEST_SCORE))
    values = grown / (grown + (1 + asymmetry))
    known = torch.where(labels == 1, 1.0, -1 / asymmetry).to(values)
    return torch.where(labels < 0, values, known)


def _nothing(out: Outputs) -> Tensor:
    """Give a 0 that the graph takes part in, as processes exchange every parameter's gradient."""
    return 0 * out.graph.sum() if out.graph is not None else out.scores.new_zeros(())
