"""Places in a network, and layers: what is pooled from one. Loading this module loads no torch."""

from dataclasses import dataclass
from typing import Any

#: What may follow a node's name, by its layout, and the key of `pooling.POOLINGS`; the first is
#: taken where nothing follows.
POOLS = {
    "nchw": {
        "quadrants": "quadrant_max",
        "gap": "global_average",
        "gmp": "global_max",
        "map": "none",
    },
    "tokens": {"mean": "token_mean", "cls": "class_token", "map": "none"},
    "vector": {},
}
POOLS["nhwc"] = POOLS["nchw"]


@dataclass(frozen=True)
class Node:
    """A place in a library's network whose activation can be stored.

    Parameters
    ----------
    path : str
        Its name in the library's network.
    shape : tuple of int
        Of the activation of one image.
    layout : {"nchw", "nhwc", "tokens", "vector"}
        Order of its axes: a spatial map, tokens (n, tokens, c), or one vector an image.
    prefix : int
        Tokens before those of the patches.
    class_token : bool
        The first token is a class token.
    """

    path: str
    shape: tuple[int, ...]
    layout: str
    prefix: int = 0
    class_token: bool = False

    @property
    def side(self) -> int:
        """Positions in a row of the square map; 0 if there is no such map."""
        if self.layout == "tokens":
            count = self.shape[0] - self.prefix
            side = round(count**0.5)
            return side if side * side == count else 0
        return {"nchw": self.shape[-1], "nhwc": self.shape[0]}.get(self.layout, 0)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[0] if self.layout == "nchw" else self.shape[-1]

    @property
    def pools(self) -> dict[str, str]:
        """What may follow the name, to the key of `pooling.POOLINGS`."""
        given = dict(POOLS[self.layout])
        if self.layout == "tokens" and not self.class_token:
            del given["cls"]
        if self.layout == "tokens" and self.shape[0] == self.prefix:
            del given["mean"]
        if not self.side:
            given.pop("map", None)
        return given

    def layer(self, name: str, pool: str, size: int, *, optional: bool = True) -> "Layer":
        """Describe a layer that is pooled from this node, for an input of `size` pixels."""
        is_map = pool == "map"
        return Layer(
            name,
            self.path,
            self.channels,
            self.pools.get(pool, "none"),
            stride=max(1, size // self.side) if is_map else 0,
            optional=optional,
            layout=self.layout,
            prefix=self.prefix,
            side=self.side if is_map else 0,
        )


@dataclass(frozen=True)
class Layer:
    """One output of a network.

    Parameters
    ----------
    name : str
        Its name in the cache, after the backbone's.
    node : str
        Name of the node in the graph that torchvision's feature extraction traces.
    channels : int
        Number of channels of the activation.
    pooling : str
        A key of `pooling.POOLINGS`.
    stride : int
        Input pixels per position of a spatial map; 0 for a vector.
    optional : bool
        The layer is only written when it is asked for by name.
    layout, prefix
        As in `Node`.
    side : int
        Positions in a row of the stored map; 0: as the stride says.
    """

    name: str
    node: str
    channels: int
    pooling: str
    stride: int = 0
    optional: bool = False
    layout: str = "nchw"
    prefix: int = 0
    side: int = 0

    def shape(self, size: int) -> tuple[int, ...]:
        """Shape of what is stored for one image of `size` x `size` pixels."""
        if self.stride:
            side = self.side or size // self.stride
            return (self.channels, side, side)
        return (self.channels * (4 if self.pooling == "quadrant_max" else 1),)


def node_of(
    path: str, activation: Any, *, prefix: int = 0, class_token: bool = False
) -> Node | None:
    """Describe an activation (n, ...); the order of a map's axes follows from its square sides.

    Parameters
    ----------
    path : str
        Its name in the library's network.
    activation : Tensor
        Of square pictures.
    prefix, class_token
        As in `Node`, for tokens.

    Returns
    -------
    Node or None
        None: it is no tensor, or none of a form that can be pooled.
    """
    shape = tuple(getattr(activation, "shape", ()))[1:]
    if len(shape) == 1:
        return Node(path, shape, "vector")
    if len(shape) == 2:
        return Node(path, shape, "tokens", prefix, class_token)
    if len(shape) == 3 and shape[1] == shape[2]:
        return Node(path, shape, "nchw")
    if len(shape) == 3 and shape[0] == shape[1]:
        return Node(path, shape, "nhwc")
    return None
