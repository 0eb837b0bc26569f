"""Vectors of texts in the space of a cache's pictures, for backbones that have a text tower."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from extract.backbones import Backbone, find_backbone
from extract.backbones.bare import bare, learned_names
from extract.backbones.open_clip_models import EMBEDDING, open_clip
from extract.config import ExtractConfig
from extract.weights import Tensors, load_weights
from features.command_line import load
from features.errors import InputError, first_words

_OF_PICTURES = ("visual.", "logit_")  # what no text depends on begins so
AT_ONCE = 64  # texts per forward pass


def text_layer(backbone: str) -> str:
    """Name the layer of a cache whose vectors texts can be compared with.

    Raises
    ------
    InputError
        The backbone has no text tower.
    """
    if not backbone.startswith("open_clip/"):
        raise InputError(
            f"Texts can be looked for in caches of open_clip/NAME, and this one is of {backbone}. "
            "Extract again with --backbone open_clip/NAME, or ask with --image."
        )
    return f"{backbone}/{EMBEDDING}"


def embed_texts(config: ExtractConfig, texts: Sequence[str]) -> np.ndarray:
    """Compute the vectors of texts.

    Parameters
    ----------
    config : ExtractConfig
        The backbone and its weights; the others do not matter.
    texts : sequence of n str
        What is too long for the network is cut.

    Returns
    -------
    float32 ndarray of shape (n, d)
        As the model's `encode_text` gives them, not normalized.

    Raises
    ------
    InputError
        The backbone has no text tower, the weights lack it, or its words can't be had here.
    """
    text_layer(config.backbone)
    backbone = find_backbone(config.backbone)
    network = _text_network(backbone, load_weights(backbone, config.weights), config.weights)
    tokens = _tokens(backbone, texts)
    with torch.no_grad():
        found = [network.encode_text(part) for part in tokens.split(AT_ONCE)]  # type: ignore[operator]
    return torch.cat(found).float().numpy()


def _text_network(backbone: Backbone, tensors: Tensors, source: str) -> nn.Module:
    network = bare(lambda: load(backbone.builder)(*backbone.arguments))
    needed = {n for n in learned_names(network) if not n.startswith(_OF_PICTURES)}
    if missing := sorted(needed - set(tensors)):
        raise InputError(
            f"The weights {source} lack the text tower of {backbone.name}: {missing[0]} "
            f"({len(missing)} tensors in all). Give --weights a file of the whole model."
        )
    # What no text needs stays without memory.
    network.load_state_dict({n: tensors[n] for n in needed}, strict=False, assign=True)
    return network.requires_grad_(False).eval()


def _tokens(backbone: Backbone, texts: Sequence[str]) -> torch.Tensor:
    try:
        return open_clip().get_tokenizer(backbone.arguments[0])(list(texts))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"The words of {backbone.name} can't be had here ({first_words(error)}). Ask on a "
            "machine that reaches the hub of its tokenizer once, or extract with another backbone."
        ) from error
