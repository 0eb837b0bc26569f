"""Pool activations into vectors: maps (n, c, h, w) or tokens (n, tokens, c) to (n, d)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from extract.backbones.layers import Layer
from features.errors import check_choice

QUADRANT_RULES = ("adaptive", "floor", "ceil")


def quadrant_max(x: Tensor, *, rule: str = "adaptive") -> Tensor:
    """Take the maximum of each quadrant of every channel map, as for multi-layer VGG16 features.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
        Activations, h and w at least 2.
    rule : {"adaptive", "floor", "ceil"}
        How an odd side s is cut. `adaptive`: rows 0 to ceil(s/2) - 1 and floor(s/2) to s - 1, so
        the middle is shared, as in `torch.nn.AdaptiveMaxPool2d(2)`; flips then only permute the
        quadrants. `floor` and `ceil`: disjoint, the first part has floor(s/2) or ceil(s/2) rows.

    Returns
    -------
    Tensor, shape (n, 4 c)
        Channel-major: column 4 i + q, q = 0 to 3 for top left, top right, bottom left, bottom
        right.

    Raises
    ------
    InputError
        `rule` is not one of the three.

    Examples
    --------
    >>> quadrant_max(torch.arange(49.0).reshape(1, 1, 7, 7))
    tensor([[24., 27., 45., 48.]])
    """
    check_choice("rule", rule, QUADRANT_RULES, kind="parameter")
    if rule == "adaptive" or all(side % 2 == 0 for side in x.shape[-2:]):
        return F.adaptive_max_pool2d(x, 2).flatten(1)  # ten times faster than the cuts below
    rows, columns = (_cut(side, rule) for side in x.shape[-2:])
    quadrants = [x[..., top, left].amax(dim=(-2, -1)) for top in rows for left in columns]
    return torch.stack(quadrants, dim=-1).flatten(1)


def _cut(side: int, rule: str) -> tuple[slice, slice]:
    first = side // 2 if rule == "floor" else -(-side // 2)
    return slice(0, first), slice(first, side)


def global_average(x: Tensor) -> Tensor:
    """Take the mean of every channel map: (n, c, h, w) to (n, c)."""
    return x.mean(dim=(-2, -1))


def global_max(x: Tensor) -> Tensor:
    """Take the maximum of every channel map: (n, c, h, w) to (n, c)."""
    return x.amax(dim=(-2, -1))


def token_mean(x: Tensor) -> Tensor:
    """Take the mean of the tokens: (n, tokens, c) to (n, c)."""
    return x.mean(dim=1)


def class_token(x: Tensor) -> Tensor:
    """Take the first token: (n, tokens, c) to (n, c)."""
    return x[:, 0]


def arranged(x: Tensor, layer: Layer) -> Tensor:
    """Bring an activation into the form that the pooling of its layer takes.

    Parameters
    ----------
    x : Tensor
        As the network gives it, in the order that `layer.layout` names.
    layer : Layer

    Returns
    -------
    Tensor
        A map (n, c, h, w), tokens (n, tokens, c) without those before the patches' unless the class
        token is wanted, or a vector (n, d).
    """
    if layer.layout == "nhwc":
        return x.permute(0, 3, 1, 2)
    if layer.layout == "tokens" and layer.pooling != "class_token":
        x = x[:, layer.prefix :]
        if layer.side:
            return x.transpose(1, 2).unflatten(2, (layer.side, layer.side))
    return x


def keep(x: Tensor) -> Tensor:
    """Return an activation unchanged: it is a vector already, or kept as a spatial map."""
    return x


POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "quadrant_max": quadrant_max,
    "global_average": global_average,
    "global_max": global_max,
    "token_mean": token_mean,
    "class_token": class_token,
    "none": keep,
}
#: Descriptions that stand in manifests: another text would refuse the caches made before.
LAYOUTS = {
    "quadrant_max": "column 4 * channel + quadrant; quadrants TL, TR, BL, BR (adaptive cut)",
    "global_average": "one column a channel: mean over the map",
    "global_max": "one column a channel: maximum over the map",
    "token_mean": "one column a channel: mean over the patches' tokens",
    "class_token": "one column a channel: the class token",
    "none": "as the network gives it",
}
