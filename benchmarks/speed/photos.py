"""The data set that hand-written loops read: decoded photos, with or without labels.

It has a module of its own because the worker processes of a loader that are not forked import it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image


class Photos(torch.utils.data.Dataset):
    """Photos as torchvision's transforms prepare them.

    Parameters
    ----------
    paths : sequence of n paths
        The files of the photos.
    prepare : callable
        It makes a tensor of an RGB picture.
    labels : tensor of shape (n, L), optional
        With labels an item is a pair of pixels and labels.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        prepare: Callable[[Image.Image], torch.Tensor],
        labels: torch.Tensor | None = None,
    ) -> None:
        self.paths = paths
        self.prepare = prepare
        self.labels = labels

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int):
        with Image.open(self.paths[i]) as image:
            pixels = self.prepare(image.convert("RGB"))
        return pixels if self.labels is None else (pixels, self.labels[i])
