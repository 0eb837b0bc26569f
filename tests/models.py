"""Model files with something changed in them."""

import json
from pathlib import Path

import safetensors
import safetensors.numpy

from classify.storage.content import checksum


def rewrite(source: Path, target: Path, change, *, sealed: bool = True) -> Path:
    """Write a model file again, after ``change(description, arrays)`` has edited both in place.

    With `sealed`, its checksum is that of what it then holds, as a forger would have it.
    """
    with safetensors.safe_open(source, framework="numpy") as file:
        metadata = dict(file.metadata())
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    description = json.loads(metadata["model"])
    change(description, arrays)
    if sealed:
        description["sha256"] = checksum(description, arrays)
    metadata["model"] = json.dumps(description, sort_keys=True)
    safetensors.numpy.save_file(arrays, target, metadata=metadata)
    return target
