"""What `extract --list` prints: networks, and of a few what they store, take and cost."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from extract.backbones.bare import bare, probe
from extract.backbones.records import BACKBONES, Backbone, find_backbone
from features.command_line import load
from features.errors import InputError

DETAILED = 12  # networks that are looked into: each takes about a second
NAMES = 100  # that are listed beside each other
HEADINGS = ("name", "layers (on request)", "width", "input", "GFLOP", "parameters", "license")


def listing(word: str = "") -> str:
    """List networks by a word in their names.

    Parameters
    ----------
    word : str
        Of a name, or a whole name. Empty: the records of this project, and how to go on.

    Returns
    -------
    str
        A table if there are few: stored layers, columns of those stored by default, side of the
        input in pixels, operations of one picture in 10^9 (a multiplication and an addition are
        two), parameters, and the license of the weights where the library states it. Of a single
        network also every place that can be stored; of many, their names.

    Raises
    ------
    InputError
        No network has the word in its name.
    """
    names = _names()
    whole = {*names, *(name.partition(".")[0] for name in names if name.startswith("timm/"))}
    if not word:
        counts = {one: sum(name.startswith(f"{one}/") for name in names) for one in _counted(names)}
        return "\n".join(
            [
                _table([_row(backbone) for backbone in BACKBONES.values()]),
                *(f"{one}/NAME: {count} networks" for one, count in counts.items()),
                "`--list WORD` lists those with a word in their name, and looks into a few.",
            ]
        )
    found = [word] if word in whole else [name for name in names if word.lower() in name.lower()]
    if not found:
        near = get_close_matches(word, names, n=5, cutoff=0.3)
        raise InputError(
            f"No network has {word!r} in its name. Give another word"
            f"{f', such as {near[0]}' if near else ''}, or none."
        )
    if len(found) > DETAILED:
        return "\n".join([*found[:NAMES], *_rest(found)])
    rows, unusable = [], []
    for name in found:
        try:
            rows.append(_row(find_backbone(name)))
        except InputError as error:  # of pictures that are not square, say
            unusable.append(f"{name}: {error}")
    lines = [_table(rows)] if rows else []
    if len(found) == 1 and rows:
        lines += _places(find_backbone(found[0]))
    return "\n".join([*lines, *unusable])


def _names() -> list[str]:
    """All names; timm's with each tag of its weights."""
    names = [*BACKBONES, *(f"torchvision/{one}" for one in models.list_models(module=models))]
    with suppress(ImportError):
        import open_clip

        names += [f"open_clip/{one}" for one in open_clip.list_models()]
    try:
        import timm
    except ImportError:
        return names
    tagged = [f"timm/{one}" for one in timm.list_pretrained()]
    bare_names = {name.partition(".")[0] for name in tagged}
    untagged = [f"timm/{one}" for one in timm.list_models() if f"timm/{one}" not in bare_names]
    return [*names, *sorted([*tagged, *untagged])]


def _counted(names: Sequence[str]) -> list[str]:
    return sorted({name.partition("/")[0] for name in names if "/" in name}, reverse=True)


def _rest(found: Sequence[str]) -> list[str]:
    more = len(found) - NAMES
    ending = f"and {more} more: " if more > 0 else ""
    return [f"{ending}{len(found)} networks; a word that fits {DETAILED} or fewer looks into them"]


def _row(backbone: Backbone) -> tuple[str, ...]:
    network = bare(lambda: load(backbone.builder)(*backbone.arguments))
    count = sum(parameter.numel() for parameter in network.parameters())
    stored = [layer.name for layer in backbone.layers if not layer.optional]
    extra = [layer.name for layer in backbone.layers if layer.optional]
    width = sum(layer.shape(backbone.size)[0] for layer in backbone.layers if not layer.optional)
    return (
        backbone.name,
        " ".join(stored) + (f" ({' '.join(extra)})" if extra else ""),
        str(width),
        str(backbone.size),
        f"{_operations(network, backbone.size) / 1e9:.2f}",
        f"{count / 1e6:.2f} M",
        backbone.license or "not stated",
    )


def _operations(network: nn.Module, size: int) -> int:
    """Count the additions and multiplications for one picture."""

    def run(network: nn.Module, x: Tensor) -> Mapping[str, Tensor]:
        whole: Any = network
        getattr(network, "encode_image", whole)(x)  # no texts
        return {}

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        probe(network, run, size)
    return counter.get_total_flops()


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEADINGS, *rows)
    )


def _places(backbone: Backbone) -> list[str]:
    """Describe a network's transform, and all that `--layers` takes."""
    lines = []
    if own := backbone.preparation:
        lines.append(f"transform: {own.fit}, {own.interpolation} to {own.scaled}, {backbone.size}")
    for name, node in backbone.nodes:
        pools = f"/{'|'.join(node.pools)}" if node.pools else ""
        lines.append(f"  {name}{pools}  {' x '.join(map(str, node.shape))}")
    return lines
