"""Any network of timm as a backbone: ``timm/NAME``, with its transform and timm's own names.

Layers come from timm's interface alone: `forward_features`, `forward_head`, and
`forward_intermediates`, whose indices are the numbers in ``block6`` and ``stage3``.
"""

import inspect
import logging
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from extract.backbones.bare import Run, bare, probe
from extract.backbones.layers import Layer, Node, node_of
from extract.backbones.records import Backbone, Preparation
from features.errors import InputError, first_words, needs_extra

FEATURES, POOLED, OUTPUT = "features", "pooled", "output"
_INNER = re.compile(r"(?:block|stage)([0-9]+)")


def _timm() -> Any:
    with needs_extra("timm", "A backbone of timm"):
        import timm
    return timm


@lru_cache(maxsize=8)
def backbone(name: str, size: int | None = None) -> Backbone:
    """Describe a network of timm.

    Parameters
    ----------
    name : str
        As for `timm.create_model`: ``NAME`` or ``NAME.TAG``; the tag decides the transform and the
        download.
    size : int, optional
        Side of the input in pixels.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        timm is not installed, has no such network, or the network can't take that size.
    """
    config = _config(name)
    data = _timm().data.resolve_data_config(pretrained_cfg=config)
    _, height, width = data["input_size"]
    if height != width or data["input_size"][0] != 3:
        raise InputError(
            f"timm/{name} takes pictures of {height} x {width} x {data['input_size'][0]}; only "
            "square ones of three channels are made. Give another --backbone."
        )
    side = size or height
    arguments = (name, 0 if side == height or not config.get("fixed_input_size") else side)
    nodes = _nodes(name, arguments, side)
    return Backbone(
        name=f"timm/{name}",
        builder=f"{__name__}:build",
        weights="",
        layers=_layers(nodes, side),
        size=side,
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        library="timm",
        arguments=arguments,
        nodes=tuple(nodes.items()),
        license=config.get("license") or "",
        preparation=Preparation(
            data["crop_mode"],
            int(side / data["crop_pct"]),
            data["interpolation"],
            tuple(round(255 * value) for value in data["mean"]),
        ),
    )


def build(name: str, size: int, *, pretrained: bool = False) -> nn.Module:
    """Make a network of timm, for inputs of `size` pixels, or of its own size if that is 0.

    Raises
    ------
    InputError
        It has one size and takes no other.
    """
    options = {"img_size": size} if size else {}
    try:
        return _timm().create_model(name, pretrained=pretrained, **options)
    except TypeError as error:
        if not size or "img_size" not in str(error):
            raise
        raise InputError(
            f"timm/{name} takes pictures of one size and can't be made for {size} pixels. Leave "
            "--size out."
        ) from error


def download(name: str, size: int) -> dict[str, Tensor]:
    """Load the weights that timm offers for a network; positions are resampled to its size.

    Raises
    ------
    InputError
        timm has no weights of it.
    """
    if not _config(name).get("has_weights", True):
        raise InputError(
            f"timm has no weights of {name}. Give --weights PATH.pth or PATH.safetensors."
        )
    # Of its failures the caller tells.
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    return build(name, size, pretrained=True).state_dict()


def _config(name: str) -> dict[str, Any]:
    """Find timm's record of a network's weights and transform."""
    timm = _timm()
    model, dot, tag = name.partition(".")
    if not timm.is_model(model):
        known = timm.list_models()
        near = get_close_matches(model.lower(), known, n=5, cutoff=0.4) or known[:5]
        raise InputError(
            f"timm has no network {model!r}. Give one of {', '.join(near)}; `python -m extract "
            f"--list WORD` lists those of all {len(known)} with a word in their name."
        )
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{model}.*")]
    if dot and tag not in tags:
        listed = ", ".join(f"timm/{model}.{one}" for one in tags) or f"timm/{model}"
        raise InputError(f"timm has no weights {tag!r} of {model}. Give --backbone {listed}.")
    found = timm.get_pretrained_cfg(name)
    return {**found.to_dict(), "has_weights": bool(tags)}


def runner(nodes: tuple[str, ...]) -> Run:
    """Give the function that computes some nodes of a network.

    Parameters
    ----------
    nodes : tuple of str
        ``features``, ``pooled``, ``output``, and ``blockI`` or ``stageI``.

    Returns
    -------
    callable
        Maps the network and pixels to a mapping of node to activation.
    """
    return partial(_run, nodes=nodes)


