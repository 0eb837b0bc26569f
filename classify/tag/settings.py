"""The extraction that made a model's features, read back from the manifest in the model."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from extract.backbones import BACKBONES
from extract.config import BACKGROUND, ExtractConfig
from extract.plan import make_plan
from features.checks.json_files import schema_fault
from features.checks.manifests import MANIFEST_SCHEMA
from features.datasets import Dataset
from features.errors import InputError
from features.manifest import Manifest, differences

#: What is read here; of other keys any value is taken.
_SCHEMA = {
    **MANIFEST_SCHEMA,
    "required": ["backbone", "layers", "layer_order", "transform", "dtype", "engine", "precision"],
    "properties": {
        **MANIFEST_SCHEMA["properties"],
        "transform": {
            "type": "object",
            "required": ["size", "resize", "scaled_decode"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 2**15},
                "resize": {"type": "string"},
                "scaled_decode": {"type": "boolean"},
                "white_level": {"type": "number", "minimum": 0, "maximum": 1e300},
                "colour": {"type": "string"},
            },
        },
    },
}
_COLOR = re.compile(r"transparency on (#[0-9a-f]{6})")
NO_IMAGES = Dataset(Path(), (), ())
#: What the settings determine; the rest of a manifest depends on the images.
_OF_THE_NETWORK = ("backbone", "weights_sha256", "transform", "precision", "engine", "dtype")


def extraction_of(manifest: Manifest, weights: str | None = None, **runtime: Any) -> ExtractConfig:
    """Give the settings that make features as those of a manifest.

    Parameters
    ----------
    manifest : dict
        Of the cache that a model was trained on.
    weights : str, optional
        As for `extract.weights.load_weights`. By default the sources that need no file are tried,
        and the one of the recorded checksum is taken.
    **runtime
        Fields of `ExtractConfig` that change no feature, such as `device`.

    Returns
    -------
    ExtractConfig

    Raises
    ------
    InputError
        `weights` can't be read, no source has the recorded ones, this version of the project makes
        other features, or the manifest has no such settings; the message names what differs.
    """
    if fault := schema_fault(manifest, _SCHEMA):
        raise InputError(
            f"the features can't be made again: in the manifest that was stored of them, {fault}. "
            "Restore the file, or make it anew."
        )
    tried = []
    for source in [weights] if weights else _sources(manifest["backbone"]):
        config = _config(manifest, source, runtime)
        try:
            differing = _differences(manifest, config)
        except InputError as error:  # not to be had, or without a layer of the model
            if weights:
                raise
            tried.append(f"{source}: {str(error).rstrip('.')}")
            continue
        if not differing:
            return config
        tried.append(f"{source}: {'; '.join(differing)} (there: the model, here: this extraction)")
    raise InputError(
        "the features can't be made again. "
        f"{' | '.join(tried)}. Give --weights the file that its cache was extracted with."
    )


def _sources(backbone: str) -> Iterator[str]:
    if backbone in BACKBONES and BACKBONES[backbone].package:
        yield BACKBONES[backbone].package
    yield "pretrained"


def _config(manifest: Manifest, weights: str, runtime: dict[str, Any]) -> ExtractConfig:
    transform = manifest["transform"]
    color = _COLOR.search(transform.get("colour", ""))
    return ExtractConfig(
        backbone=manifest["backbone"],
        weights=weights,
        layers=tuple(
            name.removeprefix(f"{manifest['backbone']}/") for name in manifest["layer_order"]
        ),
        size=transform["size"],
        resize=transform["resize"],
        scaled_decode=transform["scaled_decode"],
        white_level=transform.get("white_level"),
        dtype=manifest["dtype"],
        engine=manifest["engine"],
        precision=manifest["precision"],
        background=color[1] if color else BACKGROUND,
        **runtime,
    )


def _differences(manifest: Manifest, config: ExtractConfig) -> list[str]:
    made = make_plan(config).manifest(NO_IMAGES, np.zeros(0, dtype=np.int64))
    return differences(
        {name: manifest.get(name) for name in _OF_THE_NETWORK},
        {name: made.get(name) for name in _OF_THE_NETWORK},
    )
