"""A backbone's network: which layers the weights can compute, and pixels to cached layers."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from extract.backbones import Backbone, Layer
from extract.backbones.bare import Run, bare, learned_names, needed_names
from extract.backbones.records import LIBRARIES
from extract.pooling import LAYOUTS, POOLINGS, arranged
from features.command_line import load
from features.errors import InputError

UNTRACED = ("timm", "open_clip")  # libraries whose networks give their layers themselves


def select_layers(
    backbone: Backbone, names: Iterable[str] | None, available: set[str]
) -> tuple[Layer, ...]:
    """Choose layers by name, or all that the weights can compute.

    Parameters
    ----------
    backbone : Backbone
        The network that has the layers.
    names : iterable of str or None
        Layer names, with or without the backbone's prefix. None: every layer that is not
        optional and that `available` permits.
    available : set of str
        Names of the tensors that the weights have.

    Returns
    -------
    tuple of Layer
        In the network's order.

    Raises
    ------
    InputError
        An unknown name, or a layer that needs tensors the weights lack.
    """
    if names is None:
        chosen = [
            layer
            for layer in backbone.layers
            if not layer.optional and not parameter_names(backbone, (layer,)) - available
        ]
        if chosen:
            return tuple(chosen)
        names = [backbone.layers[0].name]  # nothing fits: name what the first one lacks
    found = [backbone.find_layer(name) for name in names]
    known = {layer.name: layer for layer in found}
    for name, layer in sorted(known.items()):
        lacking = sorted(parameter_names(backbone, (layer,)) - available)
        if lacking:
            raise InputError(
                f"The layer {backbone.name}/{name} needs {lacking[0]}, which the weights lack"
                f" ({len(lacking)} tensors in all). Give weights that have it, or other --layers."
            )
    return tuple(sorted(known.values(), key=backbone.place))


def parameter_names(backbone: Backbone, layers: tuple[Layer, ...]) -> set[str]:
    """Names of the parameters and buffers that some layers depend on.

    A batch norm's `num_batches_tracked` and other constants are left out: they are no result of a
    training.
    """
    return _parameter_names(backbone, tuple(sorted({layer.node for layer in layers})))


@lru_cache(maxsize=64)
def _parameter_names(backbone: Backbone, nodes: tuple[str, ...]) -> set[str]:
    if backbone.library in UNTRACED:
        if len(nodes) > 1:  # each has been asked for by itself
            return set().union(*(_parameter_names(backbone, (node,)) for node in nodes))
        return needed_names(_bare(backbone), _runner(backbone, nodes), backbone.size)
    return learned_names(_traced(backbone, nodes))


@lru_cache(maxsize=8)
def parameter_shapes(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """Shapes of what is learned, and of counters, of the whole network with its classifier."""
    network = _made(backbone)
    learned = learned_names(network)
    return {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if name in learned or name.endswith("num_batches_tracked")
    }


def _bare(backbone: Backbone) -> nn.Module:
    """Give a network without its weights."""
    return deepcopy(_made(backbone))


def _extractor(backbone: Backbone, nodes: tuple[str, ...]) -> nn.Module:
    """Give a network without its weights, down to what some nodes need."""
    return deepcopy(_traced(backbone, nodes)).eval()  # which a copy of a traced one is not


# A command asks for a network's names and shapes before it computes: a copy takes a quarter of the
# time.
@lru_cache(maxsize=4)
def _made(backbone: Backbone) -> nn.Module:
    return bare(lambda: load(backbone.builder)(*backbone.arguments))


@lru_cache(maxsize=8)
def _traced(backbone: Backbone, nodes: tuple[str, ...]) -> nn.Module:
    extractor = create_feature_extractor(
        _bare(backbone),
        return_nodes=list(nodes),
        suppress_diff_warning=True,  # of heads in training
    )
    return extractor.eval()


def _runner(backbone: Backbone, nodes: tuple[str, ...]) -> Run:
    """Give what maps a network and pixels to the activations of nodes."""
    if backbone.library in UNTRACED:
        return load(f"{LIBRARIES[backbone.library]}:runner")(nodes)
    return _call


def _call(network: nn.Module, x: Tensor) -> Mapping[str, Tensor]:
    return network(x)


class FeatureNetwork(nn.Module):
    """Backbone with normalization before it and pooling after it: pixels to cached layers.

    Parameters
    ----------
    backbone : Backbone
        The network.
    layers : tuple of Layer
        The layers to return.
    tensors : mapping of str to Tensor
        The network's weights by name; others are ignored.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, backbone: Backbone, layers: tuple[Layer, ...], tensors: Mapping[str, Tensor]
    ):
        super().__init__()
        self.layers = layers
        nodes = tuple(sorted({layer.node for layer in layers}))
        if backbone.library in UNTRACED:
            self.network = _bare(backbone)
        else:
            self.network = _extractor(backbone, nodes)
        self._run = _runner(backbone, nodes)
        state = {
            name: tensors[name] if name in tensors else _own(tensor)
            for name, tensor in self.network.state_dict().items()
        }
        self.network.load_state_dict(state, assign=True)
        # (x / 255 - mean) / std as one product and one sum.
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (backbone.mean, backbone.std))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute every layer.

        Parameters
        ----------
        pixels : Tensor of uint8, shape (n, 3, h, w)

        Returns
        -------
        tuple of Tensor of float32, one per layer, each (n, ...)
        """
        activations = self._run(self.network, pixels * self.scale + self.shift)
        return tuple(
            POOLINGS[layer.pooling](arranged(activations[layer.node], layer)).float()
            for layer in self.layers
        )


def _own(tensor: Tensor) -> Tensor:
    """Give the network's own value of a constant, and zeros for what no layer depends on."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor


def layer_records(
    backbone: Backbone, layers: tuple[Layer, ...], *, size: int, dtype: str
) -> dict[str, dict]:
    """Describe layers for the manifest: shape, type, pooling and order of the columns.

    Spatial maps are float16 whatever `dtype` says: at float32 one image of ResNet-101 at 448
    takes 1.6 MB.
    """
    records: dict[str, dict[str, Any]] = {}
    for layer in layers:
        record = {
            "shape": list(layer.shape(size)),
            "dtype": "float16" if layer.stride else dtype,
            "pooling": layer.pooling,
            "layout": "channel, row, column" if layer.stride else LAYOUTS[layer.pooling],
        }
        # A layer of a rule: what the rule has chosen may change with the library.
        chosen = {"node": layer.node} if backbone.library else {}
        records[f"{backbone.name}/{layer.name}"] = {**record, **chosen}
    return records
