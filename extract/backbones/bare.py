"""Networks without weights: parameters on the meta device, constants as the library computes them.

Shapes and dependencies of a network of any size are then known in a second and without its memory.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

Run = Callable[[nn.Module, Tensor], Mapping[str, Tensor]]


def bare(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a network whose parameters take no memory, in eval mode.

    Parameters
    ----------
    make : callable
        Makes the network with its library's initial values.

    Returns
    -------
    Module
        Buffers have their values: batch norms' initial statistics, and tables of positions, which
        not every file of weights has.
    """
    with suppress(NotImplementedError, RuntimeError), _without_memory():
        network = make().eval()
        if not any(buffer.is_meta for buffer in network.buffers()):
            return network
    # It looks at its own parameters while it is made, or makes constants beside them.
    network = make().eval()
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            moved = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
            setattr(module, name, moved)
    return network


@contextmanager
def _without_memory() -> Iterator[None]:
    def moved(module: nn.Module, name: str, parameter: nn.Parameter | None) -> Any:
        if parameter is None or parameter.is_meta:
            return None  # stays as it is
        return nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)

    handle = register_module_parameter_registration_hook(moved)
    try:
        yield
    finally:
        handle.remove()


def is_learned(name: str) -> bool:
    """Tell by its name whether a buffer holds what training found out, and no constant."""
    return name.endswith(("running_mean", "running_var"))


def learned_names(network: nn.Module) -> set[str]:
    """Names of the parameters, and of the buffers that hold statistics of training."""
    stored = network.state_dict().keys()
    buffers = {name for name, _ in network.named_buffers() if is_learned(name)}
    return ({name for name, _ in network.named_parameters()} | buffers) & stored


def probe(network: nn.Module, run: Run, size: int, images: int = 1) -> Mapping[str, Tensor]:
    """Run a network on nothing, to learn the shapes of its activations.

    Parameters
    ----------
    network : Module
        Of `bare`; its constants are moved to the meta device.
    run : callable
        Maps the network and (n, 3, size, size) to activations by name.
    size, images : int
        Of the input.

    Returns
    -------
    mapping of str to Tensor
        Without values.
    """
    network.to("meta")
    try:
        return run(network, torch.empty((images, 3, size, size), device="meta"))
    except (NotImplementedError, RuntimeError):
        # Some look at values: constants of such a network are made anew, from zeros.
        network.to_empty(device="cpu")
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.data.zero_()
        return run(network, torch.zeros((images, 3, size, size)))


def needed_names(network: nn.Module, run: Run, size: int) -> set[str]:
    """Find what activations depend on: parameters, and statistics beside a parameter that counts.

    Parameters
    ----------
    network, run, size
        As for `probe`.

    Returns
    -------
    set of str
        Names in the network's state dict.
    """
    network.requires_grad_(True)
    with torch.enable_grad():
        outputs = probe(network, run, size).values()
        total = torch.stack([one.float().sum() for one in outputs]).sum()
        named = dict(network.named_parameters())
        gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    needed = {name for name, one in zip(named, gradients, strict=True) if one is not None}
    owners = {name.rpartition(".")[0] for name in needed}
    bare_norms = {
        owner
        for owner, module in network.named_modules()
        if not any(True for _ in module.parameters(recurse=False))
    }
    statistics = {
        name
        for name, _ in network.named_buffers()
        if is_learned(name) and name.rpartition(".")[0] in owners | bare_norms
    }
    return needed | statistics
