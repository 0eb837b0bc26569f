"""A training's state in one safetensors file with its own checksum; all or nothing, no pickle.

Knows names, tensors and a JSON story; what they mean is the trainer's business.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from extract.weights import checksum
from features.errors import InputError
from features.files import write_bytes
from features.manifest import differences

FORMAT = 1


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], story: Mapping[str, Any]) -> None:
    """Write tensors and a story, all or nothing.

    Parameters
    ----------
    path : Path
        Ending in `.safetensors`; its folder must exist.
    tensors : mapping of str to Tensor
    story : mapping
        JSON values.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    about = {"format": FORMAT, "sha256": checksum(plain, plain), "story": story}
    # One entry, since the file's order of several differs from run to run.
    write_bytes(path, save(plain, {"about": json.dumps(about, sort_keys=True)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
    story : dict

    Raises
    ------
    InputError
        The file can't be read, is none of ours, or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        story, digest = about["story"], about["sha256"]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} can't be read as a checkpoint of a fine-tuning ({error!r}); give the folder "
            "of a run, or delete it and train again"
        ) from error
    if checksum(tensors, tensors) != digest:
        raise InputError(f"{path} is damaged: its checksum differs; delete it and train again")
    return tensors, story


def require_same_run(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Raises
    ------
    InputError
        Names each differing setting with both values.
    """
    differing = differences(dict(there), json.loads(json.dumps(here)))
    if differing:
        raise InputError(
            f"{path} is of another training: {'; '.join(differing)}; give the same settings, or "
            "another --out"
        )


def to_tensors(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Turn numpy arrays into tensors."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
