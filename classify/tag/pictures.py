"""Features of single pictures, wherever they lie, made as those of a cache or a model."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from extract.config import ExtractConfig
from extract.run import run
from features.cache import FeatureCache
from features.datasets import Dataset
from features.errors import InputError


@contextmanager
def features_of(config: ExtractConfig, paths: Sequence[str | Path]) -> Iterator[FeatureCache]:
    """Extract pictures into a cache that lasts as long as the block.

    Parameters
    ----------
    config : ExtractConfig
        That lets pictures fail, so that the error can name them.
    paths : sequence of str or Path
        At least one; a picture may come twice.

    Yields
    ------
    FeatureCache
        A row per path, in their order.

    Raises
    ------
    InputError
        A picture is missing or can't be read; the message names the first one and the reason.
    """
    names = tuple(str(path) for path in paths)
    missing = [name for name in names if not Path(name).is_file()]
    if missing:
        raise InputError(f"There is no picture {missing[0]}: give paths of files.")
    whole = tuple(Path(name).absolute().as_posix() for name in names)
    ids = tuple(f"{k}/{name}" for k, name in enumerate(names))
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        cache = FeatureCache(run(config, Dataset(Path("/"), ids, whole), Path(folder)))
        failed = np.setdiff1d(np.arange(len(names)), cache.valid_rows)
        if len(failed):
            row = cache.index[failed[0]]
            raise InputError(f"{names[failed[0]]} can't be read: {row.message or row.status}")
        yield cache
