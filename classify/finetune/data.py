"""Rows of a data set to batches of pixels, decoded ahead, and the draws that belong to a row.

Every draw depends on the seed, the epoch and the row alone: a run that is resumed, or cut over
processes another way, draws the same. Knows no network and no loss.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from extract.images import ImageFailure, Transform, load_image
from features.datasets import Dataset
from features.errors import InputError

AHEAD = 3  # batches that are decoded while one is computed
MEMORY = 2 << 30  # bytes of decoded images to keep, so that later epochs decode nothing
CROP = 1 / 8  # of the side: zoom and shift of RML-CNN's released code


class Images:
    """The images of a data set as squares of pixels, kept in memory as far as that goes.

    Parameters
    ----------
    dataset : Dataset
    transform : Transform
    workers : int
        Threads that decode.
    memory : int
        Bytes of decoded images to keep.
    """

    def __init__(
        self, dataset: Dataset, transform: Transform, *, workers: int = 1, memory: int = MEMORY
    ):
        self._dataset = dataset
        self._transform = transform
        self._workers = workers
        self._room = memory // (3 * transform.size**2)
        self._kept: dict[int, Tensor] = {}

    def load(self, row: int) -> Tensor:
        """Give one image: uint8, (3, size, size).

        Raises
        ------
        InputError
            The file can't be read or decoded.
        """
        if row in self._kept:
            return self._kept[row]
        path = self._dataset.paths[row]
        try:
            pixels, _ = load_image(path, self._transform, self._dataset.source)
        except ImageFailure as failure:
            raise InputError(
                f"{self._dataset.root / path} can't be learned from ({failure.message}); mend the "
                "file or take its line out of labels.csv"
            ) from failure
        if len(self._kept) < self._room:
            self._kept[row] = pixels
        return pixels

    def batches(
        self,
        parts: Iterable[Sequence[int] | np.ndarray],
        *,
        augment: str = "none",
        seed: int = 0,
        epoch: int = 0,
    ) -> Iterator[Tensor]:
        """Decode batch by batch, ahead of the caller.

        Parameters
        ----------
        parts : iterable of sequence of int
            The rows of each batch.
        augment, seed, epoch
            As for `augmented`.

        Yields
        ------
        Tensor of uint8, shape (b, 3, size, size)
        """

        def prepared(row: int) -> Tensor:
            return augmented(self.load(row), augment, row_generator(seed, epoch, row))

        with ThreadPoolExecutor(self._workers) as pool:
            waiting: deque[list[Future]] = deque()
            try:
                for part in parts:
                    waiting.append([pool.submit(prepared, int(row)) for row in part])
                    if len(waiting) > AHEAD:
                        yield _stacked(waiting.popleft())
                while waiting:
                    yield _stacked(waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)


def row_generator(seed: int, epoch: int, row: int) -> np.random.Generator:
    """Make the generator of everything that is drawn for a row in an epoch."""
    return np.random.default_rng([seed, epoch, row])


def augmented(pixels: Tensor, augment: str, rng: np.random.Generator) -> Tensor:
    """Flip and crop one image at random.

    Parameters
    ----------
    pixels : Tensor of uint8, shape (3, s, s)
    augment : {"none", "flip", "crop"}
        `flip` mirrors half of the images; `crop` also cuts a square of 7/8 of the side or more
        anywhere and scales it back.
    rng : Generator

    Returns
    -------
    Tensor of uint8, shape (3, s, s)
    """
    if augment == "none":
        return pixels
    if augment == "crop":
        size = pixels.shape[-1]
        side = size - int(rng.integers(0, int(CROP * size) + 1))
        top, left = (int(x) for x in rng.integers(0, size - side + 1, 2))
        pixels = F.resized_crop(pixels, top, left, side, side, [size, size], antialias=True)
    return pixels.flip(-1) if rng.random() < 0.5 else pixels


def epoch_batches(rows: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> np.ndarray:
    """Draw the order of an epoch; the last batch is filled up with the epoch's first rows.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
    batch_size : int
    seed, epoch : int

    Returns
    -------
    ndarray of int, shape (batches, batch_size)

    Examples
    --------
    >>> epoch_batches(np.arange(5), 3, seed=0, epoch=0).shape
    (2, 3)
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    batches = -(-len(order) // batch_size)
    return np.resize(order, (batches, batch_size))


def row_uniforms(rows: np.ndarray, n_labels: int, *, seed: int, epoch: int) -> np.ndarray:
    """Draw (b, L) numbers from [0, 1), each row's own."""
    return np.stack([row_generator(seed, epoch, int(r)).random(n_labels) for r in rows])


def _stacked(futures: list[Future]) -> Tensor:
    return torch.stack([future.result() for future in futures])
