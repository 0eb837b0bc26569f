"""Backbones of three small convolutions: extractions in milliseconds, through all of the code."""

from collections import OrderedDict

from torch import nn

from extract.backbones import Backbone, Layer


def build(widths=(4, 6, 8)):
    """Make the network; each convolution halves the sides."""
    layers, before = OrderedDict(), 3
    for i, width in enumerate(widths, start=1):
        layers[f"conv{i}"] = nn.Conv2d(before, width, 3, stride=2, padding=1)
        layers[f"relu{i}"] = nn.ReLU()
        before = width
    return nn.Sequential(layers)


def build_wide():
    """Make one that is wide enough to learn a handful of pictures by heart."""
    return build((16, 32, 64))


def _backbone(name, builder, widths):
    return Backbone(
        name=name,
        builder=f"{__name__}:{builder}",
        weights="",
        layers=(
            Layer("conv2", "relu2", widths[1], "quadrant_max"),
            Layer("gap", "relu3", widths[2], "global_average"),
            Layer("map", "relu3", widths[2], "none", stride=8, optional=True),
        ),
        size=32,
    )


TINY = _backbone("tiny", "build", (4, 6, 8))
WIDE = _backbone("wide", "build_wide", (16, 32, 64))
