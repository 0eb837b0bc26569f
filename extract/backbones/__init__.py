"""Backbones as records: four of papers, and any network of torchvision or timm by its name.

Loading this package loads no torch; a record of a library's network is made when it is asked for.
"""

from extract.backbones.layers import Layer, Node
from extract.backbones.records import BACKBONES, Backbone, Preparation, find_backbone

__all__ = ["BACKBONES", "Backbone", "Layer", "Node", "Preparation", "find_backbone"]
