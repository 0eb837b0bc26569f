"""What an extraction is asked to do, and the manifest that follows from it."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL
import torch
import torchvision

from extract import weights
from extract.backbones import (
    Backbone,
    FeatureNetwork,
    Layer,
    find_backbone,
    layer_records,
    parameter_names,
    select_layers,
)
from extract.images import Transform
from features import schema
from features.datasets import Dataset
from features.errors import InputError
from features.index import index_hash
from features.manifest import Manifest

DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class ExtractConfig:
    """Settings of an extraction.

    Parameters
    ----------
    backbone : str
        A name in `backbones.BACKBONES`.
    weights : str
        As for `weights.load_weights`.
    layers : tuple of str, optional
        Layers to store; by default every layer that the weights can compute, without maps.
    size : int, optional
        Side of the input in pixels; by default the backbone's.
    resize, scaled_decode
        As in `images.Transform`.
    dtype : {"float32", "float16"}
        Of stored vectors; a value too large for float16 fails its row.
    engine, precision, device
        As in `engines.build_engine` and `engines.choose_device`.
    batch_size : int, optional
        Images a forward pass; by default 16 on a CPU, 256 on a GPU.
    workers : int, optional
        Threads that decode; by default one a core, at most 16.
    shard_rows : int
        Rows a shard.
    max_failures : float
        Share of the rows that may fail before the job stops.
    retry_failed : bool
        Compute the failed rows of finished shards again.
    part : tuple of int
        (i, n): compute only the shards whose number leaves i when divided by n, 0 <= i < n.

    Raises
    ------
    InputError
        A number out of its range, or an unknown type.
    """

    backbone: str = "vgg16"
    weights: str = "torchvision"
    layers: tuple[str, ...] | None = None
    size: int | None = None
    resize: str = "warp"
    scaled_decode: bool = False
    dtype: str = "float32"
    engine: str = "eager"
    precision: str = "float32"
    device: str = "auto"
    batch_size: int | None = None
    workers: int = field(default_factory=lambda: min(16, os.cpu_count() or 1))
    shard_rows: int = 2048
    max_failures: float = 0.05
    retry_failed: bool = False
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(f"dtype {self.dtype!r}; give one of {', '.join(DTYPES)}")
        for name in ("batch_size", "workers", "shard_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; give a whole number from 1")
        if not 0 <= self.max_failures <= 1:
            raise InputError(f"max_failures is {self.max_failures}; give a share from 0 to 1")
        if not 0 <= self.part[0] < self.part[1]:
            raise InputError(
                f"shards {self.part[0]}/{self.part[1]}; give i/n with 0 <= i < n, as in 0/4 to 3/4"
            )


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
            "versions": _versions(),
        }


def make_plan(config: ExtractConfig) -> Plan:
    """Load the weights and choose the layers.

    Raises
    ------
    InputError
        As `weights.load_weights`, `backbones.select_layers` and `images.Transform`.
    """
    backbone = find_backbone(config.backbone)
    transform = Transform(config.size or backbone.size, config.resize, config.scaled_decode)
    tensors = weights.load_weights(backbone, config.weights)
    layers = select_layers(backbone, config.layers, set(tensors))
    return Plan(config, backbone, layers, transform, tensors)


def _versions() -> dict[str, Any]:
    """Versions of what can change a value."""
    return {
        "torch": torch.__version__.partition("+")[0],
        "torchvision": torchvision.__version__.partition("+")[0],
        "pillow": PIL.__version__,
    }
