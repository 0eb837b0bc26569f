"""Losses of fine-tuning in torch, a value for each image: equal to their numpy forms, by autograd.

Labels are (b, L) with 1 (present), 0 (absent) and -1 (unknown, as if the label did not exist for
that image). Pairs and triplets are never formed: sums over absent labels come from one sort of a
row and its running sums, so that memory stays within a few times b x L. Knows no network and no
batch of batches: what to divide by is the trainer's to say.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from classify import ranking_losses
from classify.ranking_losses import RAMP_CUT
from features.errors import InputError

READINGS = ("A", "B")
MARGIN = 0.5  # the co-projection paper's delta


def bce_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of the sigmoid, summed over the known labels.

    Parameters
    ----------
    scores : Tensor, shape (b, L)
    labels : Tensor of int8, shape (b, L)

    Returns
    -------
    Tensor, shape (b,)

    Examples
    --------
    >>> bce_loss(torch.zeros(1, 3), torch.tensor([[1, 0, -1]])).item().__round__(6)
    1.386294
    """
    cells = F.binary_cross_entropy_with_logits(scores, (labels == 1).to(scores), reduction="none")
    return (cells * (labels >= 0)).sum(dim=1)


def ramp(margins: Tensor, *, beta: float = 1.0) -> Tensor:
    """Ramp loss H_1(t) - beta H_s(t), as `classify.ranking_losses.ramp`."""
    return F.relu(1 - margins) - beta * F.relu(RAMP_CUT - margins)


def warp_loss(
    scores: Tensor,
    labels: Tensor,
    *,
    beta: float = 1.0,
    kappa: float = 5.0,
    rank_mode: str = "expected",
    rounding: str = "floor",
    uniforms: Tensor | None = None,
) -> Tensor:
    """Ramp-loss WARP, as `classify.ranking_losses.warp_loss`; plain WARP at beta = kappa = 0.

    The weights of the ranks are constants: no gradient flows through them (the ramp-loss WARP
    paper).

    Parameters
    ----------
    scores : Tensor, shape (b, L)
    labels : Tensor of int8, shape (b, L)
    beta, kappa, rank_mode, rounding, uniforms
        As for the numpy form; `uniforms` (b, L) only for ``rank_mode="sample"``.

    Returns
    -------
    Tensor, shape (b,)

    Raises
    ------
    InputError
        As `classify.ranking_losses.rank_weights`.

    Examples
    --------
    >>> warp_loss(torch.zeros(1, 3), torch.tensor([[1, 0, -1]], dtype=torch.int8))
    tensor([11.])
    """
    counts, pairs = hinge_sums(scores, labels, 1.0)
    if beta:
        pairs = pairs - beta * hinge_sums(scores, labels, RAMP_CUT)[1]
    present = labels == 1
    weights = ranking_losses.rank_weights(
        (counts * present).cpu().numpy(),
        labels.to(torch.int8).cpu().numpy(),
        mode=rank_mode,
        rounding=rounding,
        uniforms=None if uniforms is None else uniforms.cpu().numpy(),
    )
    # Where a label is not present its weight is 0.
    values = (torch.from_numpy(weights).to(scores) * pairs).sum(dim=1)
    if kappa:
        signs = (labels == 1).to(scores) - (labels == 0).to(scores)
        values = values + kappa * (signs.abs() * ramp(signs * scores, beta=beta)).sum(dim=1)
    return values


