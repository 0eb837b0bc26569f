"""Any classification network of torchvision as a backbone: ``torchvision/NAME``.

Nodes are those of `create_feature_extractor`. What is stored by default follows from the shapes of
the activations, so that no network needs a record of its own.
"""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from inspect import isclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torchvision import models, ops
from torchvision.models.feature_extraction import NodePathTracer

from extract.backbones.bare import bare
from extract.backbones.layers import Layer, Node, node_of
from extract.backbones.records import Backbone, Preparation
from features.errors import InputError, first_words

IMAGES = 3  # of the probe: no side and no number of heads or windows that could be taken for it
#: Where a classifier begins: what is stored by default lies before it.
HEADS = ("classifier", "head", "heads", "fc", "avgpool", "dropout")


@lru_cache(maxsize=8)
def backbone(name: str, size: int | None = None) -> Backbone:
    """Describe a network of torchvision.

    Parameters
    ----------
    name : str
        ``NAME`` or ``NAME.ENTRY``, an entry of its weights such as ``IMAGENET1K_V1``; by default
        the one that torchvision calls the default. It decides the transform and the download.
    size : int, optional
        Side of the input in pixels.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        There is no such network or entry, or it can't take that size.
    """
    model, dot, wanted = name.partition(".")
    entry = _entry(model, dot, wanted)
    transform = entry.transforms()
    (crop,), (resize,) = transform.crop_size, transform.resize_size
    side = size or crop
    nodes = _nodes(f"torchvision/{name}", model, side)
    return Backbone(
        name=f"torchvision/{name}",
        builder=f"{__name__}:build",
        weights=str(entry),
        layers=default_layers(nodes, side),
        size=side,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        library="torchvision",
        arguments=(model, side),
        nodes=tuple(nodes.items()),
        license=entry.meta.get("license", ""),
        preparation=Preparation(
            "center", round(resize * side / crop), transform.interpolation.value
        ),
    )


def build(name: str, size: int) -> nn.Module:
    """Make a network of torchvision with its initial weights, for inputs of `size` pixels."""
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Without initial values, which take half a minute; the input as trained weights want it.
        options = {"init_weights": False, "transform_input": True}
    elif name.startswith("vit_"):
        options = {"image_size": size}
    return models.get_model(name, weights=None, **options)


def default_layers(nodes: Mapping[str, Node], size: int) -> tuple[Layer, ...]:
    """Choose the layers of a network: the last map or tokens before its head, and the last vector.

    Parameters
    ----------
    nodes : mapping of str to Node
        In the network's order.
    size : int
        Side of the input in pixels.

    Returns
    -------
    tuple of Layer
        Mean and maximum of the map or class token and mean of the patches; on request the map
        itself, and the vector that the last layer takes.
    """
    before = {
        name: node
        for name, node in nodes.items()
        if name.split(".")[0] not in HEADS and (node.layout == "tokens" or node.side > 1)
    }
    last = list(before.values())[-1]
    short = ("cls", "mean", "map") if last.layout == "tokens" else ("gap", "gmp", "map")
    layers = [
        last.layer(pool, pool, size, optional=pool == "map") for pool in short if pool in last.pools
    ]
    vectors = [n for name, n in nodes.items() if n.layout == "vector" and name == n.path]
    if len(vectors) > 1:
        layers.append(vectors[-2].layer("penultimate", "", size))
    return tuple(layers)


def _entry(model: str, dot: str, wanted: str) -> Any:
    known = models.list_models(module=models)
    if model not in known:
        near = get_close_matches(model.lower(), known, n=5, cutoff=0.4) or known
        raise InputError(
            f"torchvision has no classification network {model!r}. Give one of "
            f"{', '.join(near)}; `python -m extract --list torchvision` lists all {len(known)}."
        )
    entries = models.get_model_weights(model)
    if dot and wanted not in entries.__members__:
        listed = ", ".join(f"torchvision/{model}.{one}" for one in entries.__members__)
        raise InputError(
            f"torchvision has no weights {wanted!r} of {model}. Give --backbone {listed}, or "
            f"torchvision/{model} for its default."
        )
    return entries[wanted] if wanted else entries.DEFAULT


class _Traced(NamedTuple):
    graph: fx.GraphModule
    paths: Mapping[fx.Node, str]


class _Noting(fx.Interpreter):
    """Notes every activation, which has a shape and no values."""

    def __init__(self, traced: _Traced):
        super().__init__(traced.graph)
        self._paths = traced.paths
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Compute a node, and note it under its path."""
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.is_floating_point() and n.op != "placeholder":
            path = self._paths.get(n)
            if path and n.op != "get_attr" and value.shape[:1] == (IMAGES,):
                self.values[path] = value
        return value


def _trace(network: nn.Module) -> _Traced:
    # As create_feature_extractor does, so that the paths are the same.
    leaves = [one for one in vars(ops).values() if isclass(one) and issubclass(one, nn.Module)]
    tracer = NodePathTracer(autowrap_modules=(math, ops), leaf_modules=leaves)
    return _Traced(fx.GraphModule(network, tracer.trace(network)), tracer.node_to_qualname)


def _nodes(name: str, model: str, size: int) -> dict[str, Node]:
    """List the places of a network, in its order: nodes of its graph, and modules that hold some.

    A module stands for its last node, as in `create_feature_extractor`.
    """
    try:
        network = bare(lambda: build(model, size)).to("meta")
        noting = _Noting(_trace(network))
        noting.run(torch.empty((IMAGES, 3, size, size), device="meta"))
    except (RuntimeError, AssertionError, ValueError, IndexError) as error:
        raise InputError(
            f"{name} can't take pictures of {size} x {size} pixels ({first_words(error)}). Give "
            "another --size."
        ) from error
    class_token = hasattr(network, "class_token")
    nodes: dict[str, Node] = {}
    for path, value in noting.values.items():
        node = node_of(path, value, prefix=int(class_token), class_token=class_token)
        if node is not None:
            nodes[path] = node
            parts = path.split(".")
            for i in range(1, len(parts)):
                nodes.pop(".".join(parts[:i]), None)  # to stand after its last node
                nodes[".".join(parts[:i])] = node
    return nodes
