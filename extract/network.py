"""A backbone's network: which layers the weights can compute, and pixels to cached layers."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from extract.backbones import Backbone, Layer
from extract.pooling import LAYOUTS, POOLINGS
from features.command_line import load
from features.errors import InputError, check_choice


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
    for name in sorted(wanted):
        check_choice("layers", name, known)
    for name in sorted(wanted):
        lacking = sorted(parameter_names(backbone, (known[name],)) - available)
        if lacking:
            raise InputError(
                f"The layer {backbone.name}/{name} needs {lacking[0]}, which the weights lack"
                f" ({len(lacking)} tensors in all). Give weights that have it, or other --layers."
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
    return load(backbone.builder)()


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
        tuple of Tensor of float32, one per layer, each (n, ...)
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