def _run(network: Any, x: Tensor, *, nodes: tuple[str, ...]) -> Mapping[str, Tensor]:
    inner = {node: int(found[1]) for node in nodes if (found := _INNER.fullmatch(node))}
    whole = bool(set(nodes) & {FEATURES, POOLED, OUTPUT})
    values: dict[str, Tensor] = {}
    features: Any = None
    if inner:
        indices = sorted(set(inner.values()))
        given = network.forward_intermediates(
            x, indices=indices, intermediates_only=not whole, **_options(network, whole)
        )
        if whole:  # the same features as forward_features gives
            features, given = given
        by_index = dict(zip(indices, given, strict=True))
        for node, index in inner.items():
            values[node] = by_index[index]
            if node.startswith("block"):
                values[node] = _tokens(values[node])
    elif whole:
        features = network.forward_features(x)
    if FEATURES in nodes:
        values[FEATURES] = features
    if POOLED in nodes:
        values[POOLED] = network.forward_head(features, pre_logits=True)
    if OUTPUT in nodes:
        values[OUTPUT] = network.forward_head(features)
    return values


def _options(network: Any, whole: bool) -> dict[str, Any]:
    known = inspect.signature(network.forward_intermediates).parameters
    wanted = {"return_prefix_tokens": True, "stop_early": not whole}
    return {name: value for name, value in wanted.items() if name in known}


def _tokens(given: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Join tokens before the patches' (n, k, c) and a map (n, c, h, w) to (n, k + h w, c)."""
    if isinstance(given, Tensor):
        return given.flatten(2).transpose(1, 2)
    maps, prefix = given
    return torch.cat([prefix, maps.flatten(2).transpose(1, 2)], dim=1)


def _nodes(name: str, arguments: tuple[str, int], size: int) -> dict[str, Node]:
    """List the places of a network that timm's interface gives: its blocks or stages, its end."""
    network: Any = bare(lambda: build(*arguments))
    class_token = getattr(network, "has_class_token", None)
    if class_token is None:
        class_token = getattr(network, "cls_token", None) is not None
    prefix = getattr(network, "num_prefix_tokens", None)
    try:
        found = probe(network, _everything, size)
    except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"timm/{name} can't take pictures of {size} x {size} pixels ({first_words(error)}). "
            "Leave --size out, or give another."
        ) from error
    inner = [value for key, value in found.items() if key not in (FEATURES, POOLED, OUTPUT)]
    same = len({(v[0] if isinstance(v, tuple) else v).shape for v in inner}) == 1
    nodes: dict[str, Node | None] = {}
    for i, value in enumerate(inner):
        before = value[1].shape[1] if isinstance(value, tuple) else 0
        path = f"block{i}" if same else f"stage{i}"
        given = _tokens(value) if same else value
        nodes[path] = node_of(path, given, prefix=before, class_token=bool(before and class_token))
    nodes[FEATURES] = node_of(
        FEATURES,
        found[FEATURES],
        prefix=int(class_token) if prefix is None else prefix,
        class_token=class_token,
    )
    for path in (POOLED, OUTPUT):
        nodes[path] = node_of(path, found[path])
    return {path: node for path, node in nodes.items() if node is not None}


def _everything(network: Any, x: Tensor) -> dict[str, Any]:
    inner: list[Any] = []
    if hasattr(network, "forward_intermediates"):
        features, inner = network.forward_intermediates(x, **_options(network, True))
    else:
        features = network.forward_features(x)
    return {
        **{str(i): value for i, value in enumerate(inner)},
        FEATURES: features,
        POOLED: network.forward_head(features, pre_logits=True),
        OUTPUT: network.forward_head(features),
    }


def _layers(nodes: Mapping[str, Node], size: int) -> tuple[Layer, ...]:
    """Choose the layers: the pooled features, then on request their map, timm's own, the scores."""
    layers: list[Layer] = []
    if FEATURES in nodes:
        last = nodes[FEATURES]
        short = ("cls", "mean", "map") if last.layout == "tokens" else ("gap", "gmp", "map")
        layers = [last.layer(p, p, size, optional=p == "map") for p in short if p in last.pools]
    if POOLED in nodes:
        layers.append(nodes[POOLED].layer(POOLED, "", size, optional=bool(layers)))
    if OUTPUT in nodes:
        layers.append(nodes[OUTPUT].layer(OUTPUT, "", size))
    return tuple(layers)