def softmax_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over present labels of -log softmax(s)_j over the known labels; 0 without a present one.

    Parameters
    ----------
    scores : Tensor, shape (b, L)
    labels : Tensor of int8, shape (b, L)

    Returns
    -------
    Tensor, shape (b,)
    """
    present = labels == 1
    some = present.any(dim=1, keepdim=True)
    # A row without a present label keeps its unknown cells: an empty softmax has no gradient.
    known = scores.masked_fill((labels < 0) & some, -torch.inf)
    terms = (known.logsumexp(dim=1, keepdim=True) - scores) * present
    return terms.sum(dim=1) / present.sum(dim=1).clamp(min=1)


def hinge_sums(scores: Tensor, labels: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Count and sum the hinges of each label against a row's absent labels.

    Parameters
    ----------
    scores : Tensor, shape (b, L)
    labels : Tensor, shape (b, L)
        Only where it is 0 matters.
    level : float
        The a of the hinge H_a(t) = max(0, a - t).

    Returns
    -------
    counts : Tensor of int64, shape (b, L)
        Absent k with level - (s_j - s_k) > 0.
    sums : Tensor, shape (b, L)
        Sum over absent k of max(0, level - (s_j - s_k)).

    Examples
    --------
    >>> hinge_sums(torch.tensor([[1.0, 0.5, -3.0]]), torch.tensor([[1, 0, 0]]), 1.0)[1][0, 0]
    tensor(0.5000)
    """
    absent = scores.masked_fill(labels != 0, -torch.inf)
    descending = absent.sort(dim=1, descending=True).values
    running = descending.masked_fill(descending == -torch.inf, 0).cumsum(dim=1)
    bounds = level - scores
    counts = torch.searchsorted(-descending.detach(), bounds.detach().contiguous())
    return counts, counts * bounds + F.pad(running, (1, 0)).gather(1, counts)


class Triplets(NamedTuple):
    """Hinges of a row's triplets (anchor, related, unrelated).

    Attributes
    ----------
    sums : Tensor, shape (b,)
        Sum over related j and unrelated k of max(0, margin + d_j - d_k).
    counts : Tensor of int64, shape (b,)
        Number of triplets.
    """

    sums: Tensor
    counts: Tensor

    def means(self) -> Tensor:
        """Mean over a row's triplets, 0 where there is none: shape (b,)."""
        return self.sums / self.counts.clamp(min=1)


def constrained_triplets(
    images: Tensor,
    vectors: Tensor,
    labels: Tensor,
    *,
    reading: str = "A",
    margin: float = MARGIN,
    include_self: bool = False,
) -> tuple[Triplets, Triplets]:
    """Triplets of the co-projection paper's constrained ranking loss, by image.

    Distances are Euclidean. In reading A the j and k of an image are its present and absent labels,
    each with a vector of its own; in reading B they are the images of the batch that share a label
    with it or none, each with the vector of its label set.

    Parameters
    ----------
    images : Tensor, shape (b, d)
        Embedded images.
    vectors : Tensor, shape (L, d) for reading A, (b, d) for reading B
        Embedded labels, or label sets.
    labels : Tensor of int8, shape (b, L)
    reading : {"A", "B"}
    margin : float
    include_self : bool
        In the second kind, let the anchor itself be the related one.

    Returns
    -------
    of_images : Triplets
        The anchor is the embedded image.
    of_labels : Triplets
        The anchors are the vectors of the image's present labels (A), or of its label set (B).

    Raises
    ------
    InputError
        For another reading.
    """
    if reading not in READINGS:
        raise InputError(f"reading {reading!r}; give one of {', '.join(READINGS)}")
    if reading == "A":
        of_images = _triplets(_distances(images, vectors), labels, margin)
        return of_images, _label_triplets(vectors, labels, margin, include_self)
    related = shared_labels(labels)
    of_images = _triplets(_distances(images, vectors), related, margin)
    if not include_self:
        related = related.masked_fill(torch.eye(len(related), device=related.device) > 0, -1)
    return of_images, _triplets(_distances(vectors, vectors), related, margin)


def triplet_counts(
    labels: Tensor, *, reading: str = "A", include_self: bool = False
) -> tuple[Tensor, Tensor]:
    """Count the triplets of `constrained_triplets` from labels alone: two int64 of shape (b,)."""
    if reading == "B":
        labels = shared_labels(labels)
    present, absent = (labels == 1).sum(dim=1), (labels == 0).sum(dim=1)
    others = present if include_self else (present - 1).clamp(min=0)
    anchors = present if reading == "A" else (present > 0).long()
    return present * absent, anchors * others * absent


