"""A backbone of three small convolutions: extractions in milliseconds, through all of the code."""

from collections import OrderedDict

from torch import nn

from extract.backbones import Backbone, Layer


def build():
    """Make the network; each convolution halves the sides."""
    widths = (3, 4, 6, 8)
    layers = OrderedDict()
    for i in range(3):
        layers[f"conv{i + 1}"] = nn.Conv2d(widths[i], widths[i + 1], 3, stride=2, padding=1)
        layers[f"relu{i + 1}"] = nn.ReLU()
    return nn.Sequential(layers)


TINY = Backbone(
    name="tiny",
    builder=f"{__name__}:build",
    weights="",
    layers=(
        Layer("conv2", "relu2", 6, "quadrant_max"),
        Layer("gap", "relu3", 8, "global_average"),
        Layer("map", "relu3", 8, "none", stride=8, optional=True),
    ),
    size=32,
)
