"""Losses of fine-tuning in torch, a value for each image: equal to their numpy forms, by autograd.

Labels are (b, L) with 1 (present), 0 (absent) and -1 (unknown, as if the label did not exist for
that image). Pairs are never formed: sums over absent labels come from one sort of a row and its
running sums, so that memory stays within a few times b x L. The trainer divides by counts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from classify.losses import warp
from classify.losses.kernels import RAMP_CUT


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
    """Ramp loss H_1(t) - beta H_s(t), as `classify.losses.warp.ramp`."""
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
    """Ramp-loss WARP, as `classify.losses.warp.warp_loss`; plain WARP at beta = kappa = 0.

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
        As `classify.losses.warp.rank_weights`.

    Examples
    --------
    >>> warp_loss(torch.zeros(1, 3), torch.tensor([[1, 0, -1]], dtype=torch.int8))
    tensor([11.])
    """
    counts, pairs = hinge_sums(scores, labels, 1.0)
    if beta:
        pairs = pairs - beta * hinge_sums(scores, labels, RAMP_CUT)[1]
    present = labels == 1
    weights = warp.rank_weights(
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


def smoothness_loss(values: Tensor, neighbors: Tensor, weights: Tensor, graph: Tensor) -> Tensor:
    """Squared distance of label values to those of the neighbors, carried over the label graph.

    The l_y of the IMCL paper, the weights of the neighbors being given.

    Parameters
    ----------
    values : Tensor, shape (b, L)
        Completed labels of images.
    neighbors : Tensor, shape (b, k, L)
        Those of their neighbors.
    weights : Tensor, shape (b, k)
        An image whose weights are all 0 has no neighbors and counts 0.
    graph : Tensor, shape (L, L)
        How strongly the row's label supports the column's.

    Returns
    -------
    Tensor, shape (b,)
    """
    said = torch.einsum("bk,bkl->bl", weights, neighbors) @ graph
    return (values - said).square().sum(dim=1) * (weights > 0).any(dim=1)
