"""Class activation maps as pictures: where in an image each branch of a network sees a label."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from classify.finetune.networks import Network
from classify.finetune.run import load_run
from extract.images import ImageFailure, Transform, load_image
from features.errors import InputError
from features.files.ownership import make_folder, require_ours
from features.files.unchanged import atomic_rewrite

SHOWN = 3  # labels, where none are named
OPACITY = 0.5
SOFTWARE = "multilabel-from-cache, class activation map"  # in each picture: which were drawn here


def draw_maps(
    run: Path, images: Sequence[Path], out: Path, *, labels: Sequence[str] | None = None
) -> list[Path]:
    """Draw, for each image, label and branch, the activation map over the image as a PNG.

    A map is scaled from its least to its greatest value, red being the greatest, and brought to the
    size of the network's input (the co-projection paper). Files are called
    `IMAGE.LABEL.BRANCH.png`, with `_` for `/`; the branches are `main` and, for co-projection,
    `projection`.

    Parameters
    ----------
    run : Path
        A folder that `classify.finetune.run.finetune` wrote.
    images : sequence of Path
    out : Path
        Folder for the pictures; made if absent.
    labels : sequence of str, optional
        By default the three with the highest scores of each image.

    Returns
    -------
    list of Path
        The files, in the order drawn.

    Raises
    ------
    InputError
        An unknown label, a file that is no image, a folder without a run, two images or labels
        whose pictures would have one name, a picture of that name that was not drawn here, or one
        that was changed since.
    """
    config, network, names = load_run(run)
    unknown = [label for label in labels or () if label not in names]
    if unknown:
        raise InputError(f"the network knows no label {unknown[0]!r}; it knows {', '.join(names)}")
    _require_names("images", {path: path.stem for path in dict.fromkeys(images)})
    _require_names("labels", {name: _in_file_name(name) for name in labels or names})
    make_folder(out)
    written = []
    for path in dict.fromkeys(images):
        try:
            pixels, _ = load_image(path, Transform(config.size))
        except ImageFailure as failure:
            raise InputError(f"{path} can't be shown: {failure.message}") from failure
        scores, maps = class_maps(network, pixels)
        best = np.argsort(-scores, kind="stable")[:SHOWN]
        chosen = [names[i] for i in best] if labels is None else labels
        for label in chosen:
            for branch, values in maps.items():
                target = out / f"{path.stem}.{_in_file_name(label)}.{branch}.png"
                require_ours(target, _drawn_here, what="an activation map")
                with atomic_rewrite(target) as temporary:
                    picture = overlay(pixels, values[names.index(label)])
                    picture.save(temporary, format="png", pnginfo=_mark())
                written.append(target)
    return written


def _require_names(kind: str, name_of: Mapping[Any, str]) -> None:
    """Refuse two images or labels whose pictures would replace each other."""
    taken: dict[str, Any] = {}
    for one, name in name_of.items():
        other = taken.setdefault(name.casefold(), one)  # of some file systems, 1.PNG is 1.png
        if other != one:
            raise InputError(
                f"the pictures of the {kind} {str(other)!r} and {str(one)!r} would have the same "
                f"names; give these {kind} to two commands with an --out each"
            )


def _in_file_name(label: str) -> str:
    return label.replace("/", "_")


def _mark() -> PngInfo:
    mark = PngInfo()
    mark.add_text("Software", SOFTWARE)
    return mark


def _drawn_here(file: BinaryIO) -> bool:
    with Image.open(file, formats=["PNG"]) as picture:
        return picture.info["Software"] == SOFTWARE


def class_maps(network: Network, pixels: Tensor) -> tuple[np.ndarray, dict[str, Tensor]]:
    """Compute one image's scores and, by branch, its activation maps at the image's size.

    Parameters
    ----------
    network : Network
        In eval mode.
    pixels : Tensor of uint8, shape (3, s, s)

    Returns
    -------
    scores : ndarray of float32, shape (L,)
    maps : dict of str to Tensor, each (L, s, s)
        From 0 to 1 for every label.
    """
    with torch.inference_mode():
        (features,) = network.backbone(pixels[None])
        branches = network.head.class_maps(features)
        scores = network.head(features).scores[0].numpy()
    return scores, {name: _scaled(maps, pixels.shape[-1]) for name, maps in branches.items()}


def overlay(pixels: Tensor, values: Tensor) -> Image.Image:
    """Lay a map (s, s) from 0 (blue) through green to 1 (red) over an image (3, s, s)."""
    red = (2 * values - 1).clamp(0, 1)
    blue = (1 - 2 * values).clamp(0, 1)
    colors = 255 * torch.stack([red, 1 - red - blue, blue])
    mixed = (1 - OPACITY) * pixels + OPACITY * colors
    return Image.fromarray(mixed.round().to(torch.uint8).permute(1, 2, 0).numpy())


def _scaled(maps: Tensor, side: int) -> Tensor:
    """Bring maps (1, L, h, w) to (L, side, side), each from 0 to 1; a constant one to 0."""
    (large,) = F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
    least, greatest = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    return (large - least) / (greatest - least).clamp(min=1e-12)
