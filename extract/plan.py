"""A checked extraction: its network, its weights, and the manifest that follows from them."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import PIL
import torch
import torchvision

from extract import weights
from extract.backbones import Backbone, Layer, find_backbone
from extract.config import ExtractConfig
from extract.images import Transform
from extract.network import FeatureNetwork, layer_records, parameter_names, select_layers
from features import schema
from features.datasets import Dataset
from features.errors import check_distinct
from features.index import index_hash
from features.manifest import Manifest

_PACKAGES = {"timm": "timm", "open_clip": "open_clip_torch"}  # whose versions are recorded


@dataclass(frozen=True)
class Plan:
    """A checked extraction: what will be computed, with which weights."""

    config: ExtractConfig
    backbone: Backbone
    layers: tuple[Layer, ...]
    transform: Transform
    tensors: weights.Tensors

    def network(self) -> FeatureNetwork:
        """Build the network with its weights."""
        return FeatureNetwork(self.backbone, self.layers, self.tensors)

    def weights_sha256(self) -> str:
        """Hash the tensors that the layers depend on."""
        return weights.checksum(self.tensors, parameter_names(self.backbone, self.layers))

    def manifest(self, dataset: Dataset, sizes: np.ndarray) -> Manifest:
        """Write down everything that can change a value, and nothing that can't.

        Parameters
        ----------
        dataset : Dataset
            n images.
        sizes : ndarray of int64, shape (n,)
            File sizes in bytes.
        """
        config, backbone, transform = self.config, self.backbone, self.transform
        records = layer_records(backbone, self.layers, size=transform.size, dtype=config.dtype)
        return {
            "schema": schema.VERSION,
            "backbone": backbone.name,
            "layers": records,
            "layer_order": list(records),
            "weights_sha256": self.weights_sha256(),
            "transform": {
                **transform.record(),
                "mean": list(backbone.mean),
                "std": list(backbone.std),
            },
            "dtype": config.dtype,
            "engine": config.engine,
            "precision": config.precision,
            "shard_rows": config.shard_rows,
            "index": {"rows": len(dataset), "sha256": index_hash(dataset, sizes)},
            "versions": _versions(backbone.library),
        }


def make_plan(config: ExtractConfig) -> Plan:
    """Load the weights and choose the layers.

    Raises
    ------
    InputError
        As `weights.load_weights`, `network.select_layers` and `images.Transform`.
    """
    backbone = find_backbone(config.backbone, config.size)
    own = backbone.preparation
    transform = Transform(
        config.size or backbone.size,
        config.resize or ("own" if own else "warp"),
        config.scaled_decode,
        config.background,
        config.white_level,
        config.accept_damaged,
        config.max_pixels,
        own,
    )
    # A wrong name is told before a download.
    check_distinct("layers", [backbone.find_layer(name).name for name in config.layers or ()])
    tensors = weights.load_weights(backbone, config.weights)
    layers = select_layers(backbone, config.layers, set(tensors))
    return Plan(config, backbone, layers, transform, tensors)


def _versions(library: str) -> dict[str, Any]:
    """Versions of what can change a value."""
    return {
        **({library: version(_PACKAGES[library])} if library in _PACKAGES else {}),
        "torch": torch.__version__.partition("+")[0],
        "torchvision": torchvision.__version__.partition("+")[0],
        "pillow": PIL.__version__,
        "simplejpeg": version("simplejpeg"),
    }
