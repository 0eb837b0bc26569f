"""The processes of one training: alone, or as many as torchrun started. Knows no network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from extract.engines import choose_device


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
        As `extract.engines.choose_device`.
    """
    world = int(os.environ.get("WORLD_SIZE", 1))
    if device in ("auto", "cuda") and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), world, chosen)
    finally:
        dist.destroy_process_group()
