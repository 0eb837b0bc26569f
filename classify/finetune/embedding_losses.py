"""What embedded images and labels lose by their distances: the co-projection paper, in torch.

Triplets are never formed: sums over unrelated vectors come from one sort of an anchor's distances.
Labels are (b, L) with 1 (present), 0 (absent) and -1 (unknown, part of no triplet).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from classify.finetune.losses import hinge_sums
from features.errors import check_choice

READINGS = ("A", "B")
MARGIN = 0.5  # the co-projection paper's delta
KIND_WEIGHT = 0.5  # its lambdas, of the triplets of images and of those of labels


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
    check_choice("reading", reading, READINGS)
    if reading == "A":
        of_images = _triplets(_distances(images, vectors), labels)
        return of_images, _label_triplets(vectors, labels, include_self)
    related = shared_labels(labels)
    of_images = _triplets(_distances(images, vectors), related)
    if not include_self:
        related = related.masked_fill(torch.eye(len(related), device=related.device) > 0, -1)
    return of_images, _triplets(_distances(vectors, vectors), related)


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
    reading: str = "A",
) -> Tensor:
    """Constrained ranking loss of a batch (the co-projection paper).

    Each kind of triplets counts by half, as the paper's lambdas are 1/2: the mean over an image's
    triplets, then over the images that have any.

    Parameters
    ----------
    images, vectors, labels, reading
        As for `constrained_triplets`.

    Returns
    -------
    Tensor, shape ()

    Raises
    ------
    InputError
        For another reading.

    Examples
    --------
    >>> one_point = torch.zeros(4, 2)
    >>> constrained_ranking_loss(one_point[:1], one_point, torch.tensor([[1, 1, 0, 0]]))
    tensor(0.5000)
    """
    total = images.new_zeros(())
    for kind in constrained_triplets(images, vectors, labels, reading=reading):
        total = total + KIND_WEIGHT * kind.means().sum() / (kind.counts > 0).sum().clamp(min=1)
    return total


def embedding_mse(images: Tensor, label_sets: Tensor) -> Tensor:
    """Squared distance of each embedded image to its embedded label set: shape (b,).

    The co-projection paper's ablation, in the place of the constrained ranking loss. It is a sum
    over the embedding's L numbers; torch's own `MSELoss` is their mean, 1 / L of it.
    """
    return (images - label_sets).square().sum(dim=1)


def _triplets(distances: Tensor, related: Tensor) -> Triplets:
    """Rows of distances to related (1), unrelated (0) and neither (-1)."""
    present = related == 1
    sums = (hinge_sums(-distances, related, MARGIN)[1] * present).sum(dim=1)
    return Triplets(sums, present.sum(dim=1) * (related == 0).sum(dim=1))


def _label_triplets(vectors: Tensor, labels: Tensor, include_self: bool) -> Triplets:
    """One row for every present label of every image, then summed by image."""
    image, anchor = torch.nonzero(labels == 1, as_tuple=True)
    related = labels[image]
    if not include_self:
        related = related.scatter(1, anchor[:, None], -1)
    rows = _triplets(_distances(vectors, vectors)[anchor], related)
    sums = rows.sums.new_zeros(len(labels)).index_add(0, image, rows.sums)
    counts = rows.counts.new_zeros(len(labels)).index_add(0, image, rows.counts)
    return Triplets(sums, counts)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Not by products, which lose the small ones; the gradient at distance 0 is 0.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
