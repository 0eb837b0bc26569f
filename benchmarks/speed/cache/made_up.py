"""Caches of made-up images: as many rows as asked for, of a few narrow columns, without files."""

import hashlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from features import schema
from features.datasets import Dataset
from features.index import index_hash, write_index
from features.manifest import write_or_check
from features.shard_writer import ShardWriter
from features.view import write_view

COLUMNS, LAYER = 4, "made/up"
SHARD_ROWS = 2048


def made_up_images(rows: int) -> tuple[Dataset, np.ndarray]:
    """Name images and their sizes in bytes; the files don't exist."""
    ids = tuple(f"{row // 1000:05}/{row:08}.jpg" for row in range(rows))
    dataset = Dataset(Path("."), ids, tuple(f"images/{one}" for one in ids))
    return dataset, np.random.default_rng(0).integers(10_000, 200_000, size=rows)


def write_cache(folder: Path, rows: int) -> None:
    """Write a cache as extraction does.

    Every thousandth image has the content of the one before it, and every 997th has failed.

    Parameters
    ----------
    folder : Path
        Made here.
    rows : int
    """
    folder.mkdir(parents=True)
    dataset, sizes = made_up_images(rows)
    record = {"dtype": "float16", "layout": "channel", "pooling": "none", "shape": [COLUMNS]}
    manifest = {
        "schema": schema.VERSION,
        "index": {"rows": rows, "sha256": index_hash(dataset, sizes)},
        "shard_rows": SHARD_ROWS,
        "layer_order": [LAYER],
        "layers": {LAYER: record},
    }
    write_or_check(folder, manifest)
    rng = np.random.default_rng(1)
    for number in tqdm(range(schema.shard_count(SHARD_ROWS, rows)), "made-up cache", unit="shard"):
        here = schema.shard_rows(number, SHARD_ROWS, rows)
        failed = np.array(here) % 997 == 996
        X = rng.standard_normal((len(here), COLUMNS)).astype(np.float16)
        X[failed] = np.nan
        status = np.where(failed, schema.Status.UNDECODABLE, schema.Status.OK).astype(np.uint8)
        messages = ["not an image" if one else "" for one in failed]
        digests = [hashlib.sha256(b"%d" % (row - (row % 1000 == 999))).hexdigest() for row in here]
        with ShardWriter(folder, number, manifest) as shard:
            shard.write(here, {LAYER: X}, status, messages, digests)
    write_index(folder, dataset, sizes, manifest)
    write_view(folder, manifest)
