"""Backbones as records: their layers, how each layer is pooled, and the input they take.

A new backbone is one more record in `BACKBONES`. Everything else reads the records: the command
line, the manifest, and fine-tuning. Loading this module loads no torch.
"""

from dataclasses import dataclass

from features.errors import check_choice

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
        Name of the node in the graph that torchvision's feature extraction traces.
    channels : int
        Number of channels of the activation.
    pooling : str
        A key of `pooling.POOLINGS`.
    stride : int
        Input pixels per position of a spatial map; 0 for a vector.
    optional : bool
        The layer is only written when it is asked for by name.
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
    """A network and what is taken from it.

    Parameters
    ----------
    name : str
        Name on the command line, and prefix of the layers in the cache.
    builder : str
        ``module:function`` that takes no argument and returns the `torch.nn.Module`, with a
        classifier and untrained. It is imported when a network is built.
    weights : str
        torchvision's entry that `--weights torchvision` loads, such as
        ``ResNet18_Weights.IMAGENET1K_V1``; empty if torchvision has none.
    layers : tuple of Layer
        In the network's order.
    size : int
        Side of the square input, in pixels.
    mean, std : tuple of 3 float
        Mean and standard deviation per channel, for pixels in [0, 1].
    """

    name: str
    builder: str
    weights: str
    layers: tuple[Layer, ...]
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
    return Backbone(
        "vgg16", "torchvision.models:vgg16", "VGG16_Weights.IMAGENET1K_V1", tuple(layers)
    )


def _resnet(name: str, channels: int) -> Backbone:
    layers = (
        Layer("gap", "layer4", channels, "global_average"),
        Layer("gmp", "layer4", channels, "global_max"),
        Layer("map", "layer4", channels, "none", stride=32, optional=True),
    )
    weights = f"{name.replace('resnet', 'ResNet')}_Weights.IMAGENET1K_V1"
    return Backbone(name, f"torchvision.models:{name}", weights, layers)


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _vgg16(),
        _resnet("resnet18", 512),
        _resnet("resnet50", 2048),
        _resnet("resnet101", 2048),
    )
}


def find_backbone(name: str) -> Backbone:
    """Look a backbone up by name.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.
    """
    check_choice("backbone", name, BACKBONES)
    return BACKBONES[name]