def shared_labels(labels: Tensor) -> Tensor:
    """Whether two images of a batch share a present label: 1 or 0, of shape (b, b)."""
    present = (labels == 1).float()
    return (present @ present.T > 0).to(torch.int8)


def constrained_ranking_loss(
    images: Tensor,
    vectors: Tensor,
    labels: Tensor,
    *,
    weights: tuple[float, float] = (0.5, 0.5),
    reduction: str = "mean",
    reading: str = "A",
    margin: float = MARGIN,
    include_self: bool = False,
) -> Tensor:
    """Constrained ranking loss of a batch (the co-projection paper).

    Parameters
    ----------
    images, vectors, labels, reading, margin, include_self
        As for `constrained_triplets`.
    weights : pair of float
        Of the triplets of images and those of labels: the paper's lambdas.
    reduction : {"mean", "sum"}
        Mean over an image's triplets, then over the images that have any; or the bare sum.

    Returns
    -------
    Tensor, shape ()

    Raises
    ------
    InputError
        For another reading or reduction.

    Examples
    --------
    >>> one_point = torch.zeros(4, 2)
    >>> constrained_ranking_loss(one_point[:1], one_point, torch.tensor([[1, 1, 0, 0]]))
    tensor(0.5000)
    """
    if reduction not in ("mean", "sum"):
        raise InputError(f"reduction {reduction!r}; give mean or sum")
    kinds = constrained_triplets(
        images, vectors, labels, reading=reading, margin=margin, include_self=include_self
    )
    total = images.new_zeros(())
    for weight, kind in zip(weights, kinds, strict=True):
        if reduction == "sum":
            total = total + weight * kind.sums.sum()
        else:
            total = total + weight * kind.means().sum() / (kind.counts > 0).sum().clamp(min=1)
    return total


def embedding_mse(images: Tensor, label_sets: Tensor) -> Tensor:
    """Squared distance of each embedded image to its embedded label set: shape (b,).

    The co-projection paper's ablation, in the place of the constrained ranking loss. It is a sum
    over the embedding's L numbers; torch's own `MSELoss` is their mean, 1 / L of it.
    """
    return (images - label_sets).square().sum(dim=1)


def smoothness_loss(values: Tensor, neighbors: Tensor, weights: Tensor, graph: Tensor) -> Tensor:
    """Squared distance of label values to those of the neighbours, carried over the label graph.

    The l_y of the IMCL paper, the weights of the neighbours being given.

    Parameters
    ----------
    values : Tensor, shape (b, L)
        Completed labels of images.
    neighbors : Tensor, shape (b, k, L)
        Those of their neighbours.
    weights : Tensor, shape (b, k)
        An image whose weights are all 0 has no neighbours and counts 0.
    graph : Tensor, shape (L, L)
        How strongly the row's label supports the column's.

    Returns
    -------
    Tensor, shape (b,)
    """
    said = torch.einsum("bk,bkl->bl", weights, neighbors) @ graph
    return (values - said).square().sum(dim=1) * (weights > 0).any(dim=1)


def _triplets(distances: Tensor, related: Tensor, margin: float) -> Triplets:
    """Rows of distances to related (1), unrelated (0) and neither (-1)."""
    present = related == 1
    sums = (hinge_sums(-distances, related, margin)[1] * present).sum(dim=1)
    return Triplets(sums, present.sum(dim=1) * (related == 0).sum(dim=1))


def _label_triplets(vectors: Tensor, labels: Tensor, margin: float, include_self: bool) -> Triplets:
    """One row for every present label of every image, then summed by image."""
    image, anchor = torch.nonzero(labels == 1, as_tuple=True)
    related = labels[image]
    if not include_self:
        related = related.scatter(1, anchor[:, None], -1)
    rows = _triplets(_distances(vectors, vectors)[anchor], related, margin)
    sums = rows.sums.new_zeros(len(labels)).index_add(0, image, rows.sums)
    counts = rows.counts.new_zeros(len(labels)).index_add(0, image, rows.counts)
    return Triplets(sums, counts)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Not by products, which lose the small ones; the gradient at distance 0 is 0.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
