"""What a result was learned from, as hashes: labels and the files of features."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from features import schema, shards
from features.cache import FeatureCache
from features.files import sha256_of_text

BLOCK = 1 << 14  # rows that are hashed at a time


def hash_labels(names: Sequence[str], Y: np.ndarray) -> str:
    """Hash labels with their names.

    Parameters
    ----------
    names : sequence of L str
    Y : int8 ndarray of shape (n, L)

    Returns
    -------
    str
        Hex SHA-256 over the names, the shape and the bytes of `Y`.
    """
    digest = hashlib.sha256(json.dumps([list(names), Y.shape]).encode("utf-8"))
    for start in range(0, len(Y), BLOCK):
        digest.update(np.ascontiguousarray(Y[start : start + BLOCK], dtype=np.int8).tobytes())
    return digest.hexdigest()


def hash_labels_as_text(names: Sequence[str], Y: np.ndarray) -> str:
    """Hash labels as versions before 0.2 did, to go on with their files.

    Of the text ``repr((tuple(names), Y.tolist()))``, of which a block of rows is made at a time.
    """
    digest = hashlib.sha256(f"({tuple(names)!r}, [".encode())
    for start in range(0, len(Y), BLOCK):
        block = repr(Y[start : start + BLOCK].tolist())[1:-1]
        digest.update(f"{', ' if start else ''}{block}".encode())
    digest.update(b"])")
    return digest.hexdigest()


def shard_checksums(cache: FeatureCache) -> dict[str, str]:
    """Give the checksum that each finished file of a cache was written with, by its name."""
    found = {}
    for number in shards.finished_shards(cache.folder, cache.manifest):
        for maps in shards.kinds(cache.manifest):
            path = schema.shard_path(cache.folder, number, maps=maps)
            found[path.name] = shards.stored_checksum(path)
    return found


def hash_features(cache: FeatureCache) -> str:
    """Hash the checksums of a cache's files: hex SHA-256."""
    return sha256_of_text(json.dumps(shard_checksums(cache), sort_keys=True))
