"""Backbones as records: their layers, how each layer is pooled, and the input they take.

A backbone of its own is one more record in `BACKBONES`. Everything else reads the records: the
command line, the manifest, and fine-tuning. Loading this module loads no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from extract.backbones.layers import Layer, Node
from features.errors import InputError, check_choice

NEAR = 6  # places in a network that a message names
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


#: Module of each library; its function `backbone` maps a name and a size in pixels to a `Backbone`.
LIBRARIES = {
    "torchvision": "extract.backbones.torchvision_models",
    "timm": "extract.backbones.timm_models",
    "open_clip": "extract.backbones.open_clip_models",
}


@dataclass(frozen=True)
class Preparation:
    """A library's own way from an image to a square, done by Pillow as the library does it.

    Parameters
    ----------
    fit : {"center", "squash", "border"}
        `center` scales the shorter side, `squash` both sides, `border` the longer side and fills
        the rest with the mean color. The center is cut out.
    scaled : int
        Side in pixels after scaling, before the cut.
    interpolation : str
        A value of torchvision's `InterpolationMode`: ``bilinear``, ``bicubic``.
    fill : tuple of 3 int
        Color of a border.
    """

    fit: str
    scaled: int
    interpolation: str
    fill: tuple[int, ...] = (0, 0, 0)


@dataclass(frozen=True)
class Backbone:
    """A network and what is taken from it.

    Parameters
    ----------
    name : str
        Name on the command line, and prefix of the layers in the cache.
    builder : str
        ``module:function`` that takes `arguments` and returns the `torch.nn.Module`, with a
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
    library : {"", "torchvision", "timm", "open_clip"}
        Which library's names the network has; empty for a record of this project.
    arguments : tuple
        Of the builder.
    nodes : tuple of (str, Node)
        Further places to store, by name: ``NAME/POOL`` is a layer.
    preparation : Preparation, optional
        The library's own transform.
    package : str
        What `--weights` takes to load weights of it from an index of packages; empty if none has.
    license : str
        Of the weights; empty where the library does not state it.
    """

    name: str
    builder: str
    weights: str
    layers: tuple[Layer, ...]
    size: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    library: str = ""
    arguments: tuple[str | int, ...] = ()
    nodes: tuple[tuple[str, Node], ...] = ()
    preparation: Preparation | None = None
    package: str = ""
    license: str = ""

    def find_layer(self, name: str) -> Layer:
        """Look a layer up by its name, such as ``gap`` or ``layer3/gmp``, or with the backbone's.

        Raises
        ------
        InputError
            There is none of that name; the message lists what there is.
        """
        name = name.removeprefix(f"{self.name}/")
        named = {layer.name: layer for layer in self.layers}
        if name in named:
            return named[name]
        nodes = dict(self.nodes)
        node_name, slash, pool = name.partition("/")
        if node_name not in nodes:
            raise InputError(self._no_layer(name))
        pools = nodes[node_name].pools
        if slash:
            check_choice("layers", name, [f"{node_name}/{one}" for one in pools] or [node_name])
        pool = pool or next(iter(pools), "")
        full = f"{node_name}/{pool}" if pool else node_name
        return nodes[node_name].layer(full, pool, self.size)

    def _no_layer(self, name: str) -> str:
        """Say what layers there are; of many places in a network, those with the nearest names."""
        places = [one for one, _ in self.nodes]
        listed = ", ".join([layer.name for layer in self.layers])
        if places:
            near = get_close_matches(name.strip().lower(), places, NEAR, cutoff=0)
            listed += f", or a place in the network, such as {', '.join(near)}"
            listed += f" (`extract --list {self.name}` shows all)"
        return f"The 'layers' option must be one of {listed}. Got {name!r}."

    def place(self, layer: Layer) -> tuple[int, str]:
        """Give where a layer comes in the order of a cache: named layers, then nodes by depth."""
        names = [one.name for one in self.layers]
        if layer.name in names:
            return names.index(layer.name), ""
        depth = [name for name, _ in self.nodes].index(layer.name.partition("/")[0])
        return len(names) + depth, layer.name


def _vgg16() -> Backbone:
    pools = zip((4, 9, 16, 23, 30), (64, 128, 256, 512, 512), strict=True)
    layers = [
        Layer(f"pool{i}", f"features.{node}", channels, "quadrant_max")
        for i, (node, channels) in enumerate(pools, start=1)
    ]
    layers.append(Layer("pool5_map", "features.30", 512, "none", stride=32, optional=True))
    layers.append(Layer("fc7", "classifier.4", 4096, "none"))  # after its ReLU, as Caffe's blob
    return Backbone(
        "vgg16",
        "torchvision.models:vgg16",
        "VGG16_Weights.IMAGENET1K_V1",
        tuple(layers),
        package="vgg16-conv",
    )


def _resnet(name: str, channels: int) -> Backbone:
    layers = (
        Layer("gap", "layer4", channels, "global_average"),
        Layer("gmp", "layer4", channels, "global_max"),
        Layer("map", "layer4", channels, "none", stride=32, optional=True),
    )
    weights = f"{name.replace('resnet', 'ResNet')}_Weights.IMAGENET1K_V1"
    return Backbone(name, f"torchvision.models:{name}", weights, layers)


def _resnet50_caffe() -> Backbone:
    layers = (
        Layer("gap", "layer4", 2048, "global_average"),
        Layer("gmp", "layer4", 2048, "global_max"),
        *(
            Layer(f"stage{i}", f"layer{i}", 128 * 2**i, "quadrant_max", optional=True)
            for i in range(1, 5)
        ),
        Layer("map", "layer4", 2048, "none", stride=32, optional=True),
        Layer("scores", "fc", 1000, "none", optional=True),  # before the softmax
    )
    bgr = (103.939, 116.779, 123.68)  # subtracted from pixels up to 255; nothing divides them
    return Backbone(
        "resnet50-caffe",
        "extract.backbones.caffe:resnet50",
        "",
        layers,
        mean=tuple(value / 255 for value in bgr[::-1]),
        std=(1 / 255,) * 3,
        package="resnet50-caffe",
        license="MIT",
    )


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _vgg16(),
        _resnet("resnet18", 512),
        _resnet("resnet50", 2048),
        _resnet("resnet101", 2048),
        _resnet50_caffe(),
    )
}


def find_backbone(name: str, size: int | None = None) -> Backbone:
    """Look a backbone up by name.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`, ``torchvision/NAME``, ``timm/NAME`` or ``open_clip/NAME``.
    size : int, optional
        Side of the input in pixels; by default the network's own. It decides the shape of maps.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        There is none of that name, its library is not installed, or it can't take that size.
    """
    library, _, model = name.partition("/")
    if name not in BACKBONES and library in LIBRARIES and model:
        make: Callable[[str, int | None], Backbone] = import_module(LIBRARIES[library]).backbone
        return make(model, size)
    check_choice("backbone", name, [*BACKBONES, *(f"{one}/NAME" for one in LIBRARIES)])
    return BACKBONES[name]
