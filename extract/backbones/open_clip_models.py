"""Any model of open_clip as a backbone: ``open_clip/NAME``, its joint embedding and transform.

The image's vector lies in one space with those of texts, which `extract.texts` makes. Blocks of the
same image towers are layers of ``timm/NAME``.
"""

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from extract.backbones.bare import Run, bare, probe
from extract.backbones.layers import Layer, node_of
from extract.backbones.records import Backbone, Preparation
from features.errors import InputError, first_words, needs_extra

EMBEDDING = "embedding"
_FITS = {"shortest": "center", "longest": "border", "squash": "squash"}


def open_clip() -> Any:
    """Load open_clip.

    Raises
    ------
    InputError
        It is not installed.
    """
    with needs_extra("open_clip", "A backbone of open_clip"):
        import open_clip
    return open_clip


@lru_cache(maxsize=8)
def backbone(name: str, size: int | None = None) -> Backbone:
    """Describe a model of open_clip.

    Parameters
    ----------
    name : str
        ``NAME`` or ``NAME.TAG``, as `open_clip.create_model` takes name and weights; the tag
        decides the transform and the download.
    size : int, optional
        Side of the input in pixels; only the model's own.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        open_clip is not installed, has no such model, or the model takes no such pictures.
    """
    model, tag = _known(name)
    config = open_clip().get_pretrained_cfg(model, tag) if tag else {}
    try:
        network: Any = bare(lambda: build(model, tag))
    except (ImportError, RuntimeError, OSError) as error:  # a text tower of the hub, say
        raise InputError(
            f"open_clip/{name} can't be made here ({first_words(error)}). Give another --backbone."
        ) from error
    own = {**network.visual.preprocess_cfg, **_transform(config)}
    side = own["size"] if isinstance(own["size"], int) else max(own["size"])
    if size not in (None, side) or own["size"] not in (side, (side, side), [side, side]):
        raise InputError(
            f"open_clip/{name} takes pictures of {own['size']} pixels; it can't be made for "
            f"{size or 'square ones'}. Leave --size out, or give another --backbone."
        )
    try:
        found = probe(network, runner((EMBEDDING,)), side)[EMBEDDING]
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise InputError(
            f"open_clip/{name} can't be run ({first_words(error)}). Give another --backbone."
        ) from error
    node = node_of(EMBEDDING, found)
    if node is None or node.layout != "vector":
        raise InputError(f"open_clip/{name} gives no vector per picture. Give another --backbone.")
    return Backbone(
        name=f"open_clip/{name}",
        builder=f"{__name__}:build",
        weights="",
        layers=(Layer(EMBEDDING, EMBEDDING, node.channels, "none", layout="vector"),),
        size=side,
        mean=tuple(own["mean"]),
        std=tuple(own["std"]),
        library="open_clip",
        arguments=(model, tag),
        nodes=((EMBEDDING, node),),
        preparation=Preparation(
            _FITS[own["resize_mode"]], side, own["interpolation"], (own["fill_color"],) * 3
        ),
    )


def build(name: str, tag: str = "") -> nn.Module:
    """Make a model, untrained; the tag of its weights may state another activation."""
    return _created(name, tag)


def download(name: str, tag: str) -> dict[str, Tensor]:
    """Load the weights of a tag.

    Raises
    ------
    InputError
        There is no tag.
    """
    if not tag:
        tags = open_clip().list_pretrained_tags_by_model(name)
        listed = ", ".join(f"open_clip/{name}.{one}" for one in tags)
        raise InputError(
            f"open_clip has weights of {name} by tags. Give --backbone with one "
            f"({listed or 'there are none'}), or --weights PATH.pth or PATH.safetensors."
        )
    return _created(name, tag, pretrained=tag).state_dict()


def _created(name: str, tag: str, pretrained: str | None = None) -> Any:
    library = open_clip()
    record = library.get_pretrained_cfg(name, tag) if tag else {}
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # it tells that there are no weights; of failures the caller
    try:
        return library.create_model(
            name, pretrained=pretrained, pretrained_text=False,
            force_quick_gelu=bool(record.get("quick_gelu")),
        )  # fmt: skip
    finally:
        logging.disable(before)


def runner(nodes: tuple[str, ...]) -> Run:
    """Give the function that computes the embedding of pictures, the one node there is."""
    return _run


def _run(network: Any, x: Tensor) -> Mapping[str, Tensor]:
    return {EMBEDDING: network.encode_image(x)}


def _known(name: str) -> tuple[str, str]:
    model, dot, tag = name.partition(".")
    names = open_clip().list_models()
    if model not in names:
        near = get_close_matches(model, names, n=5, cutoff=0.4) or names[:5]
        raise InputError(
            f"open_clip has no model {model!r}. Give one of {', '.join(near)}; `python -m extract "
            f"--list open_clip` lists all {len(names)}."
        )
    tags = open_clip().list_pretrained_tags_by_model(model)
    if dot and tag not in tags:
        listed = ", ".join(f"open_clip/{model}.{one}" for one in tags) or f"open_clip/{model}"
        raise InputError(f"open_clip has no weights {tag!r} of {model}. Give --backbone {listed}.")
    return model, tag


def _transform(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take from the record of weights what it says of pictures."""
    keys = ("mean", "std", "interpolation", "resize_mode")
    return {key: config[key] for key in keys if config.get(key) is not None}
