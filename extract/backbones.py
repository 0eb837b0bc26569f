"""Backbones as records: which layers they have, how each is pooled, what input they take.

Adding a backbone is one entry in `BACKBONES`. Knows no weights file and no image.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from extract.pooling import LAYOUTS, POOLINGS
from features.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layer:
    """One output of a network.

    Parameters
    ----------
    name : str
        Its name in the cache, after the backbone's.
    node : str
        torchvision's name of the graph node.
    channels : int
        Of the activation.
    pooling : str
        A key of `pooling.POOLINGS`.
    stride : int
        Input pixels per position of a spatial map; 0 for anything else.
    optional : bool
        Only written when asked for by name.
    """

    name: str
    node: str
    channels: int
    pooling: str
    stride: int = 0
    optional: bool = False

    def shape(self, size: int) -> tuple[int, ...]:
        """Shape of what is stored for one image of `size` x `size` pixels."""
        if self.stride:
            return (self.channels, size // self.stride, size // self.stride)
        return (self.channels * (4 if self.pooling == "quadrant_max" else 1),)


@dataclass(frozen=True)
class Backbone:
    """A network of torchvision and what is taken from it.

    Parameters
    ----------
    name : str
        torchvision's name of the builder and the prefix of the layers in the cache.
    weights : str
        torchvision's weights entry that `--weights torchvision` loads.
    layers : tuple of Layer
        In the network's order.
    multiply_adds : float
        Per image at 224 x 224, in units of 1e9.
    size : int
        Side of the square input, in pixels.
    mean, std : tuple of 3 float
        Per channel, for pixels in [0, 1].
    """

    name: str
    weights: str
    layers: tuple[Layer, ...]
    multiply_adds: float
    size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def _vgg16() -> Backbone:
    pools = zip((4, 9, 16, 23, 30), (64, 128, 256, 512, 512), strict=True)
    layers = [
        Layer(f"pool{i}", f"features.{node}", channels, "quadrant_max")
        for i, (node, channels) in enumerate(pools, start=1)
    ]
    layers.append(Layer("pool5_map", "features.30", 512, "none", stride=32, optional=True))
    layers.append(Layer("fc7", "classifier.4", 4096, "none"))  # after its ReLU, as Caffe's blob
    return Backbone("vgg16", "VGG16_Weights.IMAGENET1K_V1", tuple(layers), 15.47)


def _resnet(name: str, channels: int, multiply_adds: float) -> Backbone:
    layers = (
        Layer("gap", "layer4", channels, "global_average"),
        Layer("gmp", "layer4", channels, "global_max"),
        Layer("map", "layer4", channels, "none", stride=32, optional=True),
    )
    weights = f"{name.replace('resnet', 'ResNet')}_Weights.IMAGENET1K_V1"
    return Backbone(name, weights, layers, multiply_adds)


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _vgg16(),
        _resnet("resnet18", 512, 1.81),
        _resnet("resnet50", 2048, 4.09),
        _resnet("resnet101", 2048, 7.80),
    )
}


def find_backbone(name: str) -> Backbone:
    """Look a backbone up by name.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.
    """
    if name not in BACKBONES:
        raise InputError(f"no backbone {name!r}; give one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def select_layers(
    backbone: Backbone, names: Iterable[str] | None, available: set[str]
) -> tuple[Layer, ...]:
    """Choose layers by name, or all that the weights can compute.

    Parameters
    ----------
    backbone : Backbone
        Where they come from.
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
    known = {layer.name: layer for layer in backbone.layers}
    if names is None:
        chosen = [
            layer
            for layer in backbone.layers
            if not layer.optional and not parameter_names(backbone, (layer,)) - available
        ]
        if chosen:
            return tuple(chosen)
        names = [backbone.layers[0].name]  # nothing fits: name what the first one lacks
    wanted = {name.removeprefix(f"{backbone.name}/") for name in names}
    for name in sorted(wanted - known.keys()):
        raise InputError(f"{backbone.name} has no layer {name!r}; it has {', '.join(known)}")
    for name in sorted(wanted):
        lacking = sorted(parameter_names(backbone, (known[name],)) - available)
        if lacking:
            raise InputError(
                f"layer {backbone.name}/{name} needs {lacking[0]}, which the weights lack"
                f" ({len(lacking)} tensors in all); give weights that have it or other --layers"
            )
    return tuple(layer for layer in backbone.layers if layer.name in wanted)


def parameter_names(backbone: Backbone, layers: tuple[Layer, ...]) -> set[str]:
    """Names of the parameters and buffers that some layers depend on.

    A batch norm's `num_batches_tracked` is left out: it has no effect on features.
    """
    state = graph(backbone, layers).state_dict()
    return {name for name in state if not name.endswith("num_batches_tracked")}


def parameter_shapes(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters and buffers of the whole network, classifier included."""
    with torch.device("meta"):
        state = _build(backbone).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def graph(backbone: Backbone, layers: tuple[Layer, ...]) -> nn.Module:
    """Trace the network, on the meta device, down to what the layers need.

    Returns
    -------
    Module
        Maps (n, 3, h, w) to a dict of node name to activation; frozen in eval mode.
    """
    with torch.device("meta"):
        network = _build(backbone).eval()
    return create_feature_extractor(network, return_nodes=sorted({x.node for x in layers})).eval()


def _build(backbone: Backbone) -> nn.Module:
    return models.get_model(backbone.name, weights=None)


class FeatureNetwork(nn.Module):
    """Backbone with normalisation before it and pooling after it: pixels to cached layers.

    Parameters
    ----------
    backbone : Backbone
        The network.
    layers : tuple of Layer
        What to return.
    tensors : mapping of str to Tensor
        torchvision's names to weights; more than needed is allowed.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, backbone: Backbone, layers: tuple[Layer, ...], tensors: Mapping[str, Tensor]
    ):
        super().__init__()
        self.layers = layers
        self.network = graph(backbone, layers)
        state = {
            name: tensors[name] if name in tensors else torch.zeros((), dtype=torch.long)
            for name in self.network.state_dict()
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
        tuple of Tensor of float32, one a layer, each (n, ...)
        """
        activations = self.network(pixels * self.scale + self.shift)
        return tuple(
            POOLINGS[layer.pooling](activations[layer.node]).float() for layer in self.layers
        )


def layer_records(
    backbone: Backbone, layers: tuple[Layer, ...], *, size: int, dtype: str
) -> dict[str, dict]:
    """Describe layers for the manifest: shape, type, pooling and order of the columns.

    Spatial maps are float16 whatever `dtype` says: at float32 one image of ResNet-101 at 448
    takes 1.6 MB.
    """
    return {
        f"{backbone.name}/{layer.name}": {
            "shape": list(layer.shape(size)),
            "dtype": "float16" if layer.stride else dtype,
            "pooling": layer.pooling,
            "layout": "channel, row, column" if layer.stride else LAYOUTS[layer.pooling],
        }
        for layer in layers
    }
