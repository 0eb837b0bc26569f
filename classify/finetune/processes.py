"""The processes of one training: alone, or as many as torchrun started. Knows no network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from extract.engines import choose_device
from features.command_line.environment import local_rank, rank_and_world
from features.errors import InputError, plain_words


@dataclass(frozen=True)
class Processes:
    """Which process this is, of how many.

    Parameters
    ----------
    rank, world : int
    device : torch.device
        This process's own.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def summed(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over the processes, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, or be alone.

    Parameters
    ----------
    device : str
        As for `extract.engines.choose_device`; under torchrun `auto` and `cuda` are the GPU of the
        process's local rank.

    Yields
    ------
    Processes

    Raises
    ------
    InputError
        As `extract.engines.choose_device`, or torchrun's variables are missing or no numbers.
    """
    _, world = rank_and_world(os.environ)
    rank_here = local_rank(os.environ)
    if device in ("auto", "cuda") and rank_here is not None and torch.cuda.is_available():
        device = f"cuda:{rank_here}"
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    try:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"WORLD_SIZE is {world}, but the processes can't be joined ({plain_words(error)}). "
            "Start them by torchrun, or unset WORLD_SIZE for a process that runs alone."
        ) from error
    try:
        yield Processes(dist.get_rank(), world, chosen)
    finally:
        dist.destroy_process_group()
