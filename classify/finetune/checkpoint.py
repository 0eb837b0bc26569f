"""A training's state in one safetensors file with its own checksum; all or nothing, no pickle.

Knows names, tensors, where a training stands and a JSON story; their meaning is the trainer's.
"""

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from extract.weights import checksum
from features.checks.causes import unreadable
from features.errors import InputError, plain_words
from features.files import write_bytes
from features.files.endless import ENDLESS, is_endless
from features.files.places import utf8_name
from features.manifest import differences

FORMAT = 1


@dataclass
class Position:
    """Where a training stands.

    Attributes
    ----------
    epoch, batch : int
        Epochs that are over, and batches of the next one.
    step : int
        Steps in all.
    best : float or None
        Best validation metric so far.
    best_epoch : int
        Epoch of the saved model, counted from 1; 0 is the state before the first step.
    over : bool
        Whether there is nothing left to do.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = 0
    over: bool = False


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
    if is_endless(path):
        raise InputError(f"{path} is {ENDLESS}, no checkpoint; give the folder of a run")
    try:
        with open(path, "rb"):  # gives the system's reason, which safetensors hides
            pass
        with utf8_name(path) as name, safe_open(name, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {one: file.get_tensor(one) for one in file.keys()}  # noqa: SIM118
        story, digest = about["story"], about["sha256"]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise unreadable(path, error) from error  # says nothing about what it holds
        reason = plain_words(error, known=path)
        raise InputError(
            f"{path} can't be read as a checkpoint of a fine-tuning ({reason}); give the folder "
            "of a run, or delete it and train again"
        ) from error
    if checksum(tensors, tensors) != digest:
        raise InputError(f"{path} is damaged: its checksum differs; delete it and train again")
    return tensors, story


def story_of(path: Path) -> dict[str, Any]:
    """Read the story of a checkpoint without its tensors.

    Raises
    ------
    ValueError, KeyError, TypeError
        The file is no checkpoint.
    """
    try:
        with utf8_name(path) as name, safe_open(name, framework="pt") as file:
            return json.loads(file.metadata()["about"])["story"]
    except SafetensorError as error:
        raise ValueError(str(error)) from error


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


def part_of(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
